"""scripts/compare_gradients.py: green on right rules, red on a wrong one, and its JSON."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import jaxcnn

SCRIPT = Path(__file__).parent.parent / "scripts" / "compare_gradients.py"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("compare_gradients", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_right_rules_are_green(script, tmp_path, capsys):
    path = tmp_path / "gradients.json"
    status = script.main(script.Options(only="dense with bias", json=path))
    output = capsys.readouterr().out
    assert status == 0
    assert "3 of 3 comparisons agree" in output
    assert "BAD" not in output
    document = json.loads(path.read_text())
    assert document["ok"] is True
    assert document["jax"] == jax.__version__
    assert [(c["name"], c["dtype"], c["ok"]) for c in document["comparisons"]] == [
        ("dense with bias", dtype, True) for dtype in ("float64", "float32", "bfloat16")
    ]
    assert [row["path"] for row in document["comparisons"][0]["rows"] if row["kind"] == "gradient"] == [
        "x",
        "kernel",
        "bias",
    ]
    assert max(row["max_rel"] for row in document["comparisons"][0]["rows"]) <= 1e-13
    assert set(document["comparisons"][0]["finite_differences"]) == {"x", "kernel", "bias"}


def test_one_case_of_every_layer_and_every_network_are_compared_unless_all_are_asked_for(script, monkeypatch, capsys):
    taken = []
    monkeypatch.setattr(script.suite, "run", lambda subjects, _: taken.append([s.name for s in subjects]) or iter([]))
    for options in (script.Options(), script.Options(every_case=True), script.Options(only="dense")):
        script.main(options)
    first, every, dense = taken
    assert {"dense with bias", "lenet", "tutorial"} < set(first) < set(every)
    assert len(first) == len(public_ops := {case.op for case in script.suite.CASES}) + 2
    assert {name.split()[0] for name in first} >= public_ops
    assert dense == [name for name in every if "dense" in name]


def test_a_wrong_rule_is_red_and_named(script, monkeypatch, capsys):
    @jax.custom_vjp
    def relu(x):
        return jaxcnn.reference.relu(x)

    relu.defvjp(lambda x: (jaxcnn.reference.relu(x), None), lambda _, g: (-g,))
    monkeypatch.setattr(jaxcnn, "relu", relu)
    status = script.main(script.Options(only="relu 2-D", dtypes=("float64",)))
    output = capsys.readouterr().out
    assert status == 1
    assert "BAD" in output
    assert "the slope is wrong at" in output


def test_the_command_line(tmp_path):
    def run(*args):
        return subprocess.run(
            [sys.executable, SCRIPT, *args], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    done = run("--only", "squared_error to zero", "--dtypes", "float32", "--json", "out.json")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 comparisons agree" in done.stdout
    assert json.loads((tmp_path / "out.json").read_text())["ok"] is True
    for args, message in (
        (("--only", "nothing of this name"), "--only (='nothing of this name') must be part of the name"),
        (("--json", "nowhere/out.json"), "--json (=nowhere/out.json) must lie in a folder that exists"),
        (("--json", "."), "--json (=.) must be a file that can be written"),
        (("--dtypes", "int8"), "int8"),
        (("--dtypes",), "--dtypes (=) must name at least one dtype"),
    ):
        done = run(*args)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_no_comparison_at_all_is_red(script, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(script.suite, "run", lambda *_: iter(()))
    assert script.main(script.Options(json=tmp_path / "out.json")) == 1
    assert json.loads((tmp_path / "out.json").read_text())["ok"] is False
    assert "0 of 0 comparisons agree" in capsys.readouterr().out


def test_without_rich_one_line_says_what_to_install(script, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with pytest.raises(SystemExit) as stop:
        script.main(script.Options())
    assert stop.value.code == 1
    errors = capsys.readouterr().err
    assert errors.endswith('error: rich.console must be installed for this: pip install "jaxcnn[train]"\n')
    assert errors.count("\n") == 1
