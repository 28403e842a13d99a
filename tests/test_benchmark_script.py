"""scripts/benchmark.py: its tables, its JSON, its chart, and its errors. How fast anything is, is never asserted."""

import functools
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import jaxcnn
from jaxcnn.benchmark import torch_peer

SCRIPT = Path(__file__).parent.parent / "scripts" / "benchmark.py"
ROW = "softmax_cross_entropy, int"


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("benchmark", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "benchmark", module)  # tyro looks there for its source
    spec.loader.exec_module(module)
    return module


def test_layers_are_timed_and_kept(script, tmp_path, capsys):
    path = tmp_path / "ops.json"
    options = script.Ops(filter=ROW, parts=("forward", "all"), repeats=2, seconds=0, json=path, eager=False)
    assert script.main(options) == 0
    output = capsys.readouterr().out
    assert "jax.grad" in output
    assert "geometric mean over 1 rows, jax.grad, default: " in output
    assert output.endswith(f"wrote {path}\n")
    document = json.loads(path.read_text())
    assert document["command"] == "ops"
    assert document["jax"] == jax.__version__
    assert document["options"]["repeats"] == 2
    assert document["options"]["json"] == str(path)
    assert set(document["summary"]) == {"rows", "geometric_means", "slower"}
    assert {"date", "cpu", "cores", "platform", "jaxlib", "xla_flags", "compiler_options", "torch"} <= set(document)
    assert [(row["row"], row["part"]) for row in document["rows"]] == [(ROW, "forward"), (ROW, "all")]
    whole = document["rows"][1]
    for variant in ("default", "best"):
        assert whole[variant]["manual"]["samples"] == 2
        assert whole[variant]["ratio"]["low"] <= whole[variant]["ratio"]["median"] <= whole[variant]["ratio"]["high"]
        assert whole[variant]["same_program"] in (True, False)
    assert whole["eager"] is None
    assert whole["relative_error"] <= 4e-6
    assert set(whole["compile_seconds"]) == {"manual", "jax_grad"}


