import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import activations

OPS = ("soft_sign", "squareplus")


class TestAlgebraicActivations(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(activations.oracle)


def squareplus(x):
    return jaxcnn.squareplus(x, 9.0)


POINTS = [-np.inf, -4.0, -0.0, 0.0, 4.0, np.inf, np.nan]


@pytest.mark.parametrize(
    ("fn", "value", "slope"),
    [
        (jaxcnn.soft_sign, [-1, -0.8, 0, 0, 0.8, 1, np.nan], [0, 0.04, 1, 1, 0.04, 0, np.nan]),
        (squareplus, [0, 0.5, 1.5, 1.5, 4.5, np.inf, np.nan], [0, 0.1, 0.5, 0.5, 0.9, 1, np.nan]),
    ],
)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_zeros_infinities_and_nan(fn, value, slope, dtype):
    x = jnp.asarray(POINTS, dtype)
    y, pull = jax.vjp(fn, x)
    rtol = 2 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(y, np.float64), value, rtol=rtol)
    np.testing.assert_allclose(np.asarray(pull(jnp.ones_like(y))[0], np.float64), slope, rtol=rtol)
    if dtype != jnp.float16:  # which has the code of bfloat16
        assert np.isfinite(jax.vmap(jax.grad(jax.grad(fn)))(x[:-1])).all()


@pytest.mark.parametrize("fn", [jaxcnn.soft_sign, jaxcnn.squareplus])
def test_large_numbers(fn):
    """The square of 1e30 is infinite."""
    x = jnp.array([-3e38, -1e30, -1e19, 1e19, 1e30, 3e38])
    limit = jnp.sign(x) if fn is jaxcnn.soft_sign else jnp.where(x > 0, x, 1 / jnp.abs(x))
    y, pull = jax.vjp(fn, x)
    np.testing.assert_allclose(y, limit, rtol=1e-6, atol=1e-37)
    rising = 0 if fn is jaxcnn.soft_sign else x > 0
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0], rising, rtol=1e-6, atol=1e-37)
    np.testing.assert_array_equal(jax.vmap(jax.grad(jax.grad(fn)))(x), 0)


def test_derivatives_at_zero():
    assert jax.grad(jax.grad(jaxcnn.soft_sign))(0.0) == jax.grad(jax.grad(jax.nn.soft_sign))(0.0) == -2
    assert jax.grad(jax.grad(squareplus))(0.0) == jnp.float32(1 / 6)
    assert jax.hessian(lambda x: squareplus(x) ** 2)(0.0) == 1  # 2 (1/2)^2 + 2 (3/2) (1/6)


def test_residuals():
    x = jnp.ones((4, 3))
    for fn in (jaxcnn.soft_sign, jaxcnn.squareplus):
        assert checks.residuals(fn, x) == ["float32[4, 3]"]
        assert checks.residuals(fn, x.astype(jnp.bfloat16)) == ["bfloat16[4, 3]"]


@pytest.mark.parametrize("name", OPS)
def test_integers_are_refused(name):
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        getattr(jaxcnn, name)(jnp.arange(3))


def test_b_is_a_static_number_in_range():
    with pytest.raises(TypeError, match=r"b \(=.*\) must be a static number"):
        jax.jit(jaxcnn.squareplus)(jnp.ones(3), jnp.array(4.0))
    for b in (0, -1.0, 1e30, np.nan):
        with pytest.raises(ValueError, match=rf"b \(={float(b)!r}\) must be from 2\^-60 to 2\^60".replace("+", r"\+")):
            jaxcnn.squareplus(jnp.ones(3), b)
