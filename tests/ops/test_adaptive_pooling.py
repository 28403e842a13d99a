import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.algorithms import bins
from tests import checks
from tests.oracles import pooling as oracles


class TestAdaptivePools(checks.OpChecks):
    ops = ("adaptive_avg_pool", "adaptive_max_pool")
    oracle = staticmethod(oracles.oracle)


def test_the_bins_that_hold_a_position_are_its_bin_the_other_way_round():
    """All pairs of sizes: the matrix of the sums over O bins of I positions is the transpose of that over I bins of O."""
    for size, outputs in itertools.product(range(1, 13), repeat=2):
        held = np.zeros((outputs, size))
        for o, (start, end) in enumerate(oracles.bin_bounds(size, outputs)):
            held[o, start:end] = 1
        other = np.zeros((size, outputs))
        for p, (start, end) in enumerate(oracles.bin_bounds(outputs, size)):
            other[p, start:end] = 1
        np.testing.assert_array_equal(held.T, other)
        np.testing.assert_array_equal(bins.counts((size,), (outputs,)).ravel(), held.sum(1))


@pytest.mark.parametrize("output_size", [(4, 3), (3, 2), (7, 8), (1, 1), (6, 4)])
@pytest.mark.parametrize("values", [(0.0, 1.0), (-np.inf, 0.0), (np.nan, 0.0, 1.0)])
def test_gradient_of_the_maximum_at_ties_nan_and_infinities(values, output_size):
    rng = np.random.default_rng(0)
    x = rng.choice(values, (2, 6, 4, 2)).astype(np.float32)
    y, pull = jax.vjp(lambda x: jaxcnn.adaptive_max_pool(x, output_size), jnp.asarray(x))
    g = rng.integers(1, 9, y.shape).astype(np.float32)
    np.testing.assert_array_equal(y, oracles.adaptive("adaptive_max_pool", x, output_size))
    np.testing.assert_array_equal(pull(jnp.asarray(g))[0], oracles.adaptive_max_gradient(x, g))


def test_hessian_at_a_tie():
    def f(x):
        return jnp.sum(jnp.square(jaxcnn.adaptive_max_pool(x[:, None], (2,))))

    x = jnp.array([1.0, 2.0, 2.0, 2.0, 0.0])  # the bins are [1 2 2] and [2 2 0]
    for hessian in (jax.hessian(f)(x), jax.jacrev(jax.grad(f))(x)):
        np.testing.assert_array_equal(hessian, np.diag([0.0, 2, 2, 0, 0]))


def test_none_is_the_size_of_x():
    x = jnp.arange(30.0).reshape(1, 5, 6, 1)
    for pool in (jaxcnn.adaptive_avg_pool, jaxcnn.adaptive_max_pool):
        np.testing.assert_array_equal(pool(x, (None, 4)), pool(x, [5, 4]))
        np.testing.assert_array_equal(pool(x, (None, None)), x)


def test_infinity_stays_in_its_bins():
    x = jnp.array([1.0, 2.0, np.inf, 4.0, 5.0, np.nan, 7.0])[:, None]
    np.testing.assert_array_equal(jaxcnn.adaptive_avg_pool(x, (5,)).ravel(), [1.5, np.inf, np.inf, np.nan, np.nan])


def test_integers():
    x = jnp.arange(7, dtype=jnp.int8)[:, None]
    np.testing.assert_array_equal(jaxcnn.adaptive_max_pool(x, (3,)).ravel(), [2, 4, 6])
    np.testing.assert_array_equal(jaxcnn.adaptive_max_pool(x, (1,)).ravel(), [6])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sums_in_half_precision_are_not_lost(dtype):
    x = jnp.full((1, 67, 65, 1), 0.01, dtype)
    y, pull = jax.vjp(lambda x: jaxcnn.adaptive_avg_pool(x, (2, 2)), x)
    np.testing.assert_array_equal(y, jnp.full((1, 2, 2, 1), x[0, 0, 0, 0]))
    assert pull(y)[0].dtype == dtype


def test_residuals_are_taps_of_one_byte():
    x = jnp.ones((2, 7, 5, 3))
    assert checks.residuals(lambda x: jaxcnn.adaptive_avg_pool(x, (3, 2)), x) == []
    kept = ["uint8[2, 3, 2, 3]", "uint8[2, 7, 2, 3]"]
    assert checks.residuals(lambda x: jaxcnn.adaptive_max_pool(x, (3, 2)), x) == kept


def test_empty_batch():
    x = jnp.zeros((0, 7, 5, 2))
    for pool in (jaxcnn.adaptive_avg_pool, jaxcnn.adaptive_max_pool):
        y, pull = jax.vjp(lambda x, pool=pool: pool(x, (3, 2)), x)
        assert y.shape == (0, 3, 2, 2)
        assert pull(y)[0].shape == x.shape


@pytest.mark.parametrize("pool", [jaxcnn.adaptive_avg_pool, jaxcnn.adaptive_max_pool])
def test_errors(pool):
    x = jnp.ones((2, 5, 5, 1))
    with pytest.raises(TypeError, match=r"output_size \(=3\) must be a sequence"):
        pool(x, 3)
    with pytest.raises(TypeError, match=r"output_size \(=\(3, 1.5\)\) must be an int or a sequence of 2 ints"):
        pool(x, (3, 1.5))
    with pytest.raises(ValueError, match=r"output_size \(=\(3, 0\)\) must be at least 1"):
        pool(x, (3, 0))
    with pytest.raises(ValueError, match=r"output_size \(=\(\)\) must have 1 to 3 axes"):
        pool(x, ())
    with pytest.raises(ValueError, match=r"output_size \(=\(1, 1, 1, 1\)\) must have 1 to 3 axes"):
        pool(x, (1, 1, 1, 1))
    with pytest.raises(ValueError, match=r"x, of spatial shape \(0, 5\), must have 1 to"):
        pool(x[:, :0], (2, 2))
    with pytest.raises(TypeError, match=r"x dtype \(=bool\) must be a floating"):
        pool(x.astype(bool), (2, 2))
