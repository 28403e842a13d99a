"""scripts/train.py as a person runs it, in a process of its own where that matters."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import jaxcnn
from jaxcnn.data import load
from jaxcnn.models import tutorial
from jaxcnn.training import load_parameters, make_evaluate, recommended_compiler_options, scale_images
from scripts import train

SCRIPT = Path(__file__).parents[1] / "scripts" / "train.py"
QUICK = ["--model", "tutorial", "--max-steps", "12", "--batch-size", "32"]
AS_HERE = {"JAX_DEFAULT_MATMUL_PRECISION": "highest"}  # a process of its own gives the numbers of this one
# A program that was started in the background may ignore SIGINT from the start; one in the foreground does not.
IN_FOREGROUND = (
    "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def run(folder, *args):
    """Run the script in a folder; return its output, which ends as a good run's does."""
    done = subprocess.run(
        [sys.executable, SCRIPT, *args],
        cwd=folder,
        env=os.environ | AS_HERE,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_no_error(done.stderr)
    return done.stdout


def assert_no_error(errors):
    """Nothing went wrong by what is on stderr, where JAX may log."""
    assert "Traceback" not in errors
    assert "error:" not in errors


@pytest.fixture
def run_here(monkeypatch, tmp_path, capsys):
    """Run the script in this process, which is quicker."""

    def run_main(*args):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["scripts/train.py", *args])
        assert train.main() == 0
        return capsys.readouterr().out

    return run_main


def saved_path(output):
    return re.fullmatch(r"parameters saved: (.+)", output.splitlines()[-1])[1]


def printed_accuracy(output):
    return float(re.fullmatch(r"test accuracy: (\d+\.\d\d)% of 10000 images", output.splitlines()[-2])[1])


def records(folder, kind):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] == kind]


def without_times(folder):
    return [
        {name: value for name, value in epoch.items() if name not in ("seconds", "images_per_second")}
        for epoch in records(folder, "epoch")
    ]


def test_the_printed_accuracy_is_that_of_the_saved_parameters(tmp_path):
    output = run(tmp_path, *QUICK)
    assert saved_path(output) == "runs/tutorial-mnist-10k-1/parameters.safetensors"
    folder = tmp_path / "runs/tutorial-mnist-10k-1"
    data = scale_images(load("mnist-10k"))
    evaluate = make_evaluate(
        tutorial(), jaxcnn.softmax_cross_entropy_with_integer_labels, compiler_options=recommended_compiler_options()
    )
    params = load_parameters(folder / "parameters.safetensors")
    measured = evaluate(params, {}, data.test_images, data.test_labels)
    assert printed_accuracy(output) == pytest.approx(100 * measured["accuracy"], abs=0.0051)
    assert len(records(folder, "step")) == 12
    assert records(folder, "epoch")[0]["test_accuracy"] == measured["accuracy"]


def test_the_same_seed_gives_the_same_files_bit_for_bit(tmp_path, run_here):
    # Without --out, each run makes a folder of its own and leaves the others as they are.
    outputs = [*(run(tmp_path, *QUICK, "--seed", "5") for _ in range(2)), run_here(*QUICK, "--seed", "6")]
    paths = [saved_path(output) for output in outputs]
    assert paths == [f"runs/tutorial-mnist-10k-{number}/parameters.safetensors" for number in (1, 2, 3)]
    a, b, c = ((tmp_path / path).parent for path in paths)
    assert (a / "parameters.safetensors").read_bytes() == (b / "parameters.safetensors").read_bytes()
    assert (a / "parameters.safetensors").read_bytes() != (c / "parameters.safetensors").read_bytes()
    assert records(a, "step") == records(b, "step")
    assert without_times(a) == without_times(b)


def test_manual_and_auto_give_the_same_losses(tmp_path, run_here):
    curves = []
    for rules in ("manual", "auto"):
        run_here(*QUICK, "--rules", rules, "--out", rules)
        curves.append(np.array([step["loss"] for step in records(tmp_path / rules, "step")]))
    assert len(curves[0]) == 12
    assert np.max(np.abs(curves[0] - curves[1]) / curves[1]) <= 2e-6


