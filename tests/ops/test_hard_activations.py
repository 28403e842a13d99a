import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import activations

OPS = ("hard_tanh", "hard_sigmoid", "hard_silu", "sparse_sigmoid", "sparse_plus")


class TestHardActivations(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(activations.oracle)


POINTS = [-np.inf, -4, -3, -1.5, -1, -0.0, 0, 0.5, 1, 1.5, 3, 4, np.inf, np.nan]


@pytest.mark.parametrize(
    ("fn", "value", "slope"),
    [
        (jaxcnn.hard_tanh, [-1, -1, -1, -1, -1, 0, 0, 0.5, 1, 1, 1, 1, 1, np.nan], [0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1]),
        (jaxcnn.hard_sigmoid, [0, 0, 0, 1 / 4, 1 / 3, 1 / 2, 1 / 2, 7 / 12, 2 / 3, 3 / 4, 1, 1, 1, np.nan], [0, 0, 0, *[1 / 6] * 7, 0, 0, 0, 1 / 6]),
        (jaxcnn.hard_silu, [0, 0, 0, -3 / 8, -1 / 3, 0, 0, 7 / 24, 2 / 3, 9 / 8, 3, 4, np.inf, np.nan],
                           [0, 0, 0, 0, 1 / 6, 1 / 2, 1 / 2, 2 / 3, 5 / 6, 1, 1, 1, 1, np.nan]),
        (jaxcnn.sparse_sigmoid, [0, 0, 0, 0, 0, 0.5, 0.5, 0.75, 1, 1, 1, 1, 1, np.nan], [0, 0, 0, 0, 0.25, 0.5, 0.5, 0.5, 0.25, 0, 0, 0, 0, 0]),
        (jaxcnn.sparse_plus, [0, 0, 0, 0, 0, 0.25, 0.25, 0.5625, 1, 1.5, 3, 4, np.inf, np.nan], [0, 0, 0, 0, 0, 0.5, 0.5, 0.75, 1, 1, 1, 1, 1, np.nan]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_kinks_infinities_and_nan(fn, value, slope, dtype):
    x = jnp.asarray(POINTS, dtype)
    y, pull = jax.vjp(fn, x)
    rtol = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(y, np.float64), value, rtol=rtol)
    np.testing.assert_allclose(np.asarray(pull(jnp.ones_like(y))[0], np.float64), slope, rtol=rtol)


@pytest.mark.parametrize("name", OPS)
def test_kinks_are_those_of_jax(name):
    x = jnp.array([-3.0, -1.0, 1.0, 3.0])
    slopes = [jax.vmap(jax.grad(fn))(x) for fn in (getattr(jaxcnn, name), getattr(jax.nn, name))]
    np.testing.assert_allclose(*slopes, rtol=1e-6)


@pytest.mark.parametrize(
    ("fn", "points", "curvatures"),
    [
        (jaxcnn.hard_tanh, (-2, -1, 0, 1, 2), (0, 2, 2, 2, 0)),
        (jaxcnn.hard_sigmoid, (-4, -3, 0, 3, 4), (0, 0, 1 / 18, 0, 0)),
        (jaxcnn.sparse_sigmoid, (-2, -1, 0, 1, 2), (0, 1 / 8, 1 / 2, 1 / 8, 0)),
        (jaxcnn.hard_silu, (-4, -3, 0, 3, 4), (0, 0, 1 / 2, 2, 2)),
        (jaxcnn.sparse_plus, (-2, -1, 0, 1, 2), (0, 0, 3 / 4, 2, 2)),
    ],
)
def test_hessian_of_the_square_at_kinks(fn, points, curvatures):
    """It is twice the square of the chosen slope, and the value times twice its derivative, 0 at a kink."""
    found = [jax.hessian(lambda x: fn(x) ** 2)(jnp.array(x, jnp.float32)) for x in points]
    np.testing.assert_allclose(found, curvatures, rtol=1e-6)


@pytest.mark.parametrize("name", OPS)
def test_what_is_not_selected_is_finite(name):
    """The square of 1e30 is infinite, and infinity times 0 would be nan."""
    x = jnp.array([-np.inf, -1e30, 1e30, np.inf])
    second = jax.vmap(jax.grad(jax.grad(getattr(jaxcnn, name))))(x)
    np.testing.assert_array_equal(second, 0)


def test_residuals():
    x = jnp.ones((4, 3))
    for fn in (jaxcnn.hard_tanh, jaxcnn.hard_sigmoid):
        assert checks.residuals(fn, x) == ["bool[4, 3]"]
    assert checks.residuals(jaxcnn.sparse_sigmoid, x) == ["uint8[4, 3]"]
    for fn in (jaxcnn.hard_silu, jaxcnn.sparse_plus):
        assert checks.residuals(fn, x.astype(jnp.bfloat16)) == ["bfloat16[4, 3]"]


@pytest.mark.parametrize("name", OPS)
def test_integers_are_refused(name):
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        getattr(jaxcnn, name)(jnp.arange(3))


@pytest.mark.parametrize(
    ("bounds", "value", "slope"),
    [
        ({"min_val": -3, "max_val": 1.5}, [-3, -3, -3, -1.5, -1, 0, 0, 0.5, 1, 1.5, 1.5, 1.5, 1.5, np.nan], [0, 0, *[1] * 8, 0, 0, 0, 1]),
        ({"min_val": 0, "max_val": np.inf}, [0, 0, 0, 0, 0, 0, 0, 0.5, 1, 1.5, 3, 4, np.inf, np.nan], [*[0] * 5, *[1] * 9]),
        ({"min_val": -np.inf}, [-np.inf, -4, -3, -1.5, -1, 0, 0, 0.5, 1, 1, 1, 1, 1, np.nan], [*[1] * 9, 0, 0, 0, 0, 1]),
        ({"min_val": 1, "max_val": 3}, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1.5, 3, 3, 3, np.nan], [*[0] * 8, 1, 1, 1, 0, 0, 1]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_bounds_of_hard_tanh(bounds, value, slope, dtype):
    y, pull = jax.vjp(lambda x: jaxcnn.hard_tanh(x, **bounds), jnp.asarray(POINTS, dtype))
    assert y.dtype == dtype
    np.testing.assert_array_equal(np.asarray(y, np.float64), value)
    np.testing.assert_array_equal(np.asarray(pull(jnp.ones_like(y))[0], np.float64), slope)


@pytest.mark.parametrize(
    ("bounds", "error", "message"),
    [
        ({"min_val": 1}, ValueError, r"min_val \(=1\) must be below max_val \(=1.0\)"),
        ({"min_val": 2, "max_val": -2}, ValueError, r"min_val \(=2\) must be below max_val \(=-2\)"),
        ({"max_val": float("nan")}, ValueError, r"min_val \(=-1.0\) must be below max_val \(=nan\)"),
        ({"min_val": "0"}, TypeError, r"min_val \(='0'\) must be a static number"),
        ({"max_val": None}, TypeError, r"max_val \(=None\) must be a static number"),
    ],
)
def test_bounds_that_do_not_fit_are_refused(bounds, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.hard_tanh(jnp.ones(3), **bounds)
