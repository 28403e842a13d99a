"""The README is true: its Python runs, its commands are CI's, its table is computed."""

import json
import re
import subprocess
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcnn
from jaxcnn.benchmark import plain, tables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[-1])
def test_python_blocks_run(block, capsys):
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out


def test_the_example_learns_and_has_about_twenty_lines(capsys):
    exec(compile(BLOCKS[0], "README.md", "exec"), {"__name__": "readme"})
    assert float(capsys.readouterr().out.split()[1]) < np.log(2)
    lines = [line for line in BLOCKS[0].splitlines() if line.strip() and not line.startswith("import ")]
    assert len(lines) <= 20


def test_ci_runs_every_command():
    """`.ci/run` takes the sh blocks from the README; what is fenced otherwise would not be run."""
    fences = re.findall(r"^```(\w*)$", README, re.MULTILINE)
    assert set(fences) == {"sh", "python", ""}
    assert fences.count("sh") >= 5
    extraction = re.search(r"^awk '.*' README\.md", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)[0]
    commands = subprocess.run(["bash", "-c", extraction], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert commands == "".join(re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))


def numbers(values):
    return "[" + ", ".join(f"{float(v):.4g}" for v in np.ravel(values)) + "]"


def bias_gradient(ops):
    g = jnp.full((64, 32, 32, 8), 0.01, jnp.bfloat16)
    return jax.vjp(lambda b: ops.bias_add(jnp.zeros_like(g), b), jnp.zeros(8, jnp.bfloat16))[1](g)[0][0]


def average(ops):
    return ops.avg_pool(jnp.full((32, 32, 1), 0.01, jnp.bfloat16), (32, 32)).item()


def at_nan(ops):
    x = jnp.array([[1.0, jnp.nan], [3.0, 2.0]]).reshape(2, 2, 1)
    return jax.grad(lambda x: ops.max_pool(x, (2, 2)).sum())(x)


def at_infinity(ops):
    x = jnp.full((2, 2, 1), -jnp.inf)
    return jax.grad(lambda x: ops.max_pool(x, (3, 3), padding="SAME").sum())(x)


def ruled_out(cross_entropy):
    return cross_entropy(jnp.array([-jnp.inf, 0.0, 0.0]), jnp.array([0.0, 1.0, 0.0]))


def label_below_zero(cross_entropy):
    return cross_entropy(jnp.zeros(3), jnp.array(-1))


def spread(batch_norm):
    x = 1e4 + jax.random.normal(jax.random.key(0), (16, 8, 8, 4))
    return jnp.std(batch_norm(x, jnp.ones(4), jnp.zeros(4)))


def constant(ops):
    """In float32 the mean of these is off by one digit, in whatever order they are added."""
    return jnp.abs(ops.layer_norm(jnp.full(11, 3333.33), jnp.ones(11), jnp.zeros(11))).max()


def angle(ops):
    return ops.cosine_similarity(jnp.array([3e-20, 4e-20]), jnp.array([4e-20, 3e-20]))


def slopes(ops):
    return [jax.grad(getattr(ops, name))(x) for name, x in (("elu", -20.0), ("sigmoid", 17.0), ("tanh", 12.0))]


def certain(ops):
    return ops.sigmoid_binary_cross_entropy(jnp.array(jnp.inf), jnp.array(1.0))


def infinite(ops):
    return ops.huber_loss(jnp.array(jnp.inf), jnp.array(0.0), delta=np.inf)


def class_numbers(ops):
    try:
        return numbers(ops.softmax_cross_entropy(jnp.zeros((3, 3)), jnp.array([0, 1, 2])))
    except ValueError as error:
        return type(error).__name__


def four_digits(*pairs):
    """Exact numbers as the right column shows them; those of the layers beside them must agree to a millionth."""
    for exact, found in pairs:
        np.testing.assert_allclose(np.ravel(found), np.ravel(exact), rtol=1e-6)
    return [numbers(exact) if np.ndim(exact) else f"{exact:.4g}" for exact, _ in pairs]


