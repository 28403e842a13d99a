import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcnn
from tests import checks
from tests.oracles import losses

OPS = ("squared_error", "l2_loss", "absolute_error", "huber_loss", "log_cosh")


class TestRegressionLosses(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(losses.oracle)


def test_values_are_those_of_optax():
    rng = np.random.default_rng(0)
    p, t = (jnp.asarray(2 * rng.standard_normal((3, 4)), jnp.float32) for _ in range(2))
    for name in OPS:
        if hasattr(optax, name):
            for args in ((p, t), (p,)):
                np.testing.assert_allclose(
                    getattr(jaxcnn, name)(*args), getattr(optax, name)(*args), rtol=1e-5, atol=1e-6
                )
    np.testing.assert_allclose(jaxcnn.huber_loss(p, t, 0.5), optax.huber_loss(p, t, delta=0.5), rtol=1e-6)


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("fn", "errors", "values", "slopes", "curvatures"),
    [
        (jaxcnn.absolute_error, [-2, -0.0, 0, 3, INF, NAN], [2, 0, 0, 3, INF, NAN], [-1, 0, 0, 1, 1, 0], [0] * 6),
        (jaxcnn.huber_loss, [-3, -1, 0, 1, 2, INF, 1e30, NAN], [2.5, 0.5, 0, 0.5, 1.5, INF, 1e30, NAN],
         [-1, -1, 0, 1, 1, 1, 1, NAN], [0, 1, 1, 1, 0, 0, 0, 1]),
        (jaxcnn.log_cosh, [-INF, -1e30, 0, 1e-4, 1, 50, NAN], [INF, 1e30, 0, 5e-9, 0.43378083, 49.306853, NAN],
         [-1, -1, 0, 1e-4, 0.7615942, 1, NAN], [0, 0, 1, 1, 0.41997434, 0, NAN]),
        (jaxcnn.l2_loss, [-2e19, 0, 3, INF], [2e38, 0, 4.5, INF], [-2e19, 0, 3, INF], [1] * 4),
    ],
)  # fmt: skip
def test_kinks_infinities_and_nan(fn, errors, values, slopes, curvatures):
    """Derivatives by the rule; the second ones of the impl, through its value, and of the backward rule."""
    errors = jnp.array(errors)
    y, pull = jax.vjp(fn, errors)
    np.testing.assert_allclose(y, values, rtol=2e-6)
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0], slopes, rtol=2e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(jax.grad(fn)))(errors), curvatures, rtol=2e-6)
    small = np.abs(values) < 1e9  # not at NaN
    values, slopes, curvatures = (np.array(a, float)[small] for a in (values, slopes, curvatures))
    twice = jax.vmap(jax.grad(jax.grad(lambda e: fn(e) ** 2)))(errors[small])
    np.testing.assert_allclose(twice, 2 * slopes**2 + 2 * values * curvatures, rtol=1e-5)


def test_squared_error_of_float16_does_not_overflow_in_the_gradient():
    p, t, g = (jnp.array(v, jnp.float16) for v in (6e4, -6e4, 1e-3))
    gradient = jax.vjp(jaxcnn.squared_error, p, t)[1](g)[0]
    assert float(gradient) == pytest.approx(240, rel=1e-3)


def test_log_cosh_of_small_errors_keeps_its_digits():
    """In float32 |e| + log(1 + exp(-2 |e|)) - log 2 is 0 or 6e-8 here, and so is optax's."""
    np.testing.assert_allclose(jaxcnn.log_cosh(jnp.array([1e-4, 1e-3])), [5e-9, 4.9999992e-7], rtol=1e-6)


def test_residuals_are_one_array_and_the_mask():
    p, where = jnp.ones((4, 5)), jnp.ones((4, 1), bool)
    for name in OPS:
        fn = getattr(jaxcnn, name)
        kept = "int8[4, 5]" if name == "absolute_error" else "float32[4, 5]"
        assert checks.residuals(fn, p, 2 * p) == [kept]
        assert checks.residuals(fn, p) == [kept]
        assert checks.residuals(lambda p, t, fn=fn: fn(p, t, where=where), p, p) == ["bool[4, 1]", kept]


Z = jnp.ones((4, 5))


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((Z, Z[0]), ValueError, r"targets shape \(=\(5,\)\) must equal predictions shape"),
        ((Z, Z.astype(jnp.float16)), TypeError, r"targets dtype \(=float16\) must equal"),
        ((Z.astype(int),), TypeError, r"predictions dtype \(=int32\) must be a floating"),
        ((Z, Z.astype(int)), TypeError, r"targets dtype \(=int32\) must be a floating"),
    ],
)
def test_errors_name_argument_value_and_requirement(name, args, error, message):
    with pytest.raises(error, match=message):
        getattr(jaxcnn, name)(*args)


@pytest.mark.parametrize("delta", [0, -1.0, math.nan])
def test_delta_is_positive_and_static(delta):
    with pytest.raises(ValueError, match=rf"delta \(={delta!r}\) must be above 0"):
        jaxcnn.huber_loss(Z, delta=delta)
    with pytest.raises(TypeError, match=r"delta \(=.*\) must be a static number"):
        jax.jit(lambda d: jaxcnn.huber_loss(Z, delta=d))(1.0)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_huber_at_infinity(dtype):
    """With an infinite delta the loss is e^2 / 2 for all e; beyond a finite one it has the slope delta."""
    e = jnp.array([jnp.inf, -jnp.inf, 3.0, 0.0, jnp.nan], dtype)
    for delta, slope in ((jnp.inf, jnp.inf), (1e300, jnp.inf), (2.0, 2.0)):
        loss, pull = jax.vjp(lambda e, delta=delta: jaxcnn.huber_loss(e, jnp.zeros_like(e), delta=delta), e)
        at_3 = (4.5, 3.0) if delta > 3 else (4.0, 2.0)
        (de,) = pull(jnp.ones_like(e))
        assert loss.dtype == de.dtype == dtype
        np.testing.assert_array_equal(loss.astype(jnp.float32), [np.inf, np.inf, at_3[0], 0, np.nan])
        np.testing.assert_array_equal(de.astype(jnp.float32), [slope, -slope, at_3[1], 0, np.nan])
    second = jax.vmap(jax.grad(jax.grad(lambda e: jaxcnn.huber_loss(e, delta=jnp.inf))))(jnp.array([jnp.inf, 3.0]))
    np.testing.assert_array_equal(second, [1, 1])
