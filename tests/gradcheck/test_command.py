"""jaxcnn-gradcheck: rules of a module in the current folder, right and wrong, and one line for every wrong argument."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import pytest

from jaxcnn.gradcheck import command

RULES = """
import jax, jax.numpy as jnp, numpy as np

def scaled(factor):
    @jax.custom_vjp
    def scale(x, weight):
        return x * weight
    scale.defvjp(lambda x, weight: (x * weight, (x, weight)), lambda kept, g: (factor * g * kept[1], g * kept[0]))
    return scale

right, wrong = scaled(1), scaled(2)

class inside:
    right = right

@jax.custom_vjp
def widens(x):
    return 2 * x
widens.defvjp(lambda x: (2 * x, None), lambda _, g: (2 * g.astype(jnp.float32),))

def of_labels(x, weight, labels):
    return right(x, weight)[labels]

def of_params(params):
    return right(params["x"], params["weight"])[params["labels"]]

def plain(x, weight):
    return x * weight

def refuses(x, weight):
    raise KeyError("no such layer")

example = np.linspace(-1, 1, 4, dtype=np.float32), np.full(4, 3, np.float32)
wide = np.linspace(-1, 1, 4), np.full(4, 3.0)
params = {"x": example[0], "weight": example[1], "labels": np.arange(2)}
integers = np.arange(3), np.arange(3)

def made():
    return example

def not_made():
    raise OSError("no data")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "rules.py").write_text(RULES)
    (tmp_path / "broken.py").write_text("import jax\n1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    sys.modules.pop("rules", None)


@pytest.fixture
def check(monkeypatch, capsys):
    """Return a function that runs the command, and returns its status, its stdout and its stderr."""

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["bin/jaxcnn-gradcheck", *args])
        with pytest.raises(SystemExit) as stop:
            command.main()
        return (stop.value.code, *capsys.readouterr())

    return run


SECOND = ["second order, x", "second order, weight", "second order, g of output"]


def column(output, heading):
    """Return the cells under a heading of the table."""
    rows = [[cell.strip() for cell in re.split("[┃│]", line)] for line in output.splitlines()]
    place = next(row.index(heading) for row in rows if heading in row)
    return [row[place] for row in rows if row[1:] and row[1].startswith("rules:")]


@pytest.mark.parametrize(
    "args",
    [
        ("rules:right", "--args", "rules:example"),
        ("rules:right", "--args", "rules:made"),
        ("rules:right", "--shapes", "f32[],f32[]"),
        ("rules:inside.right", "--shapes", " f32 [2,3] , f32[2,3]"),
    ],
)
def test_a_right_rule_agrees(check, args):
    status, output, errors = check(*args)
    assert (status, errors) == (0, "")
    assert column(output, "array") == ["value", "value in vjp", "x", "weight", *SECOND]
    assert set(column(output, "dtype")) == {"float32"}
    assert set(column(output, "verdict")) == {"ok"}
    assert set(column(output, "odd")) == {""}
    assert "the judge is auto in float64" in output
    assert output.endswith(f"\n{args[0]} agrees with automatic differentiation\n")


@pytest.mark.parametrize("arguments", [("--args", "rules:example"), ("--shapes", "f32[4],f32[4]")])
def test_a_wrong_rule_differs_and_its_mistake_is_named(check, arguments):
    status, output, _ = check("rules:wrong", *arguments)
    assert status == 1
    assert column(output, "verdict") == ["ok", "ok", "BAD", "ok"]
    assert column(output, "odd") == ["", "", "manual", ""]
    assert "gradient of x: it is 2 times" in output
    assert output.endswith("\nrules:wrong differs from automatic differentiation\n")


@pytest.mark.parametrize(
    ("dtype", "name"), [("f64", "float64"), ("f32", "float32"), ("bf16", "bfloat16"), ("f16", "float16")]
)
def test_every_floating_dtype_is_compared_in_itself(check, dtype, name):
    for function, expected in (("rules:right", 0), ("rules:wrong", 1)):
        status, output, _ = check(function, "--shapes", f"{dtype}[5],{dtype}[5]")
        assert status == expected
        assert set(column(output, "dtype")) == {name}
        # the judge is float64, and automatic differentiation in a narrower dtype stands beside it
        assert all(column(output, "autodiff")[:4]) == (dtype != "f64")
    assert not jax.config.jax_enable_x64


def test_a_cotangent_of_another_dtype_is_found(check):
    status, output, _ = check("rules:widens", "--shapes", "bf16[5]")
    assert status == 1
    assert set(column(output, "dtype")) == {"bfloat16"}
    assert "gradient of x: it is float32, and its primal bfloat16" in output


def test_float64_arguments_stay_float64(check):
    status, output, _ = check("rules:right", "--args", "rules:wide")
    assert status == 0
    assert set(column(output, "dtype")) == {"float64"}


