"""Half precision: value and gradients of every elementwise loss, at random numbers, against float64 rounded once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import reference
from jaxcnn.gradcheck.report import align
from jaxcnn.gradcheck.tolerances import ulp_difference

ULP = 2
COUNT = 20_000


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def sigmoid(z):
    return np.where(z < 0, np.exp(np.minimum(z, 0)), 1) / (1 + np.exp(-np.abs(z)))


def log_cosh(e):
    large = np.abs(e) + np.log1p(np.exp(-2 * np.abs(e))) - np.log(2)
    return np.where(np.abs(e) < 1e-2, e**2 / 2 - e**4 / 12, large)


def focal(z, y):
    """The loss of a label of 0 or 1, and its slope, with a positive logit for a wrong answer."""
    sign = 1 - 2 * y
    wrong, loss = sigmoid(sign * z), softplus(sign * z)
    return wrong**2 * loss, sign * (wrong**3 + 2 * wrong**2 * sigmoid(-sign * z) * loss)


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
            each = [ulps(x, y, dtype) for x, y in zip(found, right, strict=False)]  # of the labels, where given
            cells += [each[0], max(each[1:])]
        rows.append((name, *(f"{ulp:.3g}" for ulp in cells)))
        bad += [name] * (max(cells[:2]) > ULP)
    record_property("table", "\n".join(align(rows)))
    assert not bad
