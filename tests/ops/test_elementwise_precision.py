"""Value, slope and curvature of every elementwise activation, in every dtype, against more digits than it has.

Half precision at every finite number, float32 at numbers of every size, against float64; float64 against mpmath. The
unit is one in the last place of the right number. A slope that crosses 0 elsewhere than at x = 0 has, within 0.25 of
there, an absolute bound in its place. A curvature is compared with the largest one of its function, and, in the tails,
with itself. Subnormal numbers are left aside, as inputs and as results: XLA flushes them to 0.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import reference
from jaxcnn.gradcheck.report import align
from jaxcnn.gradcheck.tolerances import ulp_difference
from tests.oracles.activations import CURVATURES, SLOPES, VALUES
from tests.precision import differences, exact_derivatives, large_enough, numbers, run

HALF_ULP = 2
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
ZEROS = {  # of slopes
    "silu": -1.2784645427610738,
    "mish": -1.1924048,
    "gelu": -0.7524614,
    "gelu, exact": -0.7517915246935645,
    "hard_silu": -1.5,
}
KINKS = (0, 1, 3, 6)  # of a slope or a curvature, on either side


def layer(ops, name, number):
    """Return an activation as a function of one array; that of two arrays with the other one held."""
    op, options = getattr(ops, name.split(",")[0]), OPTIONS.get(name, {})
    return {
        "prelu": lambda x: ops.prelu(x, jnp.asarray(SLOPE, x.dtype)),
        "glu, a": lambda x: ops.glu(jnp.stack([x, number], -1))[..., 0],
        "glu, b": lambda x: ops.glu(jnp.stack([number, x], -1))[..., 0],
    }.get(name, lambda x: op(x, **options))


def right(name, x, number):
    """Return value, slope and curvature in float64."""
    tables = (VALUES, SLOPES, CURVATURES)
    with np.errstate(all="ignore"):
        if name == "prelu":
            return [table["leaky_relu"](x, SLOPE) for table in tables]
        if name == "glu, a":
            return x * VALUES["sigmoid"](number), VALUES["sigmoid"](number), 0 * x
        if name == "glu, b":
            return [number * table["sigmoid"](x) for table in tables]
        return [table[name.split(",")[0]](x, **OPTIONS.get(name, {})) for table in tables]


def half_ulps(found, right, dtype):
    """Return the largest difference from the right numbers, rounded; of a subnormal one, 0 counts as right too."""
    found, smallest = np.asarray(found, np.float64), float(jnp.finfo(dtype).smallest_normal)
    flushed = (right != 0) & (np.abs(right) < smallest) & (np.abs(found) <= smallest)
    return ulp_difference(np.where(flushed, 0, found), np.where(flushed, 0, right.astype(dtype)), dtype)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_every_number_of_half_precision(dtype, record_property):
    with np.errstate(invalid="ignore"):  # of the comparisons with nan
        x = np.arange(2**16, dtype=np.uint16).view(dtype)
        x = x[np.isfinite(x) & (np.abs(x) >= jnp.finfo(dtype).smallest_normal) | (x == 0)]
    rng = np.random.default_rng(0)
    g, number = (rng.standard_normal(x.shape).astype(dtype) for _ in range(2))

    def both(fn, x, g):
        y, pull = jax.vjp(fn, x)
        return y, pull(g)[0]

    @jax.jit
    def program(x, g, number):
        return [{name: both(layer(ops, name, number), x, g) for name in NAMES} for ops in (jaxcnn, reference)]

    mine, theirs = program(x, g, number)
    wide_x, wide_g, wide_number = (a.astype(np.float64) for a in (x, g, number))
    rows, bad = [(f"ULP, {jnp.dtype(dtype)}", "value", "gradient", "jax's value", "jax.grad")], []
    for name in NAMES:
        y, slope, _ = right(name, wide_x, wide_number)
        with np.errstate(all="ignore"):
            pair = (y, wide_g * slope)
            found = [half_ulps(a, b, dtype) for side in (mine, theirs) for a, b in zip(side[name], pair, strict=True)]
        rows.append((name, *(f"{ulp:.3g}" for ulp in found)))
        bad += [name] * (max(found[:2]) > HALF_ULP)
    record_property("table", "\n".join(align(rows)))
    assert not bad


def check_float32(x, record_property):
    number = np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
    wide = x.astype(np.float64)
    rows, bad = [("float32", "value, ULP", "slope, ULP", "slope, eps", "curvature, eps", "curvature, tail")], []
    for name in NAMES:
        found = run(layer(jaxcnn, name, number), x)
        near = np.abs(wide - ZEROS[name]) < 0.25 if name in ZEROS else np.zeros(x.shape, bool)
        smooth = ~np.isin(np.abs(wide), KINKS)
        row, good = differences(found, right(name, wide, number.astype(np.float64)), near, smooth, np.abs(wide) > 6)
        rows.append((name, *(f"{number:.3g}" for number in row)))
        bad += [name] * (not good)
    record_property("table", "\n".join(align(rows)))
    assert not bad


def test_float32(record_property):
    check_float32(numbers(np.float32), record_property)


@pytest.mark.full
def test_every_thousandth_float32(record_property):
    x = np.arange(0, 2**32, 1000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    check_float32(x[large_enough(x)], record_property)


@pytest.mark.parametrize("count", [15, pytest.param(5000, marks=pytest.mark.full)])
def test_float64(count, record_property):
    """The formulas in float64 that judge float32 are judged by the way."""
    pytest.importorskip("mpmath")
    from tests.oracles import exact

    rows, bad = [("float64", "value, ULP", "slope, ULP", "slope, eps", "curvature, eps", "curvature, tail")], []
    for name, fn in exact.ACTIVATIONS.items():
        x = numbers(np.float64, count)
        x = x[x != 0]  # where a function may have a kink
        expected = exact_derivatives(fn, x, exact.derivatives)
        near = np.abs(x - ZEROS[name]) < 0.25 if name in ZEROS else np.zeros(x.shape, bool)
        with jax.enable_x64(True):
            found = run(layer(jaxcnn, name, None), x)
        row, good = differences(found, expected, near, np.isfinite(x), np.abs(x) > 6)
        rows.append((name, *(f"{number:.3g}" for number in row)))
        bad += [name] * (not good)
        formulas = right(name, x, None)
        for mine, theirs in zip(formulas, expected, strict=True):
            size = np.abs(theirs.high) + near
            normal = (np.abs(x) < 300) & (size > 1e-300)
            assert np.all(np.abs(mine - theirs.high)[normal] <= 1e-9 * size[normal]), name
    record_property("table", "\n".join(align(rows)))
    assert not bad


# An activation, x, the order of the derivative, and its value there, from mpmath.
TAILS = [
    ("gelu", -5.0, 0, -2.2917962e-7),
    ("gelu", -5.0, 1, -1.54636199e-6),
    ("gelu", -9.5, 0, -6.67892877e-33),
    ("gelu, exact", -5.0, 0, -1.43325786e-6),
    ("gelu, exact", -9.5, 1, -9.46909347e-20),
    ("gelu, exact", -12.5, 0, -4.66570537e-35),
    ("elu", -20.0, 1, 2.06115362e-9),
    ("celu, alpha 0.7", -40.0, 1, 1.52465809e-25),
    ("selu", -20.0, 1, 3.62371282e-9),
    ("sigmoid", 17.0, 1, 4.13993738e-8),
    ("sigmoid", 17.0, 2, -4.13993703e-8),
    ("tanh", 10.0, 1, 8.24461446e-9),
    ("tanh", -30.0, 1, 3.50260431e-26),
    ("silu", -89.0, 0, -1.98235357e-37),
    ("silu", -90.0, 1, -7.29267124e-38),
    ("mish", -90.0, 1, -7.29267124e-38),
    ("softplus", 17.0, 2, 4.13993738e-8),
    ("log_sigmoid", 40.0, 1, 4.24835426e-18),
    ("squareplus", -1e6, 1, 1e-12),
    ("soft_sign", 1e6, 1, 9.99998e-13),
    ("silu", 20.0, 2, -3.71007649e-8),
]


@pytest.mark.parametrize(("name", "x", "order", "expected"), TAILS)
def test_tails_that_1_minus_y_loses(name, x, order, expected):
    found = run(layer(jaxcnn, name, None), np.asarray([x], np.float32))[order]
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=5e-7)


@pytest.mark.parametrize("name", sorted({name for name, *_ in TAILS} - {"sigmoid", "tanh", "softplus", "log_sigmoid"}))
def test_a_cotangent_may_make_up_for_a_slope_that_is_too_small(name):
    """The slope at x is subnormal or less, and 2^60 times it is a number."""
    x = {"squareplus": -2e19, "soft_sign": 2e19, "celu, alpha 0.7": -70.0}.get(name, -100.0)
    x = {"gelu": -10.8, "gelu, exact": -14.0}.get(name, x)
    _, slope, _ = right(name, np.asarray([x]), None)
    _, pull = jax.vjp(layer(jaxcnn, name, None), np.asarray([x], np.float32))
    (found,) = pull(jnp.asarray([2.0**60], jnp.float32))
    np.testing.assert_allclose(np.asarray(found, np.float64), 2.0**60 * slope, rtol=3e-5)  # x is rounded