def of_the_rest():
    """Both columns of the rows whose exact number has a formula, in float64."""
    minus_five = -2.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (-5 - 0.044715 * 125), dtype=np.longdouble))
    exact = [np.exp(-20.0), 1 / (2 + 2 * np.cosh(17.0)), np.cosh(12.0) ** -2]
    right = four_digits(
        (0.0, constant(jaxcnn)),
        ([1.0, -1.0], jaxcnn.layer_norm(jnp.array([1e20, -1e20]))),
        (24 / 25, angle(jaxcnn)),
        (minus_five, jaxcnn.gelu(jnp.array(-5.0))),
        (exact, slopes(jaxcnn)),
        (1e20, jaxcnn.squareplus(jnp.array(1e20))),
        (np.log(np.cosh(np.longdouble(1e-4))), jaxcnn.log_cosh(jnp.array(1e-4), jnp.array(0.0))),
        (0.0, certain(jaxcnn)),
        (np.inf, infinite(jaxcnn)),
    )
    today = [
        f"variance as the mean of (x - mean)^2: {constant(jaxcnn.reference):.4g}",
        f"`jax.nn.standardize`: {numbers(jax.nn.standardize(jnp.array([1e20, -1e20])))}",
        f"optax: {angle(optax):.4g}",
        f"`jax.nn`: {jax.nn.gelu(jnp.array(-5.0)):.4g}",
        f"`jax.grad` of `jax.nn`: {numbers(slopes(jax.nn))}",
        f"`jax.nn`: {jax.nn.squareplus(jnp.array(1e20)):.4g}",
        f"optax: {optax.log_cosh(jnp.array(1e-4), jnp.array(0.0)):.4g}",
        f"optax: {certain(optax):.4g}",
        f"optax: {infinite(optax):.4g}",
    ]
    return [*zip(right, today, strict=True), (class_numbers(jaxcnn), f"optax: {class_numbers(optax)}")]


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the right column of the table is that of a CPU")
def test_the_table_of_wrong_numbers():
    reference, integer = jaxcnn.reference, "softmax_cross_entropy_with_integer_labels"
    rows = [
        (f"{bias_gradient(jaxcnn):g}", f"`jax.grad`: {bias_gradient(reference):g}"),
        (f"{average(jaxcnn):.4g}", f"summed in bfloat16, as flax does: {average(reference):.4g}"),
        (numbers(at_nan(jaxcnn)), f"`jax.grad`: {numbers(at_nan(reference))}"),
        (numbers(at_infinity(jaxcnn)), f"`jax.grad`: {numbers(at_infinity(reference))}"),
        (f"{ruled_out(jaxcnn.softmax_cross_entropy):.4g}", f"optax: {ruled_out(optax.softmax_cross_entropy):.4g}"),
        (
            f"{label_below_zero(getattr(jaxcnn, integer)):.4g}",
            f"optax: {label_below_zero(getattr(optax, integer)):.4g}",
        ),
        (
            f"{spread(lambda *args: jaxcnn.batch_norm(*args)[0]):.4g}",
            f"variance as E[x^2] - E[x]^2, as flax does: {spread(plain.batch_norm):.4g}",
        ),
        *of_the_rest(),
    ]
    table = re.findall(
        r"^\| .* \| (.*) \| (.*) \|$", README.partition("## Right where")[2].partition("## ")[0], re.MULTILINE
    )
    assert table[1:] == rows


def test_the_table_of_networks_of_other_libraries_is_what_the_benchmark_wrote():
    section = README.partition("## Networks of other libraries")[2].partition("\n## ")[0]
    document = json.loads((ROOT / "scripts" / "results" / "accelerate-cpu-2-cores.json").read_text())
    assert (
        re.findall(r"^\|.*\|$", section, re.MULTILINE) == tables.markdown("accelerate", document["rows"]).splitlines()
    )
    (fast,) = [row for row in document["rows"] if row["row"] == "keras MobileNetV2"]
    assert f"{fast['default']['ratio']['median']:.1f} times" in section


def test_the_tables_of_speed_are_what_the_benchmark_wrote():
    """Every line, and of `models` all lines, come from the numbers in scripts/results/."""
    section = README.partition("## Fast")[2].partition("\n## ")[0]
    shown, words = re.findall(r"^\|.*\|$", section, re.MULTILINE), " ".join(section.split())
    printed = {}
    for command in ("models", "ops"):
        document = json.loads((ROOT / "scripts" / "results" / f"{command}-cpu-2-cores.json").read_text())
        printed[command] = tables.markdown(command, document["rows"]).splitlines()
        assert document["jax"] in section
        assert document["cpu"] in section
    apart = [row["default"] for row in document["rows"] if not row["default"]["same_program"]]
    below = sum(pair["ratio"]["median"] < 0.95 for pair in apart)
    assert f"{below} of the {len(apart)} parts that are not equal programs have a median below 0.95" in words
    ahead = [line.partition(":")[0].rpartition(" ")[2] for line in document["summary"]["slower"]]
    default, best, parts = ahead.count("default"), ahead.count("best"), len(document["rows"])
    assert (best, default) == (16, 16)  # which the README names one by one
    assert f"`jax.grad` is ahead on {default} of the {parts} parts by default, and on {best} where" in words
    assert shown[: len(printed["models"])] == printed["models"]
    assert shown[len(printed["models"])] == printed["ops"][0]
    assert set(shown) <= {*printed["models"], *printed["ops"]}
    assert len(shown) > 30
