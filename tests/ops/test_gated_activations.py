import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import activations

OPS = ("silu", "mish", "gelu", "glu")


class TestGatedActivations(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(activations.oracle)


def exact_gelu(x):
    return jaxcnn.gelu(x, approximate=False)


def glu_of_two(x):
    """Return 2 sigmoid(x)."""
    return jaxcnn.glu(jnp.stack([jnp.full_like(x, 2), x], -1))[..., 0]


GATES = [jaxcnn.silu, jaxcnn.mish, jaxcnn.gelu, exact_gelu]
POINTS = [-np.inf, -2.0, -0.0, 0.0, 2.0, np.inf, np.nan]


@pytest.mark.parametrize(
    ("fn", "value", "slope"),
    [
        (jaxcnn.silu, [0, -0.23840584, 0, 0, 1.76159416, np.inf, np.nan], [0, -0.09078425, 0.5, 0.5, 1.09078425, 1, np.nan]),
        (jaxcnn.mish, [0, -0.25250148, 0, 0, 1.94395896, np.inf, np.nan], [0, -0.10835509, 0.6, 0.6, 1.06931793, 1, np.nan]),
        (jaxcnn.gelu, [0, -0.04540231, 0, 0, 1.95459769, np.inf, np.nan], [0, -0.08609926, 0.5, 0.5, 1.08609926, 1, np.nan]),
        (exact_gelu, [0, -0.04550026, 0, 0, 1.95449974, np.inf, np.nan], [0, -0.08523180, 0.5, 0.5, 1.08523180, 1, np.nan]),
        (glu_of_two, [0, 0.23840584, 1, 1, 1.76159416, 2, np.nan], [0, 0.20998717, 0.5, 0.5, 0.20998717, 0, np.nan]),
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


@pytest.mark.parametrize("fn", GATES)
def test_large_numbers(fn):
    """The cube of 1e30 is infinite, and infinity times 0 would be nan."""
    x = jnp.array([-1e30, -1e5, -200.0, 200.0, 1e5, 1e30])
    y, pull = jax.vjp(fn, x)
    np.testing.assert_array_equal(y, jnp.where(x > 0, x, jnp.zeros_like(x)))
    np.testing.assert_array_equal(pull(jnp.ones_like(y))[0], [0, 0, 0, 1, 1, 1])
    np.testing.assert_allclose(jax.vmap(jax.grad(jax.grad(fn)))(x), 0, atol=1e-34)


@pytest.mark.parametrize(
    ("fn", "x", "value", "slope"),
    [
        (jaxcnn.silu, -89.5, -1.2011566e-37, -1.1877351e-37),
        (jaxcnn.mish, -89.5, -1.2011566e-37, -1.1877351e-37),
        (jaxcnn.gelu, -9.9375, -1.6e-36, -3.6e-34),
        (exact_gelu, -13.0625, -3.5e-38, -4.6e-37),
    ],
)
def test_gates_that_are_too_small_for_bfloat16(fn, x, value, slope):
    x = jnp.asarray(x, jnp.bfloat16)
    assert float(fn(x)) == pytest.approx(value, rel=0.05)
    assert float(jax.grad(fn)(x)) == pytest.approx(slope, rel=0.05)


def test_curvature_at_zero():
    """The rules take the sign of x apart, which must not show at 0."""
    for fn, curvature in zip(GATES, (0.5, 0.64, 0.7978846, 0.7978846), strict=True):
        np.testing.assert_allclose(jax.grad(jax.grad(fn))(0.0), curvature, rtol=1e-6)


def test_both_halves_of_glu():
    """Value 3 sigmoid(1), da = 2 sigmoid(1), db = 6 sigmoid'(1)."""
    y, pull = jax.vjp(lambda x: jaxcnn.glu(x, 0), jnp.array([[3.0], [1.0]]))
    np.testing.assert_allclose(y, [[3 * 0.73105858]], rtol=1e-6)
    np.testing.assert_allclose(pull(2 * jnp.ones((1, 1)))[0], [[2 * 0.73105858], [6 * 0.19661193]], rtol=1e-6)


def test_residuals():
    x = jnp.ones((4, 6))
    for fn in (*GATES, jaxcnn.glu):
        assert checks.residuals(fn, x) == ["float32[4, 6]"]
        assert checks.residuals(fn, x.astype(jnp.bfloat16)) == ["bfloat16[4, 6]"]


@pytest.mark.parametrize("name", OPS)
def test_integers_are_refused(name):
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        getattr(jaxcnn, name)(jnp.arange(4))


def test_approximate_is_a_static_bool():
    with pytest.raises(TypeError, match=r"approximate \(='tanh'\) must be a static bool"):
        jaxcnn.gelu(jnp.ones(3), "tanh")
    with pytest.raises(TypeError, match=r"approximate \(=.*\) must be a static bool"):
        jax.jit(jaxcnn.gelu)(jnp.ones(3), jnp.array(True))


@pytest.mark.parametrize(
    ("shape", "axis", "error", "message"),
    [
        ((2, 3), -1, ValueError, r"axis \(=-1\) must have an even size, in an array of shape \(2, 3\)"),
        ((2, 3), 2, ValueError, r"axis \(=2\) must name different axes of an array of rank 2"),
        ((2, 0), 1, ValueError, r"axis \(=1\) must have elements, in an array of shape \(2, 0\)"),
        ((2, 2), 0.5, TypeError, r"axis \(=0.5\) must be an int"),
        ((2, 2), (0, 1), TypeError, r"axis \(=\(0, 1\)\) must be an int"),
    ],
)
def test_an_axis_that_glu_cannot_halve_is_refused(shape, axis, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.glu(jnp.ones(shape), axis)
