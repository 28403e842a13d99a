"""Another checkout, timed in turns with this one: what is the same program, what is not, and what it has not."""

import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.benchmark import against, parts, plain
from jaxcnn.benchmark.against import Comparison, program_digest
from jaxcnn.benchmark.cases import ROWS
from jaxcnn.benchmark.measure import Effort
from jaxcnn.benchmark.timing import Ratio, summarize
from jaxcnn.benchmark.worker import Worker, WorkerError
from tests.test_benchmark_script import script as script

QUICK = Effort(2, 0.0, best=False, eager=False)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A copy of this checkout in which depth_to_space is another program, and one layer is not there yet."""
    folder = tmp_path_factory.mktemp("other")
    package = folder / "jaxcnn"
    shutil.copytree(Path(jaxcnn.__file__).parent, package, ignore=shutil.ignore_patterns("*.gz", "__pycache__"))
    shutil.rmtree(package / "benchmark")  # an older checkout has another one, or none
    layer = package / "ops" / "rearrange.py"
    sizes = "    first, rank = x.ndim - len(blocks) - 1, len(blocks)\n"
    changed = layer.read_text().replace(sizes, f"    x = x + x - x\n{sizes}")
    assert changed != layer.read_text()
    layer.write_text(changed)
    for path in (package / "__init__.py", package / "ops" / "__init__.py"):
        lines = [line for line in path.read_text().splitlines() if "adaptive_max_pool_with_indices" not in line]
        path.write_text("\n".join(lines) + "\n")
    return folder


def test_each_part_is_the_same_another_or_missing(other):
    chosen = [
        ("space_to_depth 2", "forward"),
        ("depth_to_space 2", "forward"),
        ("adaptive max-pool 7x7, indices", "forward"),
    ]
    with against.this_checkout("float32") as this, against.Checkout(other, "float32") as checkout:
        same, changed, missing = against.compare(chosen, this, checkout, QUICK)
    assert same == Comparison("space_to_depth 2", "forward", same=True)
    assert same.cells == ("space_to_depth 2", "forward", "", "", "=", "")
    assert not changed.same
    assert changed.this.samples == changed.other.samples == 2
    assert changed.ratio.low <= changed.ratio.median <= changed.ratio.high
    assert missing.problem.startswith("the other checkout: AttributeError")
    facts = against.summary([same, changed, missing])
    assert (facts["parts"], facts["same"], len(facts["not compared"])) == (3, 1, 1)


def test_a_checkout_is_all_the_same_as_itself():
    chosen = [("ConvLSTM 3x3", "all"), ("max-pool 2x2 s2", "dx")]
    with against.this_checkout("bfloat16") as this:
        assert [one.same for one in against.compare(chosen, this, this, QUICK)] == [True, True]


def test_what_this_checkout_cannot_do_is_an_error():
    with (
        against.this_checkout("float32") as this,
        pytest.raises(WorkerError, match="this checkout: ValueError"),
    ):
        next(against.compare([("no such row", "all")], this, this, QUICK))


def test_a_folder_without_a_package_is_an_error(tmp_path):
    with pytest.raises(WorkerError, match=r"the other checkout: ImportError: jaxcnn is .* not that of the checkout"):
        against.Checkout(tmp_path, "float32")


def test_a_process_that_ends_is_an_error():
    with (
        Worker(["-c", "pass"], [], "nobody") as worker,
        pytest.raises(WorkerError, match="the process of nobody ended"),
    ):
        worker.ask({})


def test_programs_are_the_same_whatever_their_functions_are_called():
    def lowered(name, by):
        def inner(x):
            return jnp.sin(x) * by

        inner.__name__ = name
        inner = jax.jit(inner)
        return jax.jit(lambda x: inner(x) + inner(x + 1)).lower(jnp.ones(3)).as_text()

    assert lowered("a", 2) != lowered("b", 2)
    assert program_digest(lowered("a", 2)) == program_digest(lowered("b", 2))
    assert program_digest(lowered("a", 2)) != program_digest(lowered("a", 3))
    assert program_digest("call @f call @g") == program_digest("call @g_1 call @f")
    assert program_digest("call @f call @g") != program_digest("call @f call @f")


@pytest.mark.parametrize(("high", "slower"), [(0.94, True), (0.96, False)])
def test_slower_is_what_lies_wholly_below(high, slower):
    samples = summarize([0.001, 0.002])
    one = Comparison("a row", "all", False, samples, samples, Ratio(0.9, 0.8, high))
    assert one.slower == slower
    assert against.summary([one])["slower"] == [f"a row, all: 0.900 (0.800 to {high:.3f})"] * slower
    assert one.cells[4:] == ("0.900", f"0.800 to {high:.3f}")


def test_the_script_compares_and_keeps(script, other, tmp_path, capsys):
    path = tmp_path / "against.json"
    options = script.Ops(filter="space_to_depth", parts=("forward",), repeats=2, seconds=0, against=other, json=path)
    assert script.main(options) == 0
    output = capsys.readouterr().out
    assert "1 of 1 parts are the same program" in output
    assert "slower than the other checkout: 0" in output
    document = json.loads(path.read_text())
    assert (document["command"], document["dtype"]) == ("ops", "float32")
    assert document["options"]["against"] == str(other)
    assert document["rows"][0] | {"same": True} == document["rows"][0]
    assert document["summary"]["same"] == 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"against": Path("nowhere")}, "--against (=nowhere) must be a checkout of this project, with a folder jaxcnn"),
        (
            {"against": Path(jaxcnn.__file__).parents[1], "markdown": True},
            "must stand without --peer, --plot and --markdown",
        ),
    ],
)
def test_wrong_options_end_with_one_line(script, capsys, options, line):
    with pytest.raises(SystemExit) as stop:
        script.main(script.Ops(**options))
    assert stop.value.code == 2
    assert line in capsys.readouterr().err


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_layers_are_timed_in_other_dtypes(script, tmp_path, dtype):
    before = jax.config.read("jax_enable_x64")
    path = tmp_path / "ops.json"
    options = {"repeats": 1, "seconds": 0, "best": False, "eager": False, "json": path, "dtype": dtype}
    try:
        assert script.main(script.Ops(filter="softmax_cross_entropy, int", parts=("all",), **options)) == 0
    finally:
        jax.config.update("jax_enable_x64", before)
    document = json.loads(path.read_text())
    assert document["dtype"] == document["options"]["dtype"] == dtype
    assert document["rows"][0]["relative_error"] <= {"bfloat16": 2**-6, "float16": 2**-9, "float64": 1e-14}[dtype]


def test_only_floating_arrays_have_the_dtype():
    row = next(row for row in ROWS if row.name == "softmax_cross_entropy, int")
    g, logits, labels = parts.part_args(row, "all", "bfloat16")
    assert (g.dtype, logits.dtype, labels.dtype) == (jnp.bfloat16, jnp.bfloat16, jnp.int32)


def test_the_convolutional_lstm_is_the_formula():
    x, kernel = (np.random.default_rng(n).standard_normal(s) for n, s in enumerate([(1, 3, 4, 5, 2), (1, 1, 5, 12)]))
    y = plain.conv_lstm(jaxcnn.ops, jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32))
    c = h = np.zeros((1, 4, 5, 3))

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    for t in range(3):
        i, f, o, u = np.split(np.concatenate([x[:, t], h], -1) @ kernel[0, 0], 4, -1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(u)
        h = sigmoid(o) * np.tanh(c)
    np.testing.assert_allclose(y, h, rtol=1e-5, atol=1e-6)
