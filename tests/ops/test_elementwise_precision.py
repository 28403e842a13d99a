"""Half precision: value and gradient of every elementwise activation, at every finite number, against float64.

Subnormal numbers are left aside, as inputs and as results: XLA flushes them to 0.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import reference
from jaxcnn.gradcheck.report import align
from jaxcnn.gradcheck.tolerances import ulp_difference
from tests.oracles.activations import SLOPES, VALUES

ULP = 2
SLOPE = 0.3125  # of prelu; every dtype holds it
OPTIONS = {
    "elu, alpha 0.7": {"alpha": 0.7},
    "elu, alpha -0.5": {"alpha": -0.5},
    "celu, alpha 0.7": {"alpha": 0.7},
    "gelu, exact": {"approximate": False},
    "leaky_relu, slope 1.5": {"negative_slope": 1.5},
    "squareplus, b 0.1": {"b": 0.1},
}
NAMES = sorted([*SLOPES, *OPTIONS, "prelu", "glu, a", "glu, b"])


def layers(ops, number):
    """Return every activation as a function of one array; those of two arrays with the other one held."""
    found = {}
    for name in NAMES:
        op, options = getattr(ops, name.split(",")[0]), OPTIONS.get(name, {})
        found[name] = {
            "prelu": lambda x: ops.prelu(x, jnp.asarray(SLOPE, x.dtype)),
            "glu, a": lambda x: ops.glu(jnp.stack([x, number], -1))[..., 0],
            "glu, b": lambda x: ops.glu(jnp.stack([number, x], -1))[..., 0],
        }.get(name, lambda x, op=op, options=options: op(x, **options))
    return found


def exact(name, x, number):
    """Return value and slope in float64."""
    if name == "prelu":
        return VALUES["leaky_relu"](x, SLOPE), SLOPES["leaky_relu"](x, SLOPE)
    if name == "glu, a":
        return x * VALUES["sigmoid"](number), VALUES["sigmoid"](number)
    if name == "glu, b":
        return number * VALUES["sigmoid"](x), number * SLOPES["sigmoid"](x)
    op, options = name.split(",")[0], OPTIONS.get(name, {})
    return VALUES[op](x, **options), SLOPES[op](x, **options)


def run(ops, x, g, number):
    """Return value and gradient of every activation, by one compiled program."""

    def both(fn, x, g):
        y, pull = jax.vjp(fn, x)
        return y, pull(g)[0]

    def program(x, g, number):
        return {name: both(fn, x, g) for name, fn in layers(ops, number).items()}

    return jax.jit(program)(x, g, number)


def ulps(found, right, dtype):
    """Return the largest difference from the right numbers, rounded; of a subnormal one, 0 counts as right too."""
    found, smallest = np.asarray(found, np.float64), float(jnp.finfo(dtype).smallest_normal)
    flushed = (right != 0) & (np.abs(right) < smallest) & (np.abs(found) <= smallest)
    return ulp_difference(np.where(flushed, 0, found), np.where(flushed, 0, right.astype(dtype)), dtype)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_every_number(dtype, record_property):
    with np.errstate(invalid="ignore"):  # of the comparisons with nan
        x = np.arange(2**16, dtype=np.uint16).view(dtype)
        x = x[np.isfinite(x) & (np.abs(x) >= jnp.finfo(dtype).smallest_normal) | (x == 0)]
    rng = np.random.default_rng(0)
    g, number = (rng.standard_normal(x.shape).astype(dtype) for _ in range(2))
    mine, theirs = (run(ops, x, g, number) for ops in (jaxcnn, reference))
    wide_x, wide_g, wide_number = (a.astype(np.float64) for a in (x, g, number))
    rows, bad = [(f"ULP, {jnp.dtype(dtype)}", "value", "gradient", "jax's value", "jax.grad")], []
    for name in NAMES:
        with np.errstate(all="ignore"):
            y, slope = exact(name, wide_x, wide_number)
            right = (y, wide_g * slope)
            found = [ulps(a, b, dtype) for side in (mine, theirs) for a, b in zip(side[name], right, strict=True)]
        rows.append((name, *(f"{ulp:.3g}" for ulp in found)))
        bad += [name] * (max(found[:2]) > ULP)
    record_property("table", "\n".join(align(rows)))
    assert not bad