def test_integers_are_no_arguments_to_differentiate(check):
    status, output, _ = check("rules:of_labels", "--shapes", "f32[2],f32[2],i32[7]")
    assert status == 0
    assert column(output, "array") == ["value", "value in vjp", "x", "weight", *SECOND]
    status, output, _ = check("rules:of_params", "--args", "rules:params")
    assert status == 0
    assert column(output, "array")[:4] == ["value", "value in vjp", "params.weight", "params.x"]
    assert "skipped, no gradient: params.labels\n" in output


def test_argnums_and_rtol(check):
    arguments = ("rules:wrong", "--args", "rules:example")
    status, output, _ = check(*arguments, "--argnums", "1")
    assert (status, column(output, "array")[:3]) == (0, ["value", "value in vjp", "weight"])
    status, output, _ = check(*arguments, "--argnums", "-1", "0")
    assert (status, column(output, "array")) == (1, ["value", "value in vjp", "x", "weight"])
    assert check(*arguments, "--rtol", "1.5")[0] == 0


def test_the_seed_chooses_the_numbers():
    first, again, other = (command._drawn("f32[9],i32[99],bool[99]", seed) for seed in (0, 0, 1))
    assert [array.dtype.name for array in first] == ["float32", "int32", "bool"]
    assert set(first[1]) == {0, 1}
    assert set(first[2]) == {False, True}
    assert all((a == b).all() and (a != c).any() for a, b, c in zip(first, again, other, strict=True))


EXAMPLE = ("--args", "rules:example")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["rules", *EXAMPLE], "function (='rules') must be module:name"),
        (["nowhere:f", *EXAMPLE], "function (='nowhere:f') must be module:name of a module that can be imported and has it: "),
        (["nowhere:f", *EXAMPLE], "ModuleNotFoundError: No module named 'nowhere'"),
        (["broken:f", *EXAMPLE], "ZeroDivisionError: division by zero"),
        (["rules:nothing", *EXAMPLE], "AttributeError: module 'rules' has no attribute 'nothing'"),
        (["rules:params", *EXAMPLE], "function (='rules:params') must be a function, and is of type dict"),
        (["rules:plain", *EXAMPLE], "it must call a function with a custom_vjp rule, and calls none"),
        (["rules:refuses", *EXAMPLE], "function (='rules:refuses') cannot be compared: KeyError: 'no such layer', at line"),
        (["rules:right"], "--args (='') or --shapes (='') must be given, and not both"),
        (["rules:right", *EXAMPLE, "--shapes", "f32[]"], "must be given, and not both"),
        (["rules:right", "--args", "rules:missing"], "--args (='rules:missing') must be module:name of a module"),
        (["rules:right", "--args", "rules:not_made"], "must return arguments when it is called: OSError: no data, at line"),
        (["rules:right", "--args", "rules:integers"], "one of its arguments must hold a floating array or number"),
        (["rules:right", "--shapes", "f32[4"], "--shapes (='f32[4') must be dtypes with their shapes, such as"),
        (["rules:right", "--shapes", "f32[4],f32[,]"], "must be dtypes with their shapes, such as"),
        (["rules:right", "--shapes", "f8[4]"], "must have dtypes among f16, bf16, f32, f64, i32, bool, and has f8"),
        (["rules:right", "--shapes", "f32[4],f32[3]"], "function (='rules:right') cannot be compared: TypeError: "),
        (["rules:right", "--shapes", f"f32[{10**18}]"], "must fit in memory: "),
        (["rules:right", *EXAMPLE, "--argnums", "2"], "argnums (=(2,)) must name some of the 2 arguments"),
        (["rules:right", *EXAMPLE, "--seed", "-1"], "--seed (=-1) must not be negative"),
        (["rules:right", *EXAMPLE, "--rtol", "nan"], "--rtol (=nan) must be positive"),
        (["rules:right", *EXAMPLE, "--argnum"], "Unrecognized options: --argnum; perhaps you meant --argnums"),
        ([*EXAMPLE], "module:function"),
    ],
)  # fmt: skip
def test_a_wrong_argument_ends_with_one_line_and_status_2(check, args, line):
    status, output, errors = check(*args)
    assert (status, output) == (2, "")
    assert errors.startswith("jaxcnn-gradcheck: error: ")
    assert line in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("module", ["rich.console", "tyro"])
def test_without_the_extra_one_line_says_what_to_install(check, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    status, _, errors = check("rules:right", *EXAMPLE)
    assert status == 1
    assert errors == f'jaxcnn-gradcheck: error: {module} must be installed for this: pip install "jaxcnn[train]"\n'


def test_the_installed_command_is_main():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (script,) = project["scripts"].items()
    entry = importlib.metadata.EntryPoint(*script, group="console_scripts")
    assert (entry.name, entry.load()) == ("jaxcnn-gradcheck", command.main)


def test_in_a_process_of_its_own(folder):
    done = subprocess.run(
        [sys.executable, "-m", "jaxcnn.gradcheck.command", "rules:wrong", *EXAMPLE],
        capture_output=True, text=True, check=False, cwd=folder,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "")
    assert "rules:wrong differs from automatic differentiation" in done.stdout