def test_the_readme_table_is_printed(script, capsys):
    options = script.Ops(filter=ROW, parts=("dlogits",), repeats=1, seconds=0, best=False, markdown=True)
    assert script.main(options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| layer | forward | dx | dkernel | all | ")
    assert lines[2].startswith(f"| {ROW} |  | ")


def test_a_chart_is_drawn(script, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    path = tmp_path / "ratios.png"
    assert script.main(script.Ops(filter=ROW, parts=("all",), repeats=1, seconds=0, best=False, plot=path)) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert f"wrote {path}\n" in capsys.readouterr().out


def test_growth_has_its_own_table(script, capsys):
    options = script.Scaling(filter="max-pool 2x2, batch 8, image 16", repeats=1, seconds=0)
    assert script.main(options) == 0
    output = capsys.readouterr().out
    assert "manual ns an element" in output
    assert "| max-pool 2x2, batch 8, image 16 | " in output


def test_networks_of_other_libraries_have_their_own_table(script, tmp_path, monkeypatch, capsys):
    pytest.importorskip("flax.nnx")
    small = functools.partial(script.runs.accelerated.measure_peer, batch=2, side=8)
    monkeypatch.setattr(script.runs.accelerated, "measure_peer", small)
    path = tmp_path / "accelerate.json"
    options = script.Accelerate(filter="flax nnx CNN", repeats=1, seconds=0, best=False, json=path)
    assert script.main(options) == 0
    head, _, line = capsys.readouterr().out.splitlines()[:3]
    assert "| before ms | after ms |" in head
    assert line.startswith("| flax nnx CNN | ")
    (row,) = json.loads(path.read_text())["rows"]
    assert row["flops_replaced"] == 1
    assert set(row["tracing_seconds"]) == {"manual", "jax_grad"}
    assert row["eager"] is None


def test_without_a_library_one_line_says_what_to_install(script, monkeypatch, capsys):
    pytest.importorskip("flax")
    monkeypatch.setitem(sys.modules, "haiku", None)
    monkeypatch.setattr(script.runs, "run", lambda *_: pytest.fail("a network was measured"))
    with pytest.raises(SystemExit) as stop:
        script.main(script.Accelerate(filter="ResNet"))
    assert stop.value.code == 1
    line = 'error: haiku must be installed for this: pip install "jaxcnn[test]"\n'
    assert capsys.readouterr().err.endswith(line)


def test_torch_has_no_networks_of_other_libraries(script, capsys):
    with pytest.raises(SystemExit) as stop:
        script.main(script.Accelerate(peer="torch"))
    assert stop.value.code == 2
    assert "--peer (=torch) must be none: " in capsys.readouterr().err


def test_without_torch_one_line_says_what_to_install(script, monkeypatch, capsys):
    monkeypatch.setattr(torch_peer.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SystemExit) as stop:
        script.main(script.Ops(filter=ROW, peer="torch"))
    assert stop.value.code == 1
    errors = capsys.readouterr().err
    assert errors.endswith("error: --peer torch: torch must be installed for this: pip install torch\n")
    assert errors.count("\n") == 1


def test_a_peer_that_dies_is_one_line(script, monkeypatch, capsys):
    class Peer:
        about = "a peer"

        def __init__(self, device):
            assert device == script.environment.platform_name() or device == "cuda"

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def prepare(self, *_):
            return self.sample, "contiguous"

        def sample(self, calls):
            raise torch_peer.PeerError("the process of torch ended")

    monkeypatch.setattr(script, "TorchPeer", Peer)
    with pytest.raises(SystemExit) as stop:
        script.main(script.Ops(filter=ROW, parts=("forward",), repeats=1, best=False, peer="torch"))
    assert stop.value.code == 1
    assert capsys.readouterr().err.endswith("error: --peer torch: the process of torch ended\n")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_torch_takes_turns(script, tmp_path, capsys):
    path = tmp_path / "ops.json"
    options = script.Ops(filter=ROW, parts=("all",), repeats=2, seconds=0, peer="torch", json=path, best=False)
    assert script.main(options) == 0
    assert "torch" in capsys.readouterr().out
    document = json.loads(path.read_text())
    assert document["torch"]["version"]
    (row,) = document["rows"]
    assert row["torch"]["samples"] == 2
    assert row["torch_format"] in ("channels_last", "contiguous")
    assert document["summary"]["geometric_means"]["torch"] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filter": "nothing of this name"}, "--filter (='nothing of this name') must be part of the name of a row"),
        ({"filter": "dense", "parts": ("dbias",)}, "--parts (=dbias) must be parts of the rows: forward, dx, dkernel, all"),
        ({"repeats": 0}, "--repeats (=0) must be at least 1"),
        ({"seconds": -1.0}, "--seconds (=-1.0) must be at least 0"),
        ({"seconds": float("nan")}, "--seconds (=nan) must be at least 0"),
        ({"json": Path("nowhere/out.json")}, "--json (=nowhere/out.json) must lie in a folder that exists"),
        ({"json": Path()}, "--json (=.) must be a file that can be written"),
        ({"plot": Path("ratios.docx")}, "--plot (=ratios.docx) must end in .png, .svg or another format of matplotlib"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_line(script, capsys, changes, message):
    if "plot" in changes:
        pytest.importorskip("matplotlib")
    with pytest.raises(SystemExit) as stop:
        script.main(script.Ops(**changes))
    assert stop.value.code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


def test_without_rich_or_matplotlib_one_line_says_what_to_install(script, monkeypatch, capsys):
    for module, extra, options in [
        ("rich.console", "train", {}),
        ("matplotlib.figure", "plot", {"plot": Path("a.png")}),
    ]:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(SystemExit) as stop:
                script.main(script.Ops(**options))
        assert stop.value.code == 1
        line = f'error: {module} must be installed for this: pip install "jaxcnn[{extra}]"\n'
        assert capsys.readouterr().err.endswith(line)


def test_flags_are_set_before_the_program_begins_again(script, monkeypatch):
    begun = []
    monkeypatch.setattr(script.os, "execve", lambda *args: begun.append(args))
    monkeypatch.setattr(script.subprocess, "run", lambda *args, **_: subprocess.CompletedProcess(args, 0, "", ""))
    script._run_under("--xla_some=1")
    ((program, args, env),) = begun
    assert program == sys.executable
    assert args == [sys.executable, *sys.orig_argv[1:]]
    assert env["XLA_FLAGS"] == "--xla_some=1"
    assert env["PATH"] == os.environ["PATH"]


def test_the_package_does_not_import_the_benchmark():
    assert "benchmark" not in Path(jaxcnn.__file__).read_text()


def test_the_commands_have_options_of_their_own(script):
    models = script.parse(script.COMMANDS, ["models", "--filter", "LeNet", "--no-eager", "--json", "out.json"])
    assert models == script.Models(filter="LeNet", eager=False, json=Path("out.json"))
    assert script.parse(script.COMMANDS, ["scaling", "--best"]) == script.Scaling(best=True)
    assert script.parse(script.COMMANDS, ["accelerate", "--filter", "keras"]) == script.Accelerate(filter="keras")
    assert script.parse(script.COMMANDS, ["ops"]).seconds < models.seconds


@pytest.mark.parametrize(
    ("args", "message"),
    [(["ops", "--peer", "keras"], "'keras'"), (["layers"], "layers"), ([], "ops"), (["ops", "--repeats", "x"], "'x'")],
)
def test_a_wrong_argument_is_one_line(script, capsys, args, message):
    with pytest.raises(SystemExit) as stop:
        script.parse(script.COMMANDS, args)
    assert stop.value.code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


def test_the_command_line(tmp_path):
    def run(*args):
        return subprocess.run(
            [sys.executable, SCRIPT, *args], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    flags = "--xla_cpu_multi_thread_eigen=false"
    quick = ("--filter", ROW, "--parts", "forward", "--repeats", "1", "--seconds", "0", "--no-best", "--no-eager")
    done = run("ops", *quick, "--json", "out.json", f"--xla-flags={flags}")
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["xla_flags"] == flags
    assert len(document["rows"]) == 1
    done = run("ops", *quick, "--xla-flags=--xla_no_such_flag=1")
    assert done.returncode == 2
    assert "--xla-flags (=--xla_no_such_flag=1) must be flags that XLA knows: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
