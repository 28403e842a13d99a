"""Maximum and minimum over windows by `lax.reduce_window`, differentiated by JAX.

What JAX makes of it differs from `jaxcnn.ops` where it is wrong: at NaN, and at -inf beside padding. It has no
derivative for dilated windows. There the elements of every window are gathered, and one of them is taken by its number,
which is right everywhere.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.ops._layout import channels_last
from jaxcnn.ops._pools import run_pool
from jaxcnn.ops._window import PaddingLike, PoolConfig, dilated_size, output_size
from jaxcnn.reference._maxima import first_maximum


def max_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the maximum of every window; the autodiff twin of `jaxcnn.max_pool`."""
    return run_pool(_extreme, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers, False)


def min_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the minimum of every window; the autodiff twin of `jaxcnn.min_pool`."""
    return run_pool(_extreme, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers, True)


def global_max_pool(
    x: jax.Array, *, spatial_rank: int | None = None, dimension_numbers: str | None = None
) -> jax.Array:
    """Take the maximum over all positions; the autodiff twin of `jaxcnn.global_max_pool`."""
    x = channels_last(x, dimension_numbers)
    rank = x.ndim - 2 if spatial_rank is None else spatial_rank
    return first_maximum(x, x.ndim - 1 - rank, rank)


def _extreme(x: jax.Array, config: PoolConfig, minimum: bool) -> jax.Array:
    if max(config.dilation) > 1:
        return gathered_extreme(x, config, minimum)[0]
    return reduce_windows(x, worst(x.dtype, minimum), lax.min if minimum else lax.max, config)


def worst(dtype: Any, minimum: bool) -> np.ndarray:
    """Return what loses against every other number."""
    sign = 1 if minimum else -1
    if jnp.issubdtype(dtype, jnp.floating):
        return np.array(sign * np.inf, dtype)
    return np.array(jnp.iinfo(dtype).max if minimum else jnp.iinfo(dtype).min, dtype)


def reduce_windows(x: jax.Array, initial: np.ndarray, combine: Any, config: PoolConfig) -> jax.Array:
    """Reduce every window of x `[N, *spatial, C]`; dilated ones have a derivative only if `combine` is `lax.add`."""
    window, strides, dilation = ((1, *each, 1) for each in (config.window, config.strides, config.dilation))
    padding = [(0, 0), *config.padding, (0, 0)]
    return lax.reduce_window(x, initial, combine, window, strides, padding, window_dilation=dilation)


def gathered_extreme(x: jax.Array, config: PoolConfig, minimum: bool) -> tuple[jax.Array, jax.Array]:
    """Return the maxima or minima of x `[N, *spatial, C]` and the numbers of their positions; a NaN is either."""
    values, inside, numbers = gather_windows(x, config)
    # A tap that is padding has the place of the window's first element, so that it changes nothing.
    lowest = jnp.asarray(worst(x.dtype, minimum))
    nan = jnp.isnan(values)
    best = (jnp.argmin if minimum else jnp.argmax)(jnp.where(nan, lowest, values), -1, keepdims=True)
    best = jnp.where(jnp.any(nan, -1, keepdims=True), jnp.argmax(nan, -1, keepdims=True), best)
    y, place = (jnp.take_along_axis(of, best, -1)[..., 0] for of in (values, jnp.broadcast_to(numbers, values.shape)))
    some = inside.any(-1)
    return jnp.where(some, y, lowest), jnp.where(some, place, jnp.full_like(place, -1))


def gather_windows(x: jax.Array, config: PoolConfig) -> tuple[jax.Array, np.ndarray, np.ndarray]:
    """Return the K elements of every window of x `[N, *spatial, C]` as `[N, *out, C, K]`.

    Returns:
      The elements; which of them are not padding, in whose place the first of the window's that is not stands; and the
      number of the position of each in the uncropped input. Both have the size 1 along the batch and the channels.
    """
    rank = len(config.window)
    inside, numbers, positions = np.array(True), np.array(0, np.int32), 1
    for axis in reversed(range(rank)):
        before, after = config.cropped[axis]
        at, here = _taps(config, axis)
        x = jnp.take(x, at, axis + 1, mode="clip")
        inside = here.reshape(*here.shape, *[1] * (2 * (rank - 1 - axis))) & inside
        numbers = ((at + before) * positions).reshape(*at.shape, *[1] * (2 * (rank - 1 - axis))) + numbers
        positions *= before + config.input_size[axis] + after
    # From [N, out, K, out, K, ..., C] to [N, out, out, ..., C, K].
    outs, taps = range(1, 2 * rank, 2), range(2, 2 * rank + 1, 2)
    arrays = []
    for array in (x, inside[None, ..., None], numbers[None, ..., None]):
        moved = array.transpose(0, *outs, 2 * rank + 1, *taps)
        arrays.append(moved.reshape(*moved.shape[: rank + 2], -1))
    return arrays[0], arrays[1], arrays[2].astype(np.int32)


def _taps(config: PoolConfig, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the taps of each window are along an axis, `[out, K]`, and which of them are not padding."""
    size, stride, (low, _) = config.input_size[axis], config.strides[axis], config.padding[axis]
    extent = dilated_size(config.window[axis], config.dilation[axis])
    first = np.arange(output_size(size, extent, stride, config.padding[axis])) * stride - low
    at = first[:, None] + np.arange(config.window[axis]) * config.dilation[axis]
    inside = (at >= 0) & (at < size)
    some = np.take_along_axis(at, np.argmax(inside, 1)[:, None], 1)
    return np.clip(np.where(inside, at, some), 0, size - 1), inside
