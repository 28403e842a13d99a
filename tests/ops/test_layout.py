"""Axes in other places: every layer that has `dimension_numbers` is the one of channels last, moved."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn

POOLS = {
    "max_pool": {"window_shape": (2, 3), "strides": (2, 1), "padding": ((1, 0), (0, 2))},
    "min_pool": {"window_shape": (2, 3), "padding": "SAME"},
    "avg_pool": {"window_shape": (2, 3), "strides": 2, "ceil_mode": True},
    "sum_pool": {"window_shape": (3, 2), "window_dilation": (1, 2)},
    "lp_pool": {"norm": 2, "window_shape": (2, 3)},
    "adaptive_avg_pool": {"output_size": (2, 3)},
    "adaptive_max_pool": {"output_size": (4, None)},
    "global_avg_pool": {},
    "global_max_pool": {},
}
X = jnp.asarray(np.random.default_rng(0).permutation(2 * 5 * 6 * 3).reshape(2, 5, 6, 3), jnp.float32) / 64


def moved(x, letters):
    """Return x `[N, H, W, C]` with its axes where the letters say."""
    return x.transpose(["NHWC".index(letter) for letter in letters])


@pytest.mark.parametrize("letters", ["NCHW", "CHWN", "HNWC"])
@pytest.mark.parametrize("name", POOLS)
def test_pools_of_axes_elsewhere(name, letters):
    pool = functools.partial(getattr(jaxcnn, name), **POOLS[name])
    y, pull = jax.vjp(pool, X)
    there, pull_there = jax.vjp(functools.partial(pool, dimension_numbers=letters), moved(X, letters))
    g = jnp.sin(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape)
    place = (lambda y: y) if name.startswith("global") else functools.partial(moved, letters=letters)
    np.testing.assert_array_equal(there, place(y))
    np.testing.assert_array_equal(pull_there(place(g))[0], moved(pull(g)[0], letters))


@pytest.mark.parametrize("letters", ["NCHW", "CHWN"])
def test_indices_count_the_positions_whatever_the_layout(letters):
    y, indices = jaxcnn.max_pool_with_indices(X, (2, 3), (2, 3))
    there = jaxcnn.max_pool_with_indices(moved(X, letters), (2, 3), (2, 3), dimension_numbers=letters)
    np.testing.assert_array_equal(there[0], moved(y, letters))
    np.testing.assert_array_equal(there[1], moved(indices, letters))
    back = jaxcnn.max_unpool(*there, (5, 6), dimension_numbers=letters)
    np.testing.assert_array_equal(back, moved(jaxcnn.max_unpool(y, indices, (5, 6)), letters))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: jaxcnn.max_pool(X, (2, 2), dimension_numbers=("NHWC",)), TypeError, r"must be None or a string such as"),
        (lambda: jaxcnn.max_pool(X, (2, 2), dimension_numbers="NHC"), ValueError, r"must name each of the 4 axes of x"),
        (lambda: jaxcnn.avg_pool(X, (2, 2), dimension_numbers="NHHC"), ValueError, r"\(='NHHC'\) must name each of the 4"),
        (lambda: jaxcnn.lp_pool(X, 2, (2, 2), dimension_numbers="BHWC"), ValueError, r"\(='BHWC'\) must name each of the 4"),
        (lambda: jaxcnn.sum_pool(X, (2,), dimension_numbers="NHWC"), ValueError, r"window_shape \(=\(2,\)\) must have a size"),
        (lambda: jaxcnn.adaptive_avg_pool(X, (2,), dimension_numbers="NHWC"), ValueError, r"output_size \(=\(2,\)\) must have"),
        (lambda: jaxcnn.global_avg_pool(X, dimension_numbers=3), TypeError, r"dimension_numbers \(=3\) must be None or"),
        (
            lambda: jaxcnn.conv_transpose(X, X, dimension_numbers=("NHWC", "HWIO")),
            TypeError,
            r"dimension_numbers \(=\('NHWC', 'HWIO'\)\) must be three strings",
        ),
        (
            lambda: jaxcnn.conv_transpose(X, X, dimension_numbers=("NHWC", "HWIO", "NHWD")),
            ValueError,
            r"dimension_numbers \(=.*\) must be three strings",
        ),
    ],
)  # fmt: skip
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
