"""What all pools over windows share: the arguments made canonical, one batch axis, and the result with all of them."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._sizes import require_static
from jaxcnn.ops._layout import channels_last, from_channels_last
from jaxcnn.ops._rule import merge_batch, split_batch
from jaxcnn.ops._window import (
    LARGEST_SIZE,
    Ints,
    PaddingLike,
    Pairs,
    PoolConfig,
    canonical_int,
    canonical_ints,
    canonical_padding,
    ceil_mode_high,
    dilated_size,
    is_empty,
    output_size,
)


def run_pool(
    pool: Callable[..., Any],
    x: jax.Array,
    window_shape: Any,
    strides: Any,
    padding: PaddingLike,
    window_dilation: Any,
    ceil_mode: bool,
    dimension_numbers: str | None,
    *static: Any,
) -> Any:
    """Return `pool(x, config, *static)`, an array or several, for x with any number of batch axes.

    `pool` is given x as `[N, *spatial, C]`, cropped where the padding is negative, and so its results have one batch
    axis too.

    Raises:
      TypeError: an argument has the wrong type.
      ValueError: shapes and arguments do not fit each other.
    """
    given, x = x, channels_last(x, dimension_numbers)
    window = canonical_sizes("window_shape", window_shape, given)
    require_all_spatial("window_shape", window, x, dimension_numbers)
    rank = len(window)
    require_static("x", x.shape, range(-rank - 1, -1))
    strides = canonical_ints("strides", 1 if strides is None else strides, rank)
    dilation = canonical_ints("window_dilation", window_dilation, rank)
    if not isinstance(ceil_mode, bool):
        raise TypeError(f"ceil_mode (={ceil_mode!r}) must be True or False")
    extents = tuple(map(dilated_size, window, dilation))
    if max(extents) > LARGEST_SIZE:
        raise ValueError(f"window_dilation (={window_dilation!r}) must leave a window at most {LARGEST_SIZE} elements")
    pairs = canonical_padding(
        padding, x.shape[-rank - 1 : -1], extents, strides, ceil_mode=ceil_mode, may_be_empty=True
    )
    cropped = tuple((max(-low, 0), max(-high, 0)) for low, high in pairs)
    pairs = tuple((max(low, 0), max(high, 0)) for low, high in pairs)
    flat = _crop(merge_batch(x, rank + 1), cropped)
    size, beyond = flat.shape[1:-1], (0,) * rank
    if ceil_mode:
        highs = tuple(
            high if is_empty((n,)) else ceil_mode_high(n, extent, stride, (low, high))
            for n, extent, stride, (low, high) in zip(size, extents, strides, pairs, strict=True)
        )
        beyond = tuple(max(new - high, 0) for new, (_, high) in zip(highs, pairs, strict=True))
        pairs = tuple((low, new) for new, (low, _) in zip(highs, pairs, strict=True))
    config = PoolConfig(window, strides, pairs, size, dilation, beyond, cropped)
    outputs = tuple(
        max(n, 0) if is_empty((m,)) else n
        for m, n in zip(size, map(output_size, size, extents, strides, pairs), strict=True)
    )

    def returned(y: jax.Array) -> jax.Array:
        return from_channels_last(split_batch(y, x, rank + 1), dimension_numbers)

    if is_empty(outputs):
        return jax.tree.map(returned, _without_windows(pool, flat, config, extents, outputs, *static))
    return jax.tree.map(returned, pool(flat, config, *static))


def _without_windows(
    pool: Callable[..., Any], x: jax.Array, config: PoolConfig, extents: Ints, outputs: Ints, *static: Any
) -> Any:
    """Return the results of a pool of x without positions along an axis: of the one window of a stand-in, none."""
    axes = tuple(range(1, x.ndim - 1))
    nothing = jnp.sum(x, axes, keepdims=True, dtype=x.dtype)
    stand_in = jnp.broadcast_to(nothing, (x.shape[0], *extents, x.shape[-1]))
    none = ((0, 0),) * len(axes)
    whole = config._replace(padding=none, input_size=extents, beyond=(0,) * len(axes), cropped=none)

    def emptied(y: jax.Array) -> jax.Array:
        axis = 1 + outputs.index(0)
        return jnp.broadcast_to(lax.slice_in_dim(y, 0, 0, axis=axis), (x.shape[0], *outputs, x.shape[-1]))

    return jax.tree.map(emptied, pool(stand_in, whole, *static))


def _crop(x: jax.Array, cropped: Pairs) -> jax.Array:
    """Drop the given numbers of elements before and after x `[N, *spatial, C]`."""
    for axis, (low, high) in enumerate(cropped, start=1):
        if low or high:
            x = lax.slice_in_dim(x, low, x.shape[axis] - high, axis=axis)
    return x


def one_window(spatial: Ints) -> PoolConfig:
    """Return the configuration of a pool whose window holds all positions."""
    rank = len(spatial)
    ones, zeros, no_pairs = (1,) * rank, (0,) * rank, ((0, 0),) * rank
    return PoolConfig(spatial, ones, no_pairs, spatial, dilation=ones, beyond=zeros, cropped=no_pairs)


def spatial_sizes(x: jax.Array, spatial_rank: int | None, given: jax.Array) -> Ints:
    """Return the sizes of the spatial axes of x, for a pool over all positions; `given` is x as the user has it.

    Raises:
      TypeError: spatial_rank is not an int.
      ValueError: x has no such axes, or one without elements.
    """
    rank = x.ndim - 2 if spatial_rank is None else canonical_int("spatial_rank", spatial_rank)
    if not 1 <= rank <= x.ndim - 1:
        raise ValueError(f"spatial_rank (={rank}) must be 1 to {x.ndim - 1} for x of shape {given.shape}")
    require_static("x", x.shape, range(-rank - 1, -1))
    spatial = x.shape[-rank - 1 : -1]
    require_positions("x", spatial)
    return spatial


def require_positions(name: str, spatial: Ints) -> None:
    """Check that there is something to pool, and that 32 bits number it.

    Raises:
      ValueError: a spatial axis is empty, or there are more positions.
    """
    positions = math.prod(spatial)
    if not 1 <= positions <= LARGEST_SIZE:
        raise ValueError(f"{name}, of spatial shape {spatial}, must have 1 to {LARGEST_SIZE} positions (={positions})")


def canonical_sizes(name: str, sizes: Any, x: jax.Array) -> Ints:
    """Return `sizes`, one for each spatial axis of x, as a tuple.

    Raises:
      TypeError: it is no sequence of ints.
      ValueError: there are more than x has axes, or none, or one is below 1.
    """
    if not hasattr(sizes, "__len__"):
        raise TypeError(f"{name} (={sizes!r}) must be a sequence with one size for each spatial axis")
    canonical = canonical_ints(name, sizes, len(sizes))
    if not 1 <= len(sizes) <= x.ndim - 1:
        raise ValueError(f"{name} (={sizes!r}) must have 1 to {x.ndim - 1} axes for x of shape {x.shape}")
    return canonical


def require_all_spatial(name: str, sizes: Ints, x: jax.Array, dimension_numbers: str | None) -> None:
    """Check that there is a size for each spatial axis that dimension_numbers name.

    Raises:
      ValueError: there are fewer.
    """
    if dimension_numbers is not None and len(sizes) != x.ndim - 2:
        raise ValueError(
            f"{name} (={sizes}) must have a size for each spatial axis of dimension_numbers (={dimension_numbers!r})"
        )
