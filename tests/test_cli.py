import dataclasses
import io
import subprocess
import sys
from typing import Literal

import pytest

from jaxcnn._cli import fail, parse, require, run


@dataclasses.dataclass(frozen=True)
class Config:
    """Bake a cake."""

    flavour: Literal["lemon", "plum"] = "lemon"
    """What it tastes of."""
    layers: int = 2
    """How high it is."""
    max_layers: int = 3
    sizes: tuple[float, ...] = (1.0,)


@pytest.fixture(autouse=True)
def program(monkeypatch):
    monkeypatch.setattr("sys.argv", ["some/folder/bake.py"])


def test_arguments_become_a_config():
    config = parse(Config, ["--flavour", "plum", "--layers", "7", "--sizes", "1.5", "2"])
    assert config == Config("plum", 7, 3, (1.5, 2.0))


def test_without_a_list_the_arguments_are_those_of_the_process(monkeypatch):
    monkeypatch.setattr("sys.argv", ["bake.py", "--layers", "5"])
    assert parse(Config).layers == 5


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--flavour", "soap"], "invalid choice 'soap' for argument '--flavour'. Expected one of ('lemon', 'plum')."),
        (["--layers", "x"], "Error parsing --layers: invalid literal for int() with base 10: 'x'"),
        (["--layers"], "Missing value for argument '--layers'. Expected 1 values."),
        (["--layer", "3"], "Unrecognized options: --layer, 3; perhaps you meant --layers or --max-layers"),
        (["extra"], "Unrecognized options: extra"),
        (["--sizes", "a"], "Error parsing --sizes: "),
    ],
)
@pytest.mark.parametrize("columns", ["40", "200"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])  # tyro draws a box only where stdout can show it
def test_a_wrong_argument_ends_with_one_line_and_status_2(capsys, monkeypatch, args, line, columns, encoding):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    with pytest.raises(SystemExit) as stop:
        parse(Config, args)
    err = capsys.readouterr().err
    assert stop.value.code == 2
    assert err.startswith(f"bake.py: error: {line}")
    assert err.endswith(" (--help lists the options)\n")
    assert err.count("\n") == 1
    assert not set("│╭╰─\x1b") & set(err)


def test_help_goes_to_stdout_with_status_0(capsys):
    with pytest.raises(SystemExit) as stop:
        parse(Config, ["--help"])
    out, err = capsys.readouterr()
    assert stop.value.code == 0
    assert err == ""
    for text in ("bake.py", "Bake a cake.", "--flavour {lemon,plum}", "What it tastes of."):
        assert text in out


def test_fail_prints_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        fail("two\n  lines", status=3)
    assert stop.value.code == 3
    assert capsys.readouterr() == ("", "bake.py: error: two lines\n")


def test_require_gives_the_modules():
    assert require("dataclasses", "io", extra="train") == [dataclasses, io]


@pytest.mark.parametrize("call", [lambda: require("tyro", extra="train"), lambda: parse(Config, [])])
def test_a_module_that_is_missing_ends_with_one_line_and_status_1(capsys, monkeypatch, call):
    monkeypatch.setitem(sys.modules, "tyro", None)
    with pytest.raises(SystemExit) as stop:
        call()
    assert stop.value.code == 1
    assert capsys.readouterr().err == 'bake.py: error: tyro must be installed for this: pip install "jaxcnn[train]"\n'


@pytest.mark.parametrize("status", [0, 1])
def test_run_ends_with_the_status_of_main(status):
    with pytest.raises(SystemExit) as stop:
        run(lambda: status)
    assert stop.value.code == status


@pytest.mark.parametrize(
    ("body", "status", "errors"),
    [
        ("raise KeyboardInterrupt", 130, "interrupted\n"),
        ("print('x' * 100_000)", 141, ""),
        ("print('x')", 141, ""),  # it waits in the buffer until the end
        ("print('x'); sys.exit(0)", 141, ""),
        ("print_line('x'); print_line('y'); return 3", 3, ""),
    ],
)
def test_an_interrupt_or_a_closed_stdout_leaves_no_traceback(body, status, errors):
    code = f"import sys\nfrom jaxcnn._cli import print_line, run\ndef main():\n    {body}\nsys.stdin.read()\nrun(main)"
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:
        process.stdout.close()
        process.stdin.close()
        assert (process.stderr.read(), process.wait(120)) == (errors, status)
