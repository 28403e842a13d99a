import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.algorithms.places import gather_last, overwrite
from tests import checks
from tests.ops.test_pooling import PLACES, options_of
from tests.oracles import pooling as oracles


class TestIndexedPools(checks.OpChecks):
    ops = ("max_pool_with_indices", "max_unpool")
    oracle = staticmethod(oracles.oracle)


@pytest.mark.parametrize("terms", PLACES)
def test_indices_at_ties_nan_and_infinities(terms):
    """They name the element that the gradient goes to; the rest is that of max_pool."""
    x = np.random.default_rng(0).choice([-np.inf, np.nan, 0.0, 1.0], (2, 6, 5, 2), p=[0.4, 0.1, 0.3, 0.2])
    x = jnp.asarray(x, jnp.float32)
    y, indices = jaxcnn.max_pool_with_indices(x, **options_of(terms))
    expected, numbers = oracles.max_pool_with_indices(np.asarray(x), **terms)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(indices, numbers)
    assert indices.dtype == jnp.int32
    dx = jax.grad(lambda x: jaxcnn.max_pool_with_indices(x, **options_of(terms))[0].sum())(x)
    np.testing.assert_array_equal(dx, jax.grad(lambda x: jaxcnn.max_pool(x, **options_of(terms)).sum())(x))


def test_a_window_of_padding_has_no_index():
    y, indices = jaxcnn.max_pool_with_indices(jnp.array([[3.0], [5.0]]), (1,), padding=((1, 2),))
    np.testing.assert_array_equal(y.ravel(), [-np.inf, 3, 5, -np.inf, -np.inf])
    np.testing.assert_array_equal(indices.ravel(), [-1, 0, 1, -1, -1])
    np.testing.assert_array_equal(jaxcnn.max_unpool(y, indices, (2,)).ravel(), [3, 5])


def test_indices_of_integers_and_of_many_taps():
    x = jnp.arange(600).reshape(600, 1)
    np.testing.assert_array_equal(jaxcnn.max_pool_with_indices(x, (300,), 300)[1].ravel(), [299, 599])


def test_a_window_of_one_has_no_dilation():
    x = jnp.arange(32.0).reshape(4, 4, 2)
    y, indices = jaxcnn.max_pool_with_indices(x, (1, 1), 1, window_dilation=2**31)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(indices[..., 0], np.arange(16).reshape(4, 4))


def test_unpool_of_a_pool_is_the_identity_at_the_maxima():
    """Where windows overlap too: PyTorch counts the gradient of a shared maximum once for each of them."""
    x = jnp.array([[1.0], [5.0], [2.0], [4.0], [3.0]])

    def there_and_back(x):
        return jaxcnn.max_unpool(*jaxcnn.max_pool_with_indices(x, (3,)), (5,))

    y, pull = jax.vjp(there_and_back, x)
    np.testing.assert_array_equal(y.ravel(), [0, 5, 0, 4, 0])
    np.testing.assert_array_equal(pull(jnp.arange(1.0, 6.0)[:, None])[0].ravel(), [0, 2, 0, 4, 0])


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8, jnp.int8, jnp.uint32])
def test_repeated_and_impossible_indices(dtype):
    """The last of those that name a place stays, and alone has a gradient; what names no place has none."""
    x = jnp.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])[:, None]
    indices = jnp.array([3, 1, 3, 120, -1, 0]).astype(dtype)[:, None]
    y, pull = jax.vjp(lambda x: jaxcnn.max_unpool(x, indices, (5,)), x)
    np.testing.assert_array_equal(y.ravel(), [6, 2, 0, 3, 0])
    np.testing.assert_array_equal(pull(jnp.arange(1.0, 6.0)[:, None])[0].ravel(), [0, 2, 4, 0, 0, 1])
    np.testing.assert_array_equal(oracles.max_unpool(x, np.asarray(indices, np.int64), (5,)), y)
    hessian = jax.hessian(lambda x: jnp.sum(jaxcnn.max_unpool(x[:, None], indices, (5,)) ** 2))(x.ravel())
    np.testing.assert_array_equal(hessian, np.diag([0.0, 2, 2, 0, 0, 2]))


def test_what_other_devices_compute_is_the_same():
    rng = np.random.default_rng(0)
    places, values = rng.integers(0, 9, (3, 12), np.int32), jnp.asarray(rng.standard_normal((3, 12)), jnp.float32)
    np.testing.assert_array_equal(gather_last(values, places, 7), overwrite(values, places, 7))


def test_unpool_of_integers():
    y = jaxcnn.max_unpool(jnp.array([[7], [8]]), jnp.array([[2], [0]]), (3,))
    np.testing.assert_array_equal(y.ravel(), [8, 0, 7])


def test_residuals():
    x = jnp.ones((2, 6, 4, 3))
    kept = ["uint8[2, 3, 2, 3]", "uint8[2, 6, 2, 3]"]
    assert checks.residuals(lambda x: jaxcnn.max_pool_with_indices(x, (2, 2), 2)[0], x) == kept
    y, indices = jaxcnn.max_pool_with_indices(x, (2, 2), 2)
    assert checks.residuals(lambda y: jaxcnn.max_unpool(y, indices, (6, 4)), y) == ["int32[2, 3, 2, 3]"]


def test_empty_batch():
    x = jnp.zeros((0, 4, 4, 2))
    y, indices = jaxcnn.max_pool_with_indices(x, (2, 2), 2)
    unpooled, pull = jax.vjp(lambda y: jaxcnn.max_unpool(y, indices, (4, 4)), y)
    assert unpooled.shape == x.shape
    assert pull(unpooled)[0].shape == y.shape


def test_errors():
    x, indices = jnp.ones((2, 3, 3, 1)), jnp.zeros((2, 3, 3, 1), jnp.int32)
    with pytest.raises(TypeError, match=r"indices dtype \(=float32\) must be an integer dtype"):
        jaxcnn.max_unpool(x, x, (6, 6))
    with pytest.raises(ValueError, match=r"indices shape \(=\(3, 3, 1\)\) must equal x shape \(=\(2, 3, 3, 1\)\)"):
        jaxcnn.max_unpool(x, indices[0], (6, 6))
    with pytest.raises(TypeError, match=r"output_size \(=6\) must be a sequence with one size for each spatial axis"):
        jaxcnn.max_unpool(x, indices, 6)
    with pytest.raises(ValueError, match=r"output_size \(=\(6, 0\)\) must be at least 1"):
        jaxcnn.max_unpool(x, indices, (6, 0))
    with pytest.raises(ValueError, match=r"output_size \(=\(2, 2, 2, 2\)\) must have 1 to 3 axes"):
        jaxcnn.max_unpool(x, indices, (2, 2, 2, 2))
    with pytest.raises(
        ValueError, match=r"output_size \(=\(65536, 65536\)\) must leave an example at most 2147483647 elements"
    ):
        jaxcnn.max_unpool(x, indices, (2**16, 2**16))
    with pytest.raises(ValueError, match=r"x, of spatial shape \(0, 3\), must have 1 to"):
        jaxcnn.max_unpool(x[:, :0], indices[:, :0], (2, 2))
