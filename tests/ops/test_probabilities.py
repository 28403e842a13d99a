import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import probabilities

OPS = ("softmax", "log_softmax")


class TestProbabilities(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(probabilities.oracle)


def test_extreme_logits():
    x = jnp.array([-jnp.inf, 1e4, 1e4])
    np.testing.assert_array_equal(jaxcnn.softmax(x), [0, 0.5, 0.5])
    np.testing.assert_allclose(jaxcnn.log_softmax(x), [-np.inf, -np.log(2), -np.log(2)], rtol=1e-6)
    g = jnp.array([1.0, 2.0, 4.0])
    np.testing.assert_array_equal(jax.vjp(jaxcnn.softmax, x)[1](g)[0], [0, -0.5, 0.5])
    np.testing.assert_allclose(jax.vjp(jaxcnn.log_softmax, x)[1](g)[0], [1, -1.5, 0.5], rtol=1e-6)
    for fn in (jaxcnn.softmax, jaxcnn.log_softmax):
        assert np.isnan(fn(jnp.full(3, -jnp.inf))).all()
        assert np.isnan(fn(jnp.array([1.0, jnp.nan]))).all()


@pytest.mark.parametrize("name", OPS)
def test_where_takes_elements_out(name):
    """Masked elements may hold anything: the rest is as if they were not there, and they get no gradient."""
    fn = getattr(jaxcnn, name)
    x = jnp.array([[1.0, jnp.nan, 2.0, 3.0], [jnp.inf, 0.5, 0.0, -1.0]])
    where = jnp.array([[True, False, True, True], [False, True, True, False]])
    y, pull = jax.vjp(lambda x: fn(x, where=where), x)
    g = jnp.arange(1.0, 9.0).reshape(2, 4)
    (dx,) = pull(g)
    for row in range(2):
        kept = np.flatnonzero(where[row])
        alone, pull_alone = jax.vjp(fn, x[row, kept])
        np.testing.assert_allclose(y[row, kept], alone, rtol=1e-6)
        np.testing.assert_allclose(dx[row, kept], pull_alone(g[row, kept])[0], rtol=1e-5)
    np.testing.assert_array_equal(y[~where], {"softmax": 0.0, "log_softmax": -np.inf}[name])
    np.testing.assert_array_equal(dx[~where], 0)


@pytest.mark.parametrize("name", OPS)
def test_where_that_takes_out_a_whole_row(name):
    where = jnp.array([[False, False], [True, True]])
    fn = getattr(jaxcnn, name)

    def f(x):
        y = fn(x, where=where)
        return jnp.sum(jnp.where(where, y, jnp.zeros_like(y)) ** 2)

    x = jnp.array([[1.0, 2.0], [3.0, 5.0]])
    np.testing.assert_array_equal(fn(x, where=where)[0], {"softmax": 0.0, "log_softmax": -np.inf}[name])
    assert np.isfinite(jax.grad(f)(x)).all()
    np.testing.assert_array_equal(jax.grad(f)(x)[0], 0)
    assert np.isfinite(jax.hessian(f)(x)).all()


def test_float16_with_many_classes_is_finite():
    x = jnp.zeros((1, 70000), jnp.float16)
    y, pull = jax.vjp(jaxcnn.log_softmax, x)
    assert float(y[0, 0]) == pytest.approx(-np.log(70000), rel=1e-3)
    assert np.isfinite(pull(jnp.ones_like(y))[0]).all()


def test_residuals():
    x = jnp.ones((4, 3))
    for fn in (jaxcnn.softmax, jaxcnn.log_softmax):
        assert checks.residuals(fn, x) == ["float32[4, 1]", "float32[4, 1]", "float32[4, 3]"]


def test_log_softmax_gradient_over_many_classes_in_bfloat16_is_computed_from_x():
    """A row of equal logits has the gradient g - mean(g); from the rounded y, exp(y) would be 3 % off."""
    x = jnp.zeros((1, 65536), jnp.bfloat16)
    _, pull = jax.vjp(jaxcnn.log_softmax, x)
    np.testing.assert_allclose(np.asarray(pull(jnp.ones_like(x))[0], np.float32), 0, atol=1e-6)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        (jnp.arange(3), {}, TypeError, r"x dtype \(=int32\) must be a floating dtype"),
        (jnp.ones((2, 3)), {"axis": 2}, ValueError, r"axis \(=2\) must name different axes of an array of rank 2"),
        (jnp.ones((2, 3)), {"axis": (1, -1)}, ValueError, r"axis \(=\(1, -1\)\) must name different axes"),
        (jnp.ones((2, 0)), {}, ValueError, r"axis \(=-1\) must have elements, in an array of shape \(2, 0\)"),
        (jnp.ones((2, 3)), {"axis": 0.5}, TypeError, r"axis \(=0.5\) must be an int"),
        (jnp.ones((2, 3)), {"where": jnp.ones(3)}, TypeError, r"where dtype \(=float32\) must be bool"),
        (jnp.ones((2, 3)), {"where": jnp.ones(2, bool)}, ValueError, r"where shape \(=\(2,\)\) must broadcast to \(2, 3\)"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(name, x, options, error, message):
    with jax.numpy_rank_promotion("allow"), pytest.raises(error, match=message):
        getattr(jaxcnn, name)(x, **options)
