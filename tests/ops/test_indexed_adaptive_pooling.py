import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.algorithms.bin_positions import max_positions
from tests import checks
from tests.oracles import pooling as oracles

pool = jaxcnn.adaptive_max_pool_with_indices


class TestIndexedAdaptivePools(checks.OpChecks):
    ops = ("adaptive_max_pool_with_indices",)
    oracle = staticmethod(oracles.oracle)


@pytest.mark.parametrize("output_size", [(4, 3), (3, 2), (7, 8), (1, 1), (6, 4), (5, 1), (None, 3)])
@pytest.mark.parametrize("values", [(0.0, 1.0), (-np.inf, 0.0), (np.nan, 0.0, 1.0), (1.0,)])
def test_indices_at_ties_nan_and_infinities(values, output_size):
    """They name the element that the gradient goes to; the rest is that of adaptive_max_pool."""
    x = np.random.default_rng(0).choice(values, (2, 6, 4, 2)).astype(np.float32)
    y, indices = pool(jnp.asarray(x), output_size)
    expected, numbers = oracles.adaptive_max_pool_with_indices(x, output_size)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(indices, numbers)
    assert indices.dtype == jnp.int32
    g = np.random.default_rng(1).integers(1, 9, y.shape).astype(np.float32)
    dx = jax.vjp(lambda x: pool(x, output_size)[0], jnp.asarray(x))[1](jnp.asarray(g))[0]
    np.testing.assert_array_equal(dx, oracles.adaptive_max_gradient(x, g))


@pytest.mark.parametrize(("shape", "output_size"), [((1, 3, 4, 5, 2), (2, 3, 4)), ((7, 2), (3,)), ((2, 3, 5, 1), (4,))])
def test_indices_of_other_ranks(shape, output_size):
    x = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape).astype(np.float32)
    y, indices = pool(jnp.asarray(x), output_size)
    expected, numbers = oracles.adaptive_max_pool_with_indices(x, output_size)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(indices, numbers)
    rank = len(output_size)
    rows = x.reshape(*shape[: -rank - 1], -1, shape[-1])
    flat = np.take_along_axis(rows, np.asarray(indices).reshape(*shape[: -rank - 1], -1, shape[-1]), -2)
    np.testing.assert_array_equal(flat.reshape(y.shape), y)


def test_the_example_of_overlapping_bins_worked_out_by_hand():
    """Of 5x5 numbers in 3x3 bins, those along an axis are 0 to 1, 1 to 3, and 3 to 4."""
    x = jnp.asarray(np.arange(25).reshape(5, 5)[:, ::-1].copy())[..., None]  # row r is 5 r + 4 ... 5 r
    y, indices = pool(x, (3, 3))
    np.testing.assert_array_equal(y[..., 0], [[9, 8, 6], [19, 18, 16], [24, 23, 21]])
    np.testing.assert_array_equal(indices[..., 0], [[5, 6, 8], [15, 16, 18], [20, 21, 23]])


def test_unpool_puts_the_maxima_back():
    """A maximum that two bins share is put back once, and takes the cotangent of its place once."""
    x = jnp.array([1.0, 2.0, 9.0, 4.0, 3.0])[:, None]  # the bins are [1 2 9] and [9 4 3]

    def there_and_back(x):
        return jaxcnn.max_unpool(*pool(x, (2,)), (5,))

    y, pull = jax.vjp(there_and_back, x)
    np.testing.assert_array_equal(y.ravel(), [0, 0, 9, 0, 0])
    np.testing.assert_array_equal(pull(jnp.arange(1.0, 6.0)[:, None])[0].ravel(), [0, 0, 3, 0, 0])
    image = jnp.asarray(np.random.default_rng(0).permutation(2 * 7 * 5 * 3).reshape(2, 7, 5, 3), jnp.float32)
    y, indices = pool(image, (3, 2))
    back = jaxcnn.max_unpool(y, indices, (7, 5))
    assert set(np.unique(back)) == {0.0, *np.unique(y)}
    np.testing.assert_array_equal(back, jnp.where(back > 0, image, 0))


def test_hessian_at_a_tie():
    def f(x):
        return jnp.sum(jnp.square(pool(x[:, None], (2,))[0]))

    x = jnp.array([1.0, 2.0, 2.0, 2.0, 0.0])  # the bins are [1 2 2] and [2 2 0]
    for hessian in (jax.hessian(f)(x), jax.jacrev(jax.grad(f))(x)):
        np.testing.assert_array_equal(hessian, np.diag([0.0, 2, 2, 0, 0]))


@pytest.mark.parametrize("letters", ["NCHW", "CHWN", "HNWC"])
def test_axes_elsewhere(letters):
    x = jnp.asarray(np.random.default_rng(0).permutation(2 * 7 * 5 * 3).reshape(2, 7, 5, 3), jnp.float32)
    order = ["NHWC".index(letter) for letter in letters]
    for result, there in zip(pool(x, (3, 2)), pool(x.transpose(order), (3, 2), dimension_numbers=letters), strict=True):
        np.testing.assert_array_equal(there, result.transpose(order))


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.uint8, jnp.int32, jnp.bfloat16, jnp.float16])
def test_dtypes_and_numbers_of_many_positions(dtype):
    x = jnp.zeros((40, 50, 1), dtype).at[33, 44].set(1)
    y, indices = pool(x, (3, 3))
    assert (y.dtype, indices.dtype) == (dtype, jnp.int32)
    assert indices[2, 2, 0] == 33 * 50 + 44
    assert indices[0, 0, 0] == 0


def test_bins_of_many_elements():
    x = jnp.zeros((1001, 1)).at[700].set(1.0)
    np.testing.assert_array_equal(pool(x, (2,))[1].ravel(), [0, 700])
    np.testing.assert_array_equal(pool(x, (1,))[1].ravel(), [700])


def test_positions_take_a_bounded_number_of_operations():
    def count(size, bins):
        taps = [jax.ShapeDtypeStruct((1, rows, bins, 1), jnp.uint16) for rows in (bins, size)]
        return len(jax.make_jaxpr(lambda *taps: max_positions(taps, (size, size)))(*taps).eqns)

    assert count(4096, 1000) == count(7, 3) <= 20


def test_residuals_are_taps_of_one_byte():
    kept = ["uint8[2, 3, 2, 3]", "uint8[2, 7, 2, 3]"]
    assert checks.residuals(lambda x: pool(x, (3, 2))[0], jnp.ones((2, 7, 5, 3))) == kept


def test_empty_batch():
    x = jnp.zeros((0, 7, 5, 2))
    (y, indices), pull = jax.vjp(lambda x: pool(x, (3, 2)), x)
    assert y.shape == indices.shape == (0, 3, 2, 2)
    assert pull((y, np.zeros(indices.shape, jax.dtypes.float0)))[0].shape == x.shape


def test_errors():
    x = jnp.ones((2, 5, 5, 1))
    with pytest.raises(TypeError, match=r"output_size \(=3\) must be a sequence"):
        pool(x, 3)
    with pytest.raises(ValueError, match=r"output_size \(=\(3, 0\)\) must be at least 1"):
        pool(x, (3, 0))
    with pytest.raises(ValueError, match=r"output_size \(=\(1, 1, 1, 1\)\) must have 1 to 3 axes"):
        pool(x, (1, 1, 1, 1))
    with pytest.raises(TypeError, match=r"x dtype \(=bool\) must be a floating"):
        pool(x.astype(bool), (2, 2))