def test_rules_choose_the_namespace_of_the_layers(monkeypatch, run_here):
    def stop(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("jaxcnn.reference.conv", stop)
    run_here(*QUICK, "--rules", "manual", "--out", "manual")
    with pytest.raises(ZeroDivisionError):
        run_here(*QUICK, "--rules", "auto", "--out", "auto")


@pytest.mark.parametrize("choice", ["recommended", "none"])
def test_compiler_options_are_the_recommended_ones_or_none(monkeypatch, run_here, choice):
    seen = []
    for name in ("make_train_step", "make_evaluate"):
        make = getattr(train.training, name)
        monkeypatch.setattr(
            train.training, name, lambda *args, make=make, **kwargs: seen.append(kwargs) or make(*args, **kwargs)
        )
    run_here(*QUICK, "--compiler-options", choice, "--out", "out")
    expected = recommended_compiler_options() if choice == "recommended" else {}
    assert [kwargs["compiler_options"] for kwargs in seen] == [expected] * 2


def test_float64_has_float64_parameters_and_losses(tmp_path):
    run(tmp_path, *QUICK, "--dtype", "float64", "--out", "out")
    params = load_parameters(tmp_path / "out/parameters.safetensors")
    assert params["conv1"]["kernel"].dtype == np.float64
    losses = [step["loss"] for step in records(tmp_path / "out", "step")]
    assert any(loss != float(np.float32(loss)) for loss in losses)


def test_bfloat16_has_float32_parameters(tmp_path, run_here):
    run_here(*QUICK, "--dtype", "bfloat16", "--optimizer", "momentum", "--schedule", "cosine", "--out", "out")
    params = load_parameters(tmp_path / "out/parameters.safetensors")
    assert params["conv1"]["kernel"].dtype == np.float32


@contextlib.contextmanager
def in_foreground(folder, *args, environment=None):
    """Run the script beside the test, as in a terminal, where Ctrl-C reaches it; it never outlives the test."""
    command = [sys.executable, "-c", IN_FOREGROUND, SCRIPT, *args]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=os.environ | (environment or {}), **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_saves_and_ends_with_status_130(tmp_path):
    metrics = tmp_path / "out/metrics.jsonl"
    with in_foreground(tmp_path, "--batch-size", "16", "--epochs", "100", "--out", "out") as process:
        assert process.stdout.readline().startswith("training lenet on mnist-10k")
        while not (metrics.exists() and metrics.stat().st_size):  # until the first steps are recorded
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert_no_error(errors)
    interrupted, saved = output.splitlines()
    steps = int(re.fullmatch(r"interrupted after step (\d+) of 62500", interrupted)[1])
    assert saved == "parameters saved: out/parameters.safetensors"
    assert load_parameters(tmp_path / saved.split()[-1])["dense2"]["bias"].any()
    assert [step["step"] for step in records(tmp_path / "out", "step")] == list(range(steps))


def test_ctrl_c_before_the_training_ends_without_a_traceback(tmp_path):
    # The download goes to a proxy that never answers.
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environment = {"https_proxy": url, "no_proxy": "", "JAXCNN_DATA": "", "XDG_CACHE_HOME": str(tmp_path)}
        with in_foreground(tmp_path, "--data", "mnist", environment=environment) as process:
            assert process.stdout.readline().startswith("loading mnist, which is downloaded if")
            proxy.settimeout(120)
            with proxy.accept()[0]:
                process.send_signal(signal.SIGINT)
                output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (130, "")
    assert errors.endswith("interrupted before the parameters were saved\n")
    assert_no_error(errors)


def test_a_reader_that_goes_does_not_end_the_training(tmp_path):
    with in_foreground(tmp_path, *QUICK, "--out", "out") as process:
        assert process.stdout.readline().startswith("training tutorial on mnist-10k")
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(120) == 0
    assert_no_error(errors)
    assert load_parameters(tmp_path / "out/parameters.safetensors")


def test_a_loss_that_is_not_finite_is_status_1_after_saving(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    options = ["--optimizer", "sgd", "--schedule", "constant", "--learning-rate", "3e38", "--out", "out"]
    monkeypatch.setattr("sys.argv", ["scripts/train.py", *QUICK, *options])
    assert train.main() == 1
    errors = capsys.readouterr().err
    assert re.fullmatch(r"train loss of epoch 1 is (nan|inf): the learning rate may be too high\n", errors), errors
    assert load_parameters(tmp_path / "out/parameters.safetensors")


@pytest.mark.parametrize(
    ("name", "status", "line"),
    [
        ("MetricsFile", 2, r"--out \(=out\) must be a folder in which metrics\.jsonl can be written: no space"),
        (
            "save_parameters",
            1,
            r"--out \(=out\) must be a folder in which parameters\.safetensors can be saved: no space; the .* are lost",
        ),
    ],
)
def test_a_file_that_cannot_be_written_ends_with_one_line(capsys, monkeypatch, tmp_path, name, status, line):
    def refuse(*args, **kwargs):
        raise OSError("no space")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(train.training, name, refuse)
    monkeypatch.setattr("sys.argv", ["scripts/train.py", *QUICK, "--max-steps", "1", "--out", "out"])
    with pytest.raises(SystemExit) as stop:
        train.main()
    assert stop.value.code == status
    errors = capsys.readouterr().err
    assert re.fullmatch(rf"train\.py: error: {line}\n", errors), errors


@pytest.fixture
def failed(monkeypatch, tmp_path, capsys):
    """Run the script in this process to an end that is not good; return the status, and what it printed."""

    def run_main(*args):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["scripts/train.py", *args])
        with pytest.raises(SystemExit) as stop:
            train.main()
        return stop.value.code, *capsys.readouterr()

    return run_main


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file on which no disk has room")
def test_metrics_on_a_full_disk_do_not_end_the_training(tmp_path, failed):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/metrics.jsonl").symlink_to("/dev/full")
    status, output, errors = failed(*QUICK, "--out", "out")
    assert status == 1
    assert printed_accuracy(output) > 0
    assert saved_path(output) == "out/parameters.safetensors"
    assert load_parameters(tmp_path / "out/parameters.safetensors")["conv1"]["kernel"].any()
    why = r"out/metrics\.jsonl lacks records, but the parameters are saved: .*No space left on device"
    assert re.fullmatch(rf"train\.py: error: {why}\n", errors), errors


def test_metrics_that_fail_only_when_they_are_closed(monkeypatch, tmp_path, failed):
    close, closed = train.training.MetricsFile.close, []

    def close_late(metrics):
        close(metrics)
        closed.append(metrics)
        if len(closed) == 1:
            raise OSError("quota exceeded")

    monkeypatch.setattr(train.training.MetricsFile, "close", close_late)
    status, output, errors = failed(*QUICK, "--out", "out")
    assert status == 1
    assert errors.endswith("lacks records, but the parameters are saved: quota exceeded\n")
    assert load_parameters(tmp_path / saved_path(output))


def test_parameters_for_which_there_is_no_room_are_saved_elsewhere(monkeypatch, tmp_path, failed):
    save = train.training.save_parameters

    def full(path, params):
        if path.parent.name == "out":
            raise OSError(28, "No space left on device")
        save(path, params)

    monkeypatch.setattr(train.training, "save_parameters", full)
    monkeypatch.setattr(train.tempfile, "tempdir", str(tmp_path))
    status, output, errors = failed(*QUICK, "--out", "out")
    elsewhere = saved_path(output)
    assert status == 1
    assert load_parameters(elsewhere)["conv1"]["kernel"].any()
    assert elsewhere.startswith(f"{tmp_path}/jaxcnn-")
    assert errors.endswith(f"No space left on device; the parameters are saved in {elsewhere}\n")
    assert errors.count("\n") == 1


def test_a_folder_that_goes_during_the_training(monkeypatch, tmp_path, failed):
    fit = train.training.fit

    def fit_and_lose(*args, **kwargs):
        (tmp_path / "out/metrics.jsonl").unlink()
        (tmp_path / "out").rmdir()
        return fit(*args, **kwargs)

    monkeypatch.setattr(train.training, "fit", fit_and_lose)
    monkeypatch.setattr(train.tempfile, "tempdir", str(tmp_path))
    status, output, errors = failed(*QUICK, "--out", "out")
    assert status == 1
    assert load_parameters(saved_path(output))
    assert errors.startswith("train.py: error: --out (=out) must be a folder in which parameters.safetensors can be")


@pytest.mark.parametrize(
    "kept", [("metrics.jsonl",), ("parameters.safetensors",), ("metrics.jsonl", "parameters.safetensors")]
)
def test_the_files_of_an_earlier_run_are_not_touched(tmp_path, failed, kept):
    (tmp_path / "out").mkdir()
    for name in kept:
        (tmp_path / "out" / name).write_text("old")
    status, output, errors = failed(*QUICK, "--out", "out")
    assert (status, output) == (2, "")
    why = r"--out \(=out\) must not have the files of an earlier run; --existing replace removes them first"
    assert re.fullmatch(rf"train\.py: error: {why}\n", errors), errors
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == dict.fromkeys(kept, "old")


def test_a_run_that_begins_at_the_same_moment_is_refused(monkeypatch, tmp_path, failed):
    """The other one makes its file after this one has looked."""
    load_data = train.load

    def load_late(*args):
        (tmp_path / "out").mkdir()
        (tmp_path / "out/metrics.jsonl").write_text("of the other run")
        return load_data(*args)

    monkeypatch.setattr(train, "load", load_late)
    status, _, errors = failed(*QUICK, "--out", "out")
    assert status == 2
    assert "must not have the files of an earlier run" in errors
    assert (tmp_path / "out/metrics.jsonl").read_text() == "of the other run"


def test_replacing_leaves_nothing_of_the_earlier_run(tmp_path, run_here):
    run_here(*QUICK, "--seed", "1", "--out", "out")
    before = (tmp_path / "out/parameters.safetensors").read_bytes(), records(tmp_path / "out", "step")
    run_here(*QUICK, "--seed", "2", "--max-steps", "3", "--out", "out", "--existing", "replace")
    assert len(before[1]) == 12
    assert len(records(tmp_path / "out", "step")) == 3
    assert (tmp_path / "out/parameters.safetensors").read_bytes() != before[0]


def test_a_run_that_is_killed_leaves_no_parameters_of_an_earlier_one(monkeypatch, tmp_path):
    def killed(*args, **kwargs):
        kwargs["metrics"].write({"kind": "step"})
        raise ZeroDivisionError

    (tmp_path / "out").mkdir()
    for name in ("metrics.jsonl", "parameters.safetensors"):
        (tmp_path / "out" / name).write_text("old")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train.training, "fit", killed)
    monkeypatch.setattr("sys.argv", ["scripts/train.py", *QUICK, "--out", "out", "--existing", "replace"])
    with pytest.raises(ZeroDivisionError):
        train.main()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["metrics.jsonl"]
    assert records(tmp_path / "out", "step") == [{"kind": "step"}]


