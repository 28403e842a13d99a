"""Bins that are large or many: the winners, ties and sums of a loop over the elements of each."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn

SIZES = [(100, 7), (20, 7), (7, 100), (131, 53), (1009, 100), (401, 300), (3, 1024), (1024, 3)]


def bounds(size, bins):
    """Return where every bin begins and ends, by its definition."""
    return [(o * size // bins, -(-(o + 1) * size // bins)) for o in range(bins)]


@pytest.mark.parametrize(("size", "bins"), SIZES, ids=str)
def test_the_first_maximum_of_a_bin_takes_the_cotangent(size, bins):
    random = np.random.default_rng(size)
    x = random.integers(0, 4, (1, size, 2)).astype(np.float32)
    x[random.random(x.shape) < 0.3] = -np.inf
    x[random.random(x.shape) > 0.98] = np.nan
    g = random.integers(-8, 8, (1, bins, 2)).astype(np.float32)
    y, pull = jax.vjp(lambda x: jaxcnn.adaptive_max_pool(x, (bins,)), jnp.asarray(x))
    right, dx = np.zeros(y.shape), np.zeros(x.shape)
    for o, (start, end) in enumerate(bounds(size, bins)):
        for c in range(2):
            winner = start + np.argmax(x[0, start:end, c])  # which takes the first NaN, too
            right[0, o, c] = x[0, winner, c]
            dx[0, winner, c] += g[0, o, c]
    np.testing.assert_array_equal(y, right)
    np.testing.assert_array_equal(pull(jnp.asarray(g))[0], dx)


@pytest.mark.parametrize(("size", "bins"), SIZES, ids=str)
def test_averages_and_their_gradients(size, bins):
    random = np.random.default_rng(size)
    x, g = random.standard_normal((1, size, 2)), random.standard_normal((1, bins, 2))
    right, dx = np.zeros(g.shape), np.zeros(x.shape)
    for o, (start, end) in enumerate(bounds(size, bins)):
        right[:, o] = x[:, start:end].mean(1)
        dx[:, start:end] += g[:, o : o + 1] / (end - start)
    with jax.enable_x64(True):
        y, pull = jax.vjp(lambda x: jaxcnn.adaptive_avg_pool(x, (bins,)), jnp.asarray(x))
        (found,) = pull(jnp.asarray(g))
    np.testing.assert_allclose(y, right, rtol=0, atol=1e-13)
    np.testing.assert_allclose(found, dx, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [8, 9, 10, 64, 301])
def test_response_norms_of_many_channels(size):
    """The energy is the sum of squares from size // 2 channels before a channel to (size - 1) // 2 after it."""
    x = np.random.default_rng(size).standard_normal((2, 70))
    right = np.zeros(x.shape)
    for c in range(70):
        around = x[:, max(c - size // 2, 0) : c + (size - 1) // 2 + 1]
        right[:, c] = x[:, c] / (2 + 0.5 / size * (around**2).sum(1)) ** 0.75
    with jax.enable_x64(True):
        args = (size, 0.5, 0.75, 2.0)
        y, pull = jax.vjp(lambda x: jaxcnn.local_response_norm(x, *args), jnp.asarray(x))
        reference = jax.vjp(lambda x: jaxcnn.reference.local_response_norm(x, *args), jnp.asarray(x))[1]
        np.testing.assert_allclose(y, right, rtol=1e-13)
        np.testing.assert_allclose(pull(y)[0], reference(y)[0], rtol=1e-11, atol=1e-13)
