"""Long windows: the same winners, ties and sums as in a loop over all taps, at every stride and dilation."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.algorithms import long_windows, windows

GEOMETRIES = [  # window, stride, dilation, size, padding
    (9, 1, 1, 20, (4, 4)),
    (9, 2, 1, 31, (0, 3)),
    (9, 8, 1, 25, (3, 2)),
    (16, 1, 1, 40, (0, 0)),
    (16, 3, 1, 30, (7, 8)),
    (17, 17, 1, 40, (5, 6)),
    (13, 40, 1, 90, (0, 0)),
    (11, 1, 3, 45, (2, 9)),
    (12, 2, 2, 50, (3, 0)),
    (12, 4, 2, 50, (5, 1)),
    (10, 2, 4, 60, (1, 7)),
    (11, 3, 2, 40, (6, 6)),
    (10, 9, 4, 80, (0, 11)),
    (33, 2, 3, 120, (30, 4)),
    (24, 5, 1, 18, (40, 40)),
    (21, 7, 5, 101, (0, 0)),
]


def oracle(x, g, window, stride, dilation, padding, minimum=False):
    """Return the winners' values, the routed g, the sums and the spread g, and the winners' positions, by a loop."""
    size, channels = x.shape[1:]
    low, high = padding
    outputs = (size + low + high - ((window - 1) * dilation + 1)) // stride + 1
    y, sums = (
        np.full((len(x), outputs, channels), np.inf if minimum else -np.inf),
        np.zeros((len(x), outputs, channels)),
    )
    dx, spread, places = np.zeros(x.shape), np.zeros(x.shape), np.full(y.shape, -1)
    for n, o, c in np.ndindex(y.shape):
        best = None
        for p in (o * stride + t * dilation - low for t in range(window)):
            if not 0 <= p < size:
                continue
            value = x[n, p, c]
            sums[n, o, c] += value
            spread[n, p, c] += g[n, o, c]
            beats = best is None or (value < x[n, best, c] if minimum else value > x[n, best, c])
            best = p if beats or (np.isnan(value) and not np.isnan(x[n, best, c])) else best
        if best is not None:
            y[n, o, c], places[n, o, c] = x[n, best, c], best
            dx[n, best, c] += g[n, o, c]
    return y, dx, sums, spread, places


def drawn(geometry, special=True):
    """Return an x with ties, and with infinities and NaN where they are asked for, and a cotangent of its pool."""
    window, stride, dilation, size, padding = geometry
    random = np.random.default_rng(math.prod(geometry[:4]))
    x = random.integers(-2, 3, (2, size, 3)).astype(np.float64)
    if special:
        where = random.random(x.shape)
        x[where < 0.2] = -np.inf
        x[where > 0.96] = np.nan
    outputs = (size + sum(padding) - ((window - 1) * dilation + 1)) // stride + 1
    return x, random.standard_normal((2, outputs, 3))


def options(geometry):
    """Return the arguments of a pool."""
    window, stride, dilation, _, padding = geometry
    return {"window_shape": (window,), "strides": stride, "padding": (padding,), "window_dilation": dilation}


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("minimum", [False, True], ids=["max", "min"])
def test_the_first_winner_takes_the_cotangent(geometry, minimum):
    x, g = drawn(geometry)
    pool = jaxcnn.min_pool if minimum else jaxcnn.max_pool
    with jax.enable_x64(True):
        y, pull = jax.vjp(lambda x: pool(x, **options(geometry)), jnp.asarray(x))
        (dx,) = pull(jnp.asarray(g))
    expected = oracle(x, g, *geometry[:3], geometry[4], minimum)
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_allclose(dx, expected[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_sums_and_their_gradients(geometry):
    x, g = drawn(geometry, special=False)
    with jax.enable_x64(True):
        y, pull = jax.vjp(lambda x: jaxcnn.sum_pool(x, **options(geometry)), jnp.asarray(x))
        (dx,) = pull(jnp.asarray(g))
    expected = oracle(x, g, *geometry[:3], geometry[4])
    np.testing.assert_allclose(y, expected[2], rtol=0, atol=1e-12)
    np.testing.assert_allclose(dx, expected[3], rtol=0, atol=1e-12)


@pytest.mark.parametrize("geometry", GEOMETRIES[::3], ids=str)
def test_positions(geometry):
    x, g = drawn(geometry)
    _, places = jaxcnn.max_pool_with_indices(jnp.asarray(x, jnp.float32), **options(geometry))
    np.testing.assert_array_equal(places, oracle(x, g, *geometry[:3], geometry[4])[4])


@pytest.mark.parametrize("geometry", GEOMETRIES[::3], ids=str)
def test_integers_whose_least_value_is_in_the_window(geometry):
    x, g = drawn(geometry, special=False)
    whole = np.where(x < 0, np.iinfo(np.int32).min, x).astype(np.int32)
    y = jaxcnn.max_pool(jnp.asarray(whole), **options(geometry))
    expected = oracle(whole, g, *geometry[:3], geometry[4])[0]
    np.testing.assert_array_equal(y, np.maximum(expected, np.iinfo(np.int32).min).astype(np.int32))


@pytest.mark.parametrize("geometry", GEOMETRIES[::2], ids=str)
def test_second_order_goes_to_the_winner(geometry):
    """The Hessian of half the sum of squares of the maxima is diagonal: how many windows an element wins."""
    x, g = drawn(geometry, special=False)
    wins = oracle(x, np.ones_like(g), *geometry[:3], geometry[4])[1]
    with jax.enable_x64(True):
        x, v = jnp.asarray(x), jnp.asarray(np.random.default_rng(0).standard_normal(x.shape))

        def energy(x):
            y = jaxcnn.max_pool(x, **options(geometry))
            return jnp.sum(jnp.where(jnp.isfinite(y), y, jnp.zeros_like(y)) ** 2) / 2

        forward = jax.jvp(jax.grad(energy), (x,), (v,))[1]
        reverse = jax.grad(lambda x: jnp.vdot(jax.grad(energy)(x), v))(x)
    right = wins * np.asarray(v)
    np.testing.assert_allclose(forward, right, rtol=0, atol=1e-12)
    np.testing.assert_allclose(reverse, right, rtol=0, atol=1e-12)


@pytest.mark.parametrize("window", [255, 256, 257, 300, 4096])
@pytest.mark.parametrize("stride", [1, 64])
def test_numbers_of_taps_at_the_limits_of_their_dtype(window, stride):
    x = np.random.default_rng(window).integers(0, 50, (1, window + 200, 1)).astype(np.float32)
    y, pull = jax.vjp(lambda x: jaxcnn.max_pool(x, (window,), strides=stride), jnp.asarray(x))
    row, dx = x.ravel(), np.zeros(x.size)
    starts = range(0, 201, stride)
    for start in starts:
        dx[start + np.argmax(row[start : start + window])] += 1
    np.testing.assert_array_equal(y.ravel(), [row[start : start + window].max() for start in starts])
    np.testing.assert_array_equal(pull(jnp.ones_like(y))[0].ravel(), dx)


def test_the_residual_of_a_long_window_is_the_number_of_the_winning_tap():
    x = jnp.zeros((1, 600, 2))
    for window, dtype in ((256, jnp.uint8), (257, jnp.uint16)):
        saved = jax.tree.leaves(jax.vjp(lambda x, window=window: jaxcnn.max_pool(x, (window,)), x)[1])
        assert [(leaf.shape, leaf.dtype) for leaf in saved if leaf.size > 1] == [((1, 601 - window, 2), dtype)]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("shape", [(0, 2), (2, 0)])
def test_nothing_comes_of_no_examples_or_no_channels(shape, geometry):
    examples, channels = shape
    x = jnp.zeros((examples, geometry[3], channels))
    for pool in (jaxcnn.max_pool, jaxcnn.min_pool, jaxcnn.avg_pool, jaxcnn.max_pool_with_indices):
        y, pull = jax.vjp(lambda x, pool=pool: jax.tree.leaves(pool(x, **options(geometry)))[0], x)
        assert (y.shape[0], y.shape[-1]) == shape
        assert pull(y)[0].shape == x.shape


def test_a_sum_holds_no_infinity_of_another_window():
    x = jnp.zeros(400).at[200].set(jnp.inf).reshape(400, 1)
    y = jaxcnn.sum_pool(x, (100,)).ravel()
    np.testing.assert_array_equal(jnp.isinf(y), (np.arange(301) > 100) & (np.arange(301) <= 200))
    assert not jnp.isnan(y).any()


def test_a_long_sum_keeps_its_digits():
    """Differences of running sums would lose 1e-4 of what is behind a thousand numbers of size 1e4."""
    x = np.concatenate([np.full(1000, 1e4), np.full(1000, 1e-2)]).astype(np.float32).reshape(2000, 1)
    y = jaxcnn.avg_pool(jnp.asarray(x), (500,)).ravel()
    np.testing.assert_allclose(y[1000:], 1e-2, rtol=1e-6)


def test_more_than_a_few_taps_are_a_long_window():
    assert min(window for window, *_ in GEOMETRIES) > windows.FEW_TAPS
    assert all(
        long_windows.sliding_sum(jnp.ones((1, 20, 1)), 1, n, 21 - n).ravel().tolist() == [n] * (21 - n)
        for n in range(1, 12)
    )
