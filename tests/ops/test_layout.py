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


N, KERNEL, NCW = jnp.ones((1, 2, 3)), jnp.ones((4, 2, 3)), ("NCW", "OIW", "NCW")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jaxcnn.adaptive_avg_pool(N, (), dimension_numbers="NCW"), r"output_size \(=\(\)\) must have 1 to 2 axes for x of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.adaptive_max_pool(N, (1,) * 3, dimension_numbers="NCW"), r"output_size \(=\(1, 1, 1\)\) .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.max_pool(N, (), dimension_numbers="NCW"), r"window_shape \(=\(\)\) .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.min_pool(N, (1,) * 3, dimension_numbers="NCW"), r"window_shape .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.avg_pool(N, (), dimension_numbers="NCW"), r"window_shape .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.sum_pool(N, (), dimension_numbers="NCW"), r"window_shape .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.lp_pool(N, 2, (), dimension_numbers="NCW"), r"window_shape .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.max_pool_with_indices(N, (), dimension_numbers="NCW"), r"window_shape .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.max_unpool(N, N.astype(int), (), dimension_numbers="NCW"), r"output_size .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.global_avg_pool(N, spatial_rank=3, dimension_numbers="NCW"), r"spatial_rank \(=3\) .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.global_max_pool(N, spatial_rank=3, dimension_numbers="NCW"), r"spatial_rank \(=3\) .* of shape \(1, 2, 3\)"),
        (lambda: jaxcnn.conv(N[:, :0], KERNEL[:, :0], dimension_numbers=NCW), r"x shape \(=\(1, 0, 3\)\) and kernel shape \(=\(4, 0, 3\)\) must have no empty axis but batch"),
        (lambda: jaxcnn.conv_transpose(N[:, :0], KERNEL[:, :0], dimension_numbers=NCW), r"x shape \(=\(1, 0, 3\)\) and kernel shape \(=\(4, 0, 3\)\)"),
        (lambda: jaxcnn.conv(N, KERNEL, jnp.ones(5), dimension_numbers=NCW), r"bias shape \(=\(5,\)\) must be \[C\] for 4 output channels"),
        (lambda: jaxcnn.conv_transpose(N, KERNEL, jnp.ones((1, 4)), dimension_numbers=NCW), r"bias shape \(=\(1, 4\)\) must be \[C\]"),
        (lambda: jaxcnn.max_pool(N, (4,), dimension_numbers="NCW"), r"the window's extent \(=4\) must not exceed the padded input's \(=3\)"),
    ],
)  # fmt: skip
def test_errors_show_shapes_as_they_were_given(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda n: jaxcnn.conv(X, X[0], feature_group_count=n),
        lambda n: jaxcnn.conv_transpose(X, X[0], feature_group_count=n, transpose_kernel=True),
        lambda n: jaxcnn.group_norm(X, num_groups=n),
        lambda n: jaxcnn.local_response_norm(X, n),
        lambda n: jaxcnn.global_avg_pool(X, spatial_rank=n),
        lambda n: jaxcnn.instance_norm(X, spatial_rank=n),
        lambda n: jaxcnn.spatial_dropout(X, 0.5, key=jax.random.key(0), spatial_rank=n),
        lambda n: jaxcnn.flatten(X, batch_rank=n),
        lambda n: jaxcnn.stochastic_depth(X, 0.5, "row", key=jax.random.key(0), batch_rank=n),
    ],
)
def test_a_number_that_belongs_to_no_axis_is_not_said_to(call):
    with pytest.raises(ValueError, match=r"\w+ \(=-1\) must be at least [01]$"):
        call(-1)
    with pytest.raises(TypeError, match=r"\w+ \(=1.5\) must be an int$"):
        call(1.5)
