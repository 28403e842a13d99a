"""Maximum and average over windows.

Max-pool, forward: y[n, o, c] = max over t of x[n, o * stride + t - low, c], t in the window, padding left out.

Derivation. y[n, o, c] equals one element of its window, the winner, and depends on no other, so

    dx[n, p, c] = sum of g[n, o, c] over the windows o whose winner is p

with a sum because windows may overlap. Where the maximum is attained more than once the winner is the first in
row-major order: one element of the subdifferential, the same that jax and torch choose. A NaN is a winner, the first
one, because the value of the window is its own; padding never is, not even over -inf.
Residuals: the winning tap along each axis, one byte an element, instead of x.

Average pool, forward: y[n, o, c] = (sum over the window of x[n, o * stride + t - low, c]) / count[o], where count is
the size of the window, or the number of its elements that are not padding.

Derivation. Each element of the window enters with the factor 1 / count[o], so

    dx[n, p, c] = sum over the windows o that hold p of g[n, o, c] / count[o]

Residuals: none. The sums run in float32 or wider and are cast once; the average over all positions is the case of
one window.

References: Boureau, Ponce and LeCun 2010, "A theoretical analysis of feature pooling in visual recognition"; Lin, Chen
and Yan 2013, "Network in network", arXiv:1312.4400 (global average pooling).
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms import windows
from jaxcnn.ops._dtypes import as_array, as_floating, widen
from jaxcnn.ops._rule import compiled, merge_batch, split_batch
from jaxcnn.ops._window import PaddingLike, Pairs, PoolConfig, canonical_ints, canonical_padding


def max_pool(x: jax.Array, window_shape: Any, strides: Any = None, padding: PaddingLike = "VALID") -> jax.Array:
    """Take the maximum of every window.

    `avg_pool` is the sibling that averages.

    Math:
      y[n, o, c] = max_t x[n, o * strides + t - low, c] over the taps t that are not padding.
      VJP: dx[n, p, c] = sum of g[n, o, c] over the windows o whose first maximum is p.

    Args:
      x: `[*batch, *spatial, C]`, floating or integer, with any number of leading batch axes, none included.
      window_shape: one size for each spatial axis, which gives the spatial rank.
      strides: an int, or one for each spatial axis; None is 1, as in flax.
      padding: "SAME", "SAME_LOWER", "VALID", an int, or for each axis an int or a (low, high) pair. What a negative
        one names is cropped first; then the rest is padded.

    Returns:
      `[*batch, *spatial_out, C]` in the dtype of x, spatial_out = (I + low + high - window) // strides + 1. A window
      that holds nothing but padding gives -inf (the smallest value, for integers).

    Gradient:
      At a tie the first maximum in row-major order takes the whole cotangent. A window with a NaN passes it to the
      first NaN. Padding takes nothing, so that -inf beside it takes all. Integers have no gradient.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> x = jnp.array([5.0, 3.0, 1.0, 2.0, 5.0]).reshape(5, 1)
      >>> print(jaxcnn.max_pool(x, (2,)).ravel())
      [5. 3. 2. 5.]

    References:
      Boureau, Ponce and LeCun 2010.
    """
    x = as_array(x)
    if not jnp.issubdtype(x.dtype, jnp.floating) and not jnp.issubdtype(x.dtype, jnp.integer):
        raise TypeError(f"x dtype (={x.dtype}) must be a floating or an integer dtype")
    flat, config = pool_input(x, window_shape, strides, padding)
    y = _compiled_max_pool(flat, config)
    return split_batch(y, x.shape[: -len(config.window) - 1])


def pool_input(x: jax.Array, window_shape: Any, strides: Any, padding: PaddingLike) -> tuple[jax.Array, PoolConfig]:
    """Return x with one batch axis and cropped where the padding is negative, and the canonical configuration.

    Raises:
      TypeError: an argument has the wrong type.
      ValueError: shapes and arguments do not fit each other.
    """
    if not hasattr(window_shape, "__len__"):
        raise TypeError(f"window_shape (={window_shape!r}) must be a sequence with one size for each spatial axis")
    rank = len(window_shape)
    window = canonical_ints("window_shape", window_shape, rank)
    if not 1 <= rank <= x.ndim - 1:
        raise ValueError(f"window_shape (={window_shape!r}) must have 1 to {x.ndim - 1} axes for x of shape {x.shape}")
    strides = canonical_ints("strides", 1 if strides is None else strides, rank)
    spatial = x.shape[-rank - 1 : -1]
    pairs = canonical_padding(padding, spatial, window, strides)
    x = _crop(merge_batch(x, rank + 1), pairs)
    pairs = tuple((max(low, 0), max(high, 0)) for low, high in pairs)
    return x, PoolConfig(window, strides, pairs, x.shape[1:-1])


def _crop(x: jax.Array, pairs: Pairs) -> jax.Array:
    """Drop what negative paddings name from x `[N, *spatial, C]`."""
    for axis, (low, high) in enumerate(pairs, start=1):
        if min(low, high) < 0:
            x = lax.slice_in_dim(x, max(-low, 0), x.shape[axis] - max(-high, 0), axis=axis)
    return x


def _max_pool_impl(x: jax.Array, config: PoolConfig) -> jax.Array:
    return windows.max_forward(x, config)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool(x: jax.Array, config: PoolConfig) -> jax.Array:
    return _max_pool_impl(x, config)


def _max_pool_fwd(x: jax.Array, config: PoolConfig) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    # The winning taps, one byte an element of each axis' result; x itself is not kept.
    return windows.max_forward(x, config)


def _max_pool_bwd(config: PoolConfig, taps: tuple[jax.Array, ...], g: jax.Array) -> tuple[jax.Array]:
    return (windows.max_dx(widen(g), taps, config).astype(g.dtype),)


_max_pool.defvjp(_max_pool_fwd, _max_pool_bwd)
_compiled_max_pool = compiled(_max_pool, "max_pool", static_argnums=(1,))


def avg_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    count_include_pad: bool = True,
) -> jax.Array:
    """Take the average of every window.

    `max_pool` is the sibling that takes the maximum, `global_avg_pool` the one over all positions.

    Math:
      y[n, o, c] = sum_t x[n, o * strides + t - low, c] / count[o].
      VJP: dx[n, p, c] = sum of g[n, o, c] / count[o] over the windows o that hold p.

    Args:
      x: `[*batch, *spatial, C]`, floating, with any number of leading batch axes, none included.
      window_shape: one size for each spatial axis, which gives the spatial rank.
      strides: an int, or one for each spatial axis; None is 1, as in flax.
      padding: "SAME", "SAME_LOWER", "VALID", an int, or for each axis an int or a (low, high) pair. What a negative
        one names is cropped first; then the rest is padded.
      count_include_pad: whether padding counts as elements of value 0, as in flax and torch, or not at all, as in
        haiku and keras.

    Returns:
      `[*batch, *spatial_out, C]` in the dtype of x, spatial_out = (I + low + high - window) // strides + 1. Without
      counted padding, a window that holds nothing else gives nan, the average of nothing.

    Gradient:
      Linear, so there are no kinks. Elements that no window reads have the gradient 0.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.avg_pool(jnp.array([[1.0], [3.0], [5.0]]), (2,)).ravel())
      [2. 4.]

    References:
      Boureau, Ponce and LeCun 2010.
    """
    x = as_floating("x", x)
    if not isinstance(count_include_pad, bool):
        raise TypeError(f"count_include_pad (={count_include_pad!r}) must be True or False")
    flat, config = pool_input(x, window_shape, strides, padding)
    y = _compiled_avg_pool(flat, config, count_include_pad)
    return split_batch(y, x.shape[: -len(config.window) - 1])


def global_avg_pool(x: jax.Array, *, spatial_rank: int | None = None) -> jax.Array:
    """Average over all spatial positions.

    The usual step from feature maps to `dense`; `flatten` is the one that keeps positions apart.

    Math:
      y[n, c] = sum_p x[n, p, c] / P over the P positions p.
      VJP: dx[n, p, c] = g[n, c] / P.

    Args:
      x: `[*batch, *spatial, C]`, floating.
      spatial_rank: the number of spatial axes; None takes all but the first axis, the batch, and the channels.

    Returns:
      `[*batch, C]` in the dtype of x.

    Gradient:
      Linear, so there are no kinks.

    Raises:
      TypeError: the dtype of x is not floating, or spatial_rank is not an int.
      ValueError: x has no such spatial axes.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.global_avg_pool(jnp.arange(8.0).reshape(1, 2, 2, 2)))
      [[3. 4.]]

    References:
      Lin, Chen and Yan 2013, arXiv:1312.4400.
    """
    x = as_floating("x", x)
    rank = x.ndim - 2 if spatial_rank is None else canonical_ints("spatial_rank", spatial_rank, 1)[0]
    if not 1 <= rank <= x.ndim - 1:
        raise ValueError(f"spatial_rank (={rank}) must be 1 to {x.ndim - 1} for x of shape {x.shape}")
    spatial = x.shape[-rank - 1 : -1]
    config = PoolConfig(spatial, (1,) * rank, ((0, 0),) * rank, spatial)
    return split_batch(_compiled_global_avg_pool(merge_batch(x, rank + 1), config), x.shape[: -rank - 1])


def _avg_pool_impl(x: jax.Array, config: PoolConfig, count_include_pad: bool) -> jax.Array:
    sums = windows.sum_forward(widen(x), config)
    return (sums / _counts(config, count_include_pad, sums.dtype)).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _avg_pool(x: jax.Array, config: PoolConfig, count_include_pad: bool) -> jax.Array:
    return _avg_pool_impl(x, config, count_include_pad)


def _avg_pool_fwd(x: jax.Array, config: PoolConfig, count_include_pad: bool) -> tuple[jax.Array, None]:
    return _avg_pool_impl(x, config, count_include_pad), None


def _avg_pool_bwd(config: PoolConfig, count_include_pad: bool, residuals: None, g: jax.Array) -> tuple[jax.Array]:
    del residuals
    wide = widen(g)
    return (windows.sum_dx(wide / _counts(config, count_include_pad, wide.dtype), config).astype(g.dtype),)


def _counts(config: PoolConfig, count_include_pad: bool, dtype: Any) -> jax.Array:
    """Return what each window's sum is divided by: `[1, *spatial_out, 1]`, or a scalar where all are the same."""
    size = math.prod(config.window)
    return jnp.asarray(size if count_include_pad else windows.window_counts(config), dtype)


_avg_pool.defvjp(_avg_pool_fwd, _avg_pool_bwd)
_compiled_avg_pool = compiled(_avg_pool, "avg_pool", static_argnums=(1, 2))


def _global_avg_pool(x: jax.Array, config: PoolConfig) -> jax.Array:
    return jnp.squeeze(_avg_pool(x, config, True), tuple(range(1, x.ndim - 1)))


_compiled_global_avg_pool = compiled(_global_avg_pool, "global_avg_pool", static_argnums=(1,))
