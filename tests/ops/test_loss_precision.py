"""Value and gradients of every elementwise loss, in every dtype, against more digits than it has.

Half precision and float32 against float64, rounded once, and float64 against mpmath, where the loss has exponentials.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import reference
from jaxcnn.gradcheck.report import align
from jaxcnn.gradcheck.tolerances import ulp_difference
from tests.precision import ULP as FLOAT32_ULP
from tests.precision import Right, differences, exact_derivatives, large_enough, numbers, off_by
from tests.precision import run as derivatives_of

ULP = 2
COUNT = 20_000


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def sigmoid(z):
    return np.where(z < 0, np.exp(np.minimum(z, 0)), 1) / (1 + np.exp(-np.abs(z)))


def log_cosh(e):
    large = np.abs(e) + np.log1p(np.exp(-2 * np.abs(e))) - np.log(2)
    return np.where(np.abs(e) < 1e-2, e**2 / 2 - e**4 / 12, large)


def focal(z, y, gamma=2):
    """The loss of a label of 0 or 1, and its slopes, with a positive logit for a wrong answer."""
    sign = 1 - 2 * y
    wrong, right, loss = sigmoid(sign * z), sigmoid(-sign * z), softplus(sign * z)
    slope = wrong ** (gamma + 1) + gamma * wrong**gamma * right * loss
    of_power = -gamma * np.sign(z) * np.tanh(np.abs(z) / 2) * wrong ** (gamma - 1) * loss  # wrong' = 1 - 2 p
    return wrong**gamma * loss, sign * slope, wrong**gamma * -z + of_power


def focal_curvature(z, y, gamma=2):
    sign = 1 - 2 * y
    wrong, right, loss = sigmoid(sign * z), sigmoid(-sign * z), softplus(sign * z)
    return wrong**gamma * right * ((2 * gamma + 1) * wrong + gamma * loss * (gamma * right - wrong))


# Name: value and slopes of two arrays, and whether the second is 0 or 1.
LOSSES = {
    "squared_error": (lambda a, b: ((a - b) ** 2, 2 * (a - b), 2 * (b - a)), False),
    "l2_loss": (lambda a, b: ((a - b) ** 2 / 2, a - b, b - a), False),
    "absolute_error": (lambda a, b: (np.abs(a - b), np.sign(a - b), np.sign(b - a)), False),
    "huber_loss": (
        lambda a, b: (
            np.where(np.abs(a - b) < 1, (a - b) ** 2 / 2, np.abs(a - b) - 0.5),
            np.clip(a - b, -1, 1),
            np.clip(b - a, -1, 1),
        ),
        False,
    ),
    "log_cosh": (lambda a, b: (log_cosh(a - b), np.tanh(a - b), np.tanh(b - a)), False),
    "hinge_loss": (lambda a, b: (np.maximum(1 - a * b, 0), -b * (a * b < 1), -a * (a * b < 1)), False),
    "sigmoid_binary_cross_entropy": (
        lambda z, y: (softplus((1 - 2 * y) * z), (1 - 2 * y) * sigmoid((1 - 2 * y) * z), -z),
        True,
    ),
    "sigmoid_focal_loss": (focal, True),
}


def drawn(dtype, binary):
    """Return two arrays and a cotangent, of numbers of every size up to some tens."""
    rng = np.random.default_rng(0)
    a, b, g = (rng.standard_normal(COUNT) * 2.0 ** rng.integers(-6, 6, COUNT) for _ in range(3))
    b = rng.integers(0, 2, COUNT) if binary else np.where(rng.random(COUNT) < 0.1, a, b)
    return [x.astype(dtype) for x in (a, b, g)]


def run(ops, name, a, b, g):
    """Return the value and the gradients."""
    y, pull = jax.vjp(getattr(ops, name), a, b)
    return y, *pull(g)


def ulps(found, right, dtype):
    """Return the largest difference from the right numbers, rounded; results below the normal numbers are left aside."""
    normal = np.abs(right) >= float(jnp.finfo(dtype).smallest_normal)
    found, right = np.where(normal, np.asarray(found, np.float64), 0), np.where(normal, right, 0)
    return ulp_difference(found, right.astype(dtype), dtype)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_losses_of_random_numbers(dtype, record_property):
    rows, bad = [(f"ULP, {jnp.dtype(dtype)}", "value", "gradients", "jax's value", "jax.grad")], []
    for name, (exact, binary) in LOSSES.items():
        a, b, g = drawn(dtype, binary)
        wide = [x.astype(np.float64) for x in (a, b, g)]
        value, *slopes = exact(*wide[:2])
        right = [value, *(wide[2] * slope for slope in slopes)]
        cells = []
        for ops in (jaxcnn, reference):
            found = jax.jit(run, static_argnums=(0, 1))(ops, name, a, b, g)
            each = [ulps(x, y, dtype) for x, y in zip(found, right, strict=True)]
            cells += [each[0], max(each[1:])]
        rows.append((name, *(f"{ulp:.3g}" for ulp in cells)))
        bad += [name] * (max(cells[:2]) > ULP)
    record_property("table", "\n".join(align(rows)))
    assert not bad


def swept(binary):
    """Return two arrays of float32: numbers of every size, beside labels, or others of about their size."""
    a = numbers(np.float32, COUNT)
    a = np.where(np.abs(a) < 1e-35, np.float32(1), a)  # differences and products of smaller ones are subnormal
    rng = np.random.default_rng(1)
    if binary:
        return a, rng.integers(0, 2, a.size).astype(np.float32)
    b = np.where(rng.random(a.size) < 0.5, 1, rng.standard_normal(a.size) * np.minimum(np.abs(a), 1e30))
    return a, np.where(large_enough(b.astype(np.float32)), b, 0).astype(np.float32)


def float32_rows(name, exact, a, b, **options):
    """Return the differences of value and slopes in ULP, less near the margin of the hinge, the one zero but 0."""
    value, pull = jax.vjp(lambda a, b: getattr(jaxcnn, name)(a, b, **options), a, b)
    with np.errstate(all="ignore"):
        right = exact(a.astype(np.float64), b.astype(np.float64))
        near = np.abs(1 - a.astype(np.float64) * b) < 0.25 if name == "hinge_loss" else np.zeros(a.shape, bool)
    rows = [
        off_by(np.asarray(x), Right(np.asarray(y, np.float64)))
        for x, y in zip((value, *pull(jnp.ones_like(value))), right, strict=True)
    ]
    return [np.max(difference / unit, where=~near, initial=0) for difference, unit in rows]


def test_losses_in_float32(record_property):
    rows, bad = [("ULP, float32", "value", "gradients")], []
    cases = [(name, exact, binary, {}) for name, (exact, binary) in LOSSES.items()]
    cases += [
        ("sigmoid_focal_loss", functools.partial(focal, gamma=gamma), True, {"gamma": gamma})
        for gamma in (0.0, 0.5, 1.5, 3.0)
    ]
    for name, exact, binary, options in cases:
        value, *slopes = float32_rows(name, exact, *swept(binary), **options)
        rows.append((f"{name} {options or ''}", f"{value:.3g}", f"{max(slopes):.3g}"))
        bound = FLOAT32_ULP + max(options.get("gamma", 0) - 2, 0)  # the rounding of a power grows with it
        bad += [name] * int(max(value, *slopes) > bound)
    record_property("table", "\n".join(align(rows)))
    assert not bad


# The loss of one array, and its value, slope and curvature; for float64, by mpmath, the name in tests.oracles.exact.
SMOOTH = {
    "log_cosh": (
        jaxcnn.log_cosh,
        lambda e: (log_cosh(e), np.tanh(e), 1 / np.cosh(e) ** 2),
    ),
    **{
        f"sigmoid_binary_cross_entropy, {y}": (
            lambda z, y=y: jaxcnn.sigmoid_binary_cross_entropy(z, jnp.full_like(z, y)),
            lambda z, y=y: (
                softplus((1 - 2 * y) * z),
                (1 - 2 * y) * sigmoid((1 - 2 * y) * z),
                sigmoid(z) * sigmoid(-z),
            ),
        )
        for y in (0, 1)
    },
    **{
        f"sigmoid_focal_loss, {y}": (
            lambda z, y=y: jaxcnn.sigmoid_focal_loss(z, jnp.full_like(z, y)),
            lambda z, y=y: (*focal(z, y)[:2], focal_curvature(z, y)),
        )
        for y in (0, 1)
    },
    "sigmoid_focal_loss, 0, gamma 1.5": (
        lambda z: jaxcnn.sigmoid_focal_loss(z, jnp.zeros_like(z), gamma=1.5),
        lambda z: (*focal(z, 0, 1.5)[:2], focal_curvature(z, 0, 1.5)),
    ),
}


def check_curvatures(x, right_of, record_property):
    rows, bad = [(str(x.dtype), "value, ULP", "slope, ULP", "slope, eps", "curvature, eps", "curvature, tail")], []
    least = float(np.finfo(x.dtype).smallest_normal) * 2.0**20  # a focal loss adds up terms of several sizes
    for name, (fn, formulas) in SMOOTH.items():
        with jax.enable_x64(x.dtype == np.float64):
            found = derivatives_of(fn, x)
        near = np.zeros(x.shape, bool)
        row, good = differences(found, right_of(name, formulas), near, x != 0, np.abs(x) > 6, least)
        rows.append((name, *(f"{number:.3g}" for number in row)))
        bad += [name] * (not good)
    record_property("table", "\n".join(align(rows)))
    assert not bad


def test_curvatures_of_losses_in_float32(record_property):
    x = numbers(np.float32)

    def right_of(name, formulas):
        with np.errstate(all="ignore"):
            return formulas(x.astype(np.float64))

    check_curvatures(x, right_of, record_property)


@pytest.mark.parametrize("count", [12, pytest.param(5000, marks=pytest.mark.full)])
def test_losses_in_float64(count, record_property):
    pytest.importorskip("mpmath")
    from tests.oracles import exact

    x = numbers(np.float64, count)
    check_curvatures(x, lambda name, _: exact_derivatives(exact.LOSSES[name], x, exact.derivatives), record_property)