def test_the_folder_of_a_run_that_goes_on_is_not_replaced(tmp_path, failed):
    pytest.importorskip("fcntl")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/parameters.safetensors").write_text("old")
    with train.training.MetricsFile(tmp_path / "out/metrics.jsonl") as metrics:
        metrics.write({"step": 1})
        status, _, errors = failed(*QUICK, "--out", "out", "--existing", "replace")
        metrics.write({"step": 2})
    assert status == 2
    assert "metrics.jsonl can be written: [Errno 11] another run is writing" in errors
    assert (tmp_path / "out/metrics.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'
    assert (tmp_path / "out/parameters.safetensors").read_text() == "old"


def test_runs_that_begin_together_have_folders_of_their_own(monkeypatch, tmp_path):
    """Each sees that a folder is not there before any has made it."""
    monkeypatch.setattr(Path, "exists", lambda path: False)
    folders = [train._make_new(tmp_path / "runs", "lenet") for _ in range(3)]
    assert [folder.name for folder in folders] == ["lenet-1", "lenet-2", "lenet-3"]


@pytest.mark.parametrize("stdout", ["/dev/full", None])
def test_a_stdout_that_takes_nothing_does_not_end_the_training(tmp_path, stdout):
    if stdout and not Path(stdout).exists():
        pytest.skip("a file on which no disk has room")
    redirection = f"> {stdout}" if stdout else ">&-"
    command = f'exec "$0" "$@" {redirection}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, SCRIPT, *QUICK, "--out", "out"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert_no_error(done.stderr)
    assert ("what is printed is lost from here on: [Errno 28]" in done.stderr) == bool(stdout)
    assert load_parameters(tmp_path / "out/parameters.safetensors")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--model", "foo"], r"invalid choice 'foo' for argument '--model'\. Expected one of \('lenet', 'tutorial'\)"),
        (["--compiler-options", "fast"], r"invalid choice 'fast' for argument '--compiler-options'\. Expected one of"),
        (["--optimiser", "adam"], r"Unrecognized options: --optimiser, adam; perhaps you meant --optimizer"),
        (["--epochs", "many"], r"Error parsing --epochs: .*'many'"),
        (["--epochs", "0"], r"--epochs \(=0\) must be at least 1"),
        (["--batch-size", "-1"], r"--batch-size \(=-1\) must be at least 1"),
        (["--max-steps", "0"], r"--max-steps \(=0\) must be at least 1"),
        (["--learning-rate", "nan"], r"--learning-rate \(=nan\) must be positive and finite"),
        (["--learning-rate", "0"], r"--learning-rate \(=0\.0\) must be positive and finite"),
        (["--seed", "-1"], r"--seed \(=-1\) must be from 0 to 4294967295"),
        (["--data-dir", "file"], r"--data-dir \(=file\) must be a folder, or a path at which nothing is yet"),
        (["--out", "file"], r"--out \(=file\) must be a folder, or a path at which nothing is yet"),
        (["--out", ""], r"--out \(=\) must be the path of a folder, and not empty"),
        (["--out", "saved"], r"--out \(=saved\) must not have a folder at parameters\.safetensors, where the run"),
        (["--out", "measured"], r"--out \(=measured\) must not have a folder at metrics\.jsonl, where the run"),
        (["--out", "file/below"], r"--out \(=file/below\) must be a folder that can be made: .*Not a directory"),
        (["--data", "mnist", "--data-dir", "."], r"--data mnist must be a data set that can be read: .*SHA-256"),
    ],
)
def test_wrong_arguments_end_with_one_line_and_status_2(capsys, monkeypatch, tmp_path, args, line):
    (tmp_path / "file").write_text("")
    (tmp_path / "saved/parameters.safetensors").mkdir(parents=True)
    (tmp_path / "measured/metrics.jsonl").mkdir(parents=True)
    (tmp_path / "train-images-idx3-ubyte").write_text("damaged")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["scripts/train.py", *args])
    with pytest.raises(SystemExit) as stop:
        train.main()
    assert stop.value.code == 2
    errors = capsys.readouterr().err
    assert re.fullmatch(rf"train\.py: error: {line}.*\n", errors), errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "measured", "saved", "train-images-idx3-ubyte"]


def test_a_wrong_argument_ends_the_process_with_status_2(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--dtype", "int8"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_help_lists_every_option(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["scripts/train.py", "--help"])
    with pytest.raises(SystemExit) as stop:
        train.main()
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for option in (field.name.replace("_", "-") for field in dataclasses.fields(train.Config)):
        assert f"--{option} " in out
