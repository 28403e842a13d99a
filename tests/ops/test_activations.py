import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.gradcheck.cases import cases_of
from tests import checks
from tests.oracles import activations

OPS = ("relu", "relu6", "leaky_relu", "prelu")


class TestActivations(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(activations.oracle)


def halving(x):
    return jaxcnn.prelu(x, jnp.asarray(0.5, x.dtype))


def test_the_cases_reach_all_pieces_of_relu6():
    (case,) = cases_of("relu6")
    (x,) = case.args(jnp.float32)
    assert min((x < 0).sum(), ((x > 0) & (x < 6)).sum(), (x > 6).sum()) >= 10


POINTS = [-np.inf, -2.0, -0.0, 0.0, 2.0, 6.0, 7.0, np.inf, np.nan]


@pytest.mark.parametrize(
    ("fn", "value", "slope"),
    [
        (jaxcnn.relu, [0, 0, 0, 0, 2, 6, 7, np.inf, np.nan], [0, 0, 0, 0, 1, 1, 1, 1, 0]),
        (jaxcnn.relu6, [0, 0, 0, 0, 2, 6, 6, 6, np.nan], [0, 0, 0, 0, 1, 0, 0, 0, 0]),
        (jaxcnn.leaky_relu, [-np.inf, -0.02, 0, 0, 2, 6, 7, np.inf, np.nan], [0.01, 0.01, 1, 1, 1, 1, 1, 1, 0.01]),
        (halving, [-np.inf, -1, 0, 0, 2, 6, 7, np.inf, np.nan], [0.5, 0.5, 1, 1, 1, 1, 1, 1, 0.5]),
    ],
)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_kinks_infinities_and_nan(fn, value, slope, dtype):
    x = jnp.asarray(POINTS, dtype)
    y, pull = jax.vjp(fn, x)
    rtol = 1e-6 if dtype == jnp.float32 else 4 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(y, np.float64), value, rtol=rtol)
    np.testing.assert_allclose(np.asarray(pull(jnp.ones_like(y))[0], np.float64), slope, rtol=8 * rtol)


@pytest.mark.parametrize(
    ("fn", "at_zero"), [(jaxcnn.relu, 0.0), (jaxcnn.relu6, 0.0), (jaxcnn.leaky_relu, 2.0), (halving, 2.0)]
)
def test_hessian_at_the_kink_and_at_nan(fn, at_zero):
    """The square of the activation curves by twice the square of the chosen slope, 0 or 1 at 0."""
    for x, curvature in ((0.0, at_zero), (1.0, 2.0)):
        assert jax.hessian(lambda x: fn(x) ** 2)(jnp.array(x)) == curvature
    assert jax.grad(jax.grad(jaxcnn.relu))(jnp.array(np.nan)) == 0


def test_hessian_at_the_upper_kink_of_relu6():
    curvatures = [jax.hessian(lambda x: jaxcnn.relu6(x) ** 2)(jnp.array(x)) for x in (5.0, 6.0, 7.0)]
    np.testing.assert_array_equal(curvatures, [2, 0, 0])
    assert jax.grad(jax.grad(jaxcnn.relu6))(jnp.array(np.nan)) == 0


@pytest.mark.parametrize(
    ("fn", "points", "slopes"),
    [(jaxcnn.relu, (-1.0, 0.0, 1.0, np.nan), (0, 0, 1, 0)), (jaxcnn.relu6, (0.0, 1.0, 6.0, np.nan), (0, 1, 0, 0))],
)
def test_a_nan_has_no_curvature_of_its_own(fn, points, slopes):
    mixed = jax.jacfwd(jax.grad(lambda x, w: w * fn(x)), argnums=1)
    np.testing.assert_array_equal([mixed(jnp.array(x), jnp.array(2.0)) for x in points], slopes)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_the_gradient_of_a_slope_is_summed_in_float32(dtype):
    """Summed in bfloat16, 65536 products of -0.01 would end at -8."""
    x = jnp.full((64, 32, 32, 2), -0.0625, dtype)
    for slope in (jnp.zeros((), dtype), jnp.zeros(2, dtype)):
        dslope = jax.vjp(lambda s: jaxcnn.prelu(x, s), slope)[1](jnp.full(x.shape, 0.125, dtype))[0]
        np.testing.assert_array_equal(np.asarray(dslope, np.float32), -1024.0 / (1 + slope.ndim))


def test_the_gradient_of_a_slope_at_infinity():
    x = jnp.array([[-np.inf, 1.0], [2.0, np.inf]])
    dslope = jax.vjp(lambda s: jaxcnn.prelu(x, s), jnp.ones(2))[1](jnp.ones((2, 2)))[0]
    np.testing.assert_array_equal(dslope, [-np.inf, 0])


def test_residuals():
    x = jnp.ones((4, 3))
    assert checks.residuals(jaxcnn.prelu, x, jnp.ones(3)) == ["float32[3]", "float32[4, 3]"]
    assert checks.residuals(jaxcnn.relu, x) == ["bool[4, 3]"]
    assert checks.residuals(jaxcnn.relu6, x.astype(jnp.bfloat16)) == ["bfloat16[4, 3]"]
    assert checks.residuals(jaxcnn.leaky_relu, x) == ["bool[4, 3]"]


@pytest.mark.parametrize("name", OPS)
def test_integers_are_refused(name):
    slope = (jnp.ones(3),) * (name == "prelu")
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        getattr(jaxcnn, name)(jnp.arange(3), *slope)


@pytest.mark.parametrize(
    ("x", "slope", "error", "message"),
    [
        (jnp.ones((2, 3)), jnp.ones(2), ValueError, r"negative_slope shape \(=\(2,\)\) must be \[C\] for the last axis of x"),
        (jnp.ones((2, 3)), jnp.ones((2, 3)), ValueError, r"negative_slope shape \(=\(2, 3\)\) must be \[C\]"),
        (jnp.ones(()), jnp.ones(1), ValueError, r"negative_slope shape \(=\(1,\)\) must be \[C\]"),
        (jnp.ones((2, 3)), jnp.arange(3), TypeError, r"negative_slope dtype \(=int32\) must be a floating dtype"),
        (jnp.ones(3, jnp.bfloat16), jnp.ones(3), TypeError, r"negative_slope dtype \(=float32\) must be that of x \(=bfloat16\)"),
    ],
)  # fmt: skip
def test_a_slope_that_does_not_fit_is_refused(x, slope, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.prelu(x, slope)


def test_a_narrower_slope_is_widened_and_its_gradient_is_not():
    x, slope = jnp.array([-2.0, 4.0]), jnp.asarray([0.5, 0.5], jnp.bfloat16)
    y, pull = jax.vjp(jaxcnn.prelu, x, slope)
    np.testing.assert_array_equal(y, [-1, 4])
    assert [d.dtype for d in pull(y)] == [jnp.float32, jnp.bfloat16]


def test_a_traced_slope_is_refused():
    with pytest.raises(TypeError, match=r"negative_slope \(=.*\) must be a static number"):
        jax.jit(jaxcnn.leaky_relu)(jnp.ones(3), jnp.array(0.1))
    with pytest.raises(TypeError, match=r"negative_slope \(='steep'\) must be a static number"):
        jaxcnn.leaky_relu(jnp.ones(3), "steep")
    with pytest.raises(TypeError, match=r"negative_slope \(='0.1'\) must be a static number"):
        jaxcnn.leaky_relu(jnp.ones(3), "0.1")


def test_forward_mode_is_refused_by_jax():
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(jaxcnn.relu, (jnp.ones(3),), (jnp.ones(3),))
