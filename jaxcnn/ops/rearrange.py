"""Layers that only move elements, each to one place.

flatten, forward: y[n, j] = x[n, p, c], where j numbers the positions p and channels c in row-major order.

depth_to_space, forward, with blocks of b elements along each spatial axis: y[n, p b + k, c] = x[n, p, j], where the
position k in the block and the channel c number x's channels in row-major order. In the order "DCR" (depth, column,
row, the names of ONNX) that is j = (k, c), c last, as in TensorFlow; in the order "CRD" it is j = (c, k), c first, as
in PyTorch's pixel_shuffle. space_to_depth is the way back.

Derivation. Each y is one x, and each x is read once, so dx is g under the same renaming backwards: of flatten
dx[n, p, c] = g[n, j]; of depth_to_space it is space_to_depth of g in the same order, and the other way round.

Residuals: none; the shape of x is static.

References: Shi et al. 2016, "Real-time single image and video super-resolution using an efficient sub-pixel
convolutional neural network", arXiv:1609.05158.
"""

import functools
import math
from typing import Any, Literal

import jax

from jaxcnn.algorithms._mesh import reshape
from jaxcnn.ops._dtypes import as_array
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import Ints, canonical_int, canonical_ints, spatial_rank_of

Order = Literal["DCR", "CRD"]


def flatten(x: jax.Array, *, batch_rank: int = 1) -> jax.Array:
    """Merge all axes but the leading batch axes into one.

    The step from feature maps to `dense`; `global_avg_pool` is the sibling that averages positions away.

    Math:
      y[n, j] = x[n, p, c], j in row-major order of (p, c). VJP: dx = g in the shape of x.

    Args:
      x: `[*batch, ...]`, any dtype.
      batch_rank: the number of leading axes to keep.

    Returns:
      `[*batch, F]` with F the product of the other sizes (1 where there are none), in the dtype of x.

    Gradient:
      Linear, so there are no kinks.

    Raises:
      TypeError: batch_rank is not an int.
      ValueError: x has fewer axes than batch_rank.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.flatten(jnp.zeros((8, 7, 7, 64))).shape)
      (8, 3136)

    References:
      LeCun et al. 1998, "Gradient-based learning applied to document recognition".
    """
    x = as_array(x)
    rank = canonical_int("batch_rank", batch_rank, minimum=0)
    if rank > x.ndim:
        raise ValueError(f"batch_rank (={rank}) must not exceed the rank of x (shape {x.shape})")
    return _compiled_flatten(x, x.shape, rank)


def _flatten_impl(x: jax.Array, shape: tuple[int, ...], batch_rank: int) -> jax.Array:
    return x.reshape(*shape[:batch_rank], math.prod(shape[batch_rank:]))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _flatten(x: jax.Array, shape: tuple[int, ...], batch_rank: int) -> jax.Array:
    return _flatten_impl(x, shape, batch_rank)


def _flatten_fwd(x: jax.Array, shape: tuple[int, ...], batch_rank: int) -> tuple[jax.Array, None]:
    return _flatten_impl(x, shape, batch_rank), None


def _flatten_bwd(shape: tuple[int, ...], batch_rank: int, residuals: None, g: jax.Array) -> tuple[jax.Array]:
    del batch_rank, residuals
    return (g.reshape(shape),)


_flatten.defvjp(_flatten_fwd, _flatten_bwd)
_compiled_flatten = compiled(_flatten, "flatten", static_argnums=(1, 2))


def depth_to_space(x: jax.Array, block_size: Any, *, order: Order = "DCR") -> jax.Array:
    """Turn channels into blocks of positions.

    Upsampling without arithmetic, after a convolution that makes enough channels; `space_to_depth` is the way back, and
    `upsample_nearest` the sibling that repeats elements.

    Math:
      y[n, p * block_size + k, c] = x[n, p, j] with j = (k, c) in row-major order, or (c, k) in the order "CRD".
      VJP: dx = space_to_depth(g) in the same order.

    Args:
      x: `[*batch, *spatial, C]`, any dtype; the elements of a block must divide C.
      block_size: an int for all axes but the first and the last, or one for each spatial axis.
      order: how the positions of a block and the channels of y number the channels of x: "DCR", the channel last, as
        TensorFlow and ONNX's DepthToSpace do by default; or "CRD", the channel first, as in PyTorch's pixel_shuffle.

    Returns:
      `[*batch, *(spatial * block_size), C / elements of a block]` in the dtype of x.

    Gradient:
      Linear, so there are no kinks.

    Raises:
      TypeError: block_size is neither an int nor ints.
      ValueError: the blocks do not divide the channels, x has no such spatial axes, or order is neither of the two.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.depth_to_space(jnp.arange(4).reshape(1, 1, 1, 4), 2)[0, :, :, 0])
      [[0 1]
       [2 3]]

    References:
      Shi et al. 2016, arXiv:1609.05158.
    """
    x = as_array(x)
    blocks = _canonical_blocks(block_size, x.ndim)
    _check_order(order)
    if x.shape[-1] % math.prod(blocks):
        raise ValueError(
            f"block_size (={block_size!r}) must make blocks whose elements (={math.prod(blocks)}) divide the channels "
            f"(={x.shape[-1]})"
        )
    return _compiled_depth_to_space(x, blocks, order)


