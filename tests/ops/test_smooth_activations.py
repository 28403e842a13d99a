import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import activations

OPS = ("sigmoid", "tanh", "softplus", "log_sigmoid")


class TestSmoothActivations(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(activations.oracle)


POINTS = [-np.inf, -2.0, -0.0, 0.0, 2.0, np.inf, np.nan]


@pytest.mark.parametrize(
    ("fn", "value", "slope"),
    [
        (jaxcnn.sigmoid, [0, 0.11920292, 0.5, 0.5, 0.88079708, 1, np.nan], [0, 0.10499359, 0.25, 0.25, 0.10499359, 0, np.nan]),
        (jaxcnn.tanh, [-1, -0.96402758, 0, 0, 0.96402758, 1, np.nan], [0, 0.07065082, 1, 1, 0.07065082, 0, np.nan]),
        (jaxcnn.softplus, [0, 0.12692801, 0.69314718, 0.69314718, 2.12692801, np.inf, np.nan], [0, 0.11920292, 0.5, 0.5, 0.88079708, 1, np.nan]),
        (jaxcnn.log_sigmoid, [-np.inf, -2.12692801, -0.69314718, -0.69314718, -0.12692801, 0, np.nan],
                             [1, 0.88079708, 0.5, 0.5, 0.11920292, 0, np.nan]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_zeros_infinities_and_nan(fn, value, slope, dtype):
    x = jnp.asarray(POINTS, dtype)
    y, pull = jax.vjp(fn, x)
    rtol = 2e-6 if dtype == jnp.float32 else 4 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(y, np.float64), value, rtol=rtol)
    np.testing.assert_allclose(np.asarray(pull(jnp.ones_like(y))[0], np.float64), slope, rtol=8 * rtol)
    if dtype != jnp.float16:  # which has the code of bfloat16
        assert np.isfinite(jax.vmap(jax.grad(jax.grad(fn)))(x[:-1])).all()


@pytest.mark.parametrize(
    ("fn", "curvature", "third"),
    [(jaxcnn.sigmoid, 0, -1 / 8), (jaxcnn.tanh, 0, -2), (jaxcnn.softplus, 1 / 4, 0), (jaxcnn.log_sigmoid, -1 / 4, 0)],
)
def test_derivatives_at_zero(fn, curvature, third):
    """The rules for half precision take the absolute value of x apart, which must not show at 0."""
    zero = jnp.zeros((), jnp.bfloat16)
    assert jax.grad(jax.grad(fn))(zero) == curvature
    assert jax.grad(jax.grad(jax.grad(fn)))(zero) == third


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_tails_in_half_precision(dtype):
    """At x = 9 the sigmoid rounds to 1, and 1 - y would be 0; exp(-9) is the slope."""
    x = jnp.asarray(9.0, dtype)
    np.testing.assert_allclose(float(jax.grad(jaxcnn.sigmoid)(x)), 1.2337944e-4, rtol=0.004)
    np.testing.assert_allclose(float(jax.grad(jaxcnn.tanh)(x / 2)), 4 * 1.2337944e-4, rtol=0.004)


def test_residuals():
    """One array, the input itself, as in jax.grad: y keeps no digits of a slope where it rounds to 1."""
    for dtype in (jnp.float32, jnp.bfloat16):
        x = jnp.linspace(1.0, 2.0, 12, dtype=dtype).reshape(4, 3)
        for name in OPS:
            (leaf,) = jax.tree.leaves(jax.vjp(getattr(jaxcnn, name), x)[1])
            assert leaf.dtype == dtype
            np.testing.assert_array_equal(leaf, x)


@pytest.mark.parametrize("name", OPS)
def test_integers_are_refused(name):
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        getattr(jaxcnn, name)(jnp.arange(3))
