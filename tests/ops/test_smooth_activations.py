import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks, oracles

OPS = ("sigmoid", "tanh", "gelu")


def oracle(case):
    of_number = {
        "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
        "tanh": lambda v: (math.exp(2 * v) - 1) / (math.exp(2 * v) + 1),
        "gelu": lambda v: oracles.gelu(v, case.options.get("approximate", True)),
    }[case.op]
    return np.vectorize(of_number)


class TestSmoothActivations(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(oracle)


def exact_gelu(x):
    return jaxcnn.gelu(x, approximate=False)


POINTS = [-np.inf, -2.0, -0.0, 0.0, 2.0, np.inf, np.nan]


@pytest.mark.parametrize(
    ("fn", "value", "slope"),
    [
        (jaxcnn.sigmoid, [0, 0.11920292, 0.5, 0.5, 0.88079708, 1, np.nan], [0, 0.10499359, 0.25, 0.25, 0.10499359, 0, np.nan]),
        (jaxcnn.tanh, [-1, -0.96402758, 0, 0, 0.96402758, 1, np.nan], [0, 0.07065082, 1, 1, 0.07065082, 0, np.nan]),
        (jaxcnn.gelu, [0, -0.04540231, 0, 0, 1.95459769, np.inf, np.nan], [0, -0.08609926, 0.5, 0.5, 1.08609926, 1, np.nan]),
        (exact_gelu, [0, -0.04550026, 0, 0, 1.95449974, np.inf, np.nan], [0, -0.08523180, 0.5, 0.5, 1.08523180, 1, np.nan]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_zeros_infinities_and_nan(fn, value, slope, dtype):
    x = jnp.asarray(POINTS, dtype)
    y, pull = jax.vjp(fn, x)
    rtol = 2e-6 if dtype == jnp.float32 else 4 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(y, np.float64), value, rtol=rtol)
    np.testing.assert_allclose(np.asarray(pull(jnp.ones_like(y))[0], np.float64), slope, rtol=8 * rtol)


@pytest.mark.parametrize("fn", [jaxcnn.gelu, exact_gelu])
def test_gelu_of_large_numbers(fn):
    """The cube of 1e30 is infinite, and infinity times 0 would be nan."""
    x = jnp.array([-1e30, -1e5, -31.0, 31.0, 1e5, 1e30])
    y, pull = jax.vjp(fn, x)
    np.testing.assert_array_equal(y, jnp.where(x > 0, x, jnp.zeros_like(x)))
    np.testing.assert_array_equal(pull(jnp.ones_like(y))[0], [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(jax.vmap(jax.grad(jax.grad(fn)))(x), 0)


def test_residuals():
    x = jnp.ones((4, 3))
    assert checks.residuals(jaxcnn.sigmoid, x) == ["float32[4, 3]"]
    assert checks.residuals(jaxcnn.tanh, x.astype(jnp.bfloat16)) == ["bfloat16[4, 3]"]
    assert checks.residuals(jaxcnn.gelu, x.astype(jnp.bfloat16)) == ["bfloat16[4, 3]"]
    assert checks.residuals(exact_gelu, x) == ["float32[4, 3]"]


@pytest.mark.parametrize("name", OPS)
def test_integers_are_refused(name):
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        getattr(jaxcnn, name)(jnp.arange(3))


def test_approximate_is_a_static_bool():
    with pytest.raises(TypeError, match=r"approximate \(='tanh'\) must be a static bool"):
        jaxcnn.gelu(jnp.ones(3), "tanh")
    with pytest.raises(TypeError, match=r"approximate \(=.*\) must be a static bool"):
        jax.jit(jaxcnn.gelu)(jnp.ones(3), jnp.array(True))