def space_to_depth(x: jax.Array, block_size: Any, *, order: Order = "DCR") -> jax.Array:
    """Turn blocks of positions into channels.

    Downsampling that loses nothing; `depth_to_space` is the way back.

    Math:
      y[n, p, j] = x[n, p * block_size + k, c] with j = (k, c) in row-major order, or (c, k) in the order "CRD".
      VJP: dx = depth_to_space(g) in the same order.

    Args:
      x: `[*batch, *spatial, C]`, any dtype.
      block_size: an int for all axes but the first and the last, or one for each spatial axis; it divides the axis.
      order: how the positions of a block and the channels of x number the channels of y: "DCR", the channel last, as
        TensorFlow and ONNX's DepthToSpace do by default; or "CRD", the channel first, as in PyTorch's pixel_unshuffle.

    Returns:
      `[*batch, *(spatial / block_size), C * elements of a block]` in the dtype of x.

    Gradient:
      Linear, so there are no kinks.

    Raises:
      TypeError: block_size is neither an int nor ints.
      ValueError: the blocks do not divide the spatial axes, x has no such axes, or order is neither of the two.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.space_to_depth(jnp.arange(4).reshape(1, 2, 2, 1), 2))
      [[[[0 1 2 3]]]]

    References:
      Shi et al. 2016, arXiv:1609.05158.
    """
    x = as_array(x)
    blocks = _canonical_blocks(block_size, x.ndim)
    _check_order(order)
    spatial = x.shape[-len(blocks) - 1 : -1]
    if any(n % b for n, b in zip(spatial, blocks, strict=True)):
        raise ValueError(f"block_size (={block_size!r}) must divide the spatial axes of x (shape {x.shape})")
    return _compiled_space_to_depth(x, blocks, order)


def _canonical_blocks(block_size: Any, ndim: int) -> Ints:
    return canonical_ints("block_size", block_size, spatial_rank_of("block_size", block_size, ndim))


def _check_order(order: Order) -> None:
    if order not in ("DCR", "CRD"):
        raise ValueError(f'order (={order!r}) must be "DCR" or "CRD"')


def _depth_to_space_impl(x: jax.Array, blocks: Ints, order: Order) -> jax.Array:
    first, rank = x.ndim - len(blocks) - 1, len(blocks)
    batch, spatial = x.shape[:first], x.shape[first:-1]
    channels, offset = x.shape[-1] // math.prod(blocks), rank + (order == "CRD")
    apart = reshape(x, (*batch, *spatial, *((*blocks, channels) if order == "DCR" else (channels, *blocks))))
    pairs = [axis for a in range(first, first + rank) for axis in (a, a + offset)]
    moved = apart.transpose(*range(first), *pairs, apart.ndim - 1 if order == "DCR" else first + rank)
    return reshape(moved, (*batch, *(n * b for n, b in zip(spatial, blocks, strict=True)), channels))


def _space_to_depth_impl(x: jax.Array, blocks: Ints, order: Order) -> jax.Array:
    first = x.ndim - len(blocks) - 1
    batch, spatial = x.shape[:first], x.shape[first:-1]
    pairs = [(n // b, b) for n, b in zip(spatial, blocks, strict=True)]
    apart = reshape(x, (*batch, *(size for pair in pairs for size in pair), x.shape[-1]))
    end = apart.ndim - 1
    within = range(first + 1, end, 2)
    last = (*within, end) if order == "DCR" else (end, *within)
    moved = apart.transpose(*range(first), *range(first, end, 2), *last)
    return reshape(moved, (*batch, *(n for n, _ in pairs), x.shape[-1] * math.prod(blocks)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _depth_to_space(x: jax.Array, blocks: Ints, order: Order) -> jax.Array:
    return _depth_to_space_impl(x, blocks, order)


def _depth_to_space_fwd(x: jax.Array, blocks: Ints, order: Order) -> tuple[jax.Array, None]:
    return _depth_to_space_impl(x, blocks, order), None


def _depth_to_space_bwd(blocks: Ints, order: Order, residuals: None, g: jax.Array) -> tuple[jax.Array]:
    del residuals
    return (_space_to_depth_impl(g, blocks, order),)


_depth_to_space.defvjp(_depth_to_space_fwd, _depth_to_space_bwd)
_compiled_depth_to_space = compiled(_depth_to_space, "depth_to_space", static_argnums=(1, 2))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _space_to_depth(x: jax.Array, blocks: Ints, order: Order) -> jax.Array:
    return _space_to_depth_impl(x, blocks, order)


def _space_to_depth_fwd(x: jax.Array, blocks: Ints, order: Order) -> tuple[jax.Array, None]:
    return _space_to_depth_impl(x, blocks, order), None


def _space_to_depth_bwd(blocks: Ints, order: Order, residuals: None, g: jax.Array) -> tuple[jax.Array]:
    del residuals
    return (_depth_to_space_impl(g, blocks, order),)


_space_to_depth.defvjp(_space_to_depth_fwd, _space_to_depth_bwd)
_compiled_space_to_depth = compiled(_space_to_depth, "space_to_depth", static_argnums=(1, 2))
