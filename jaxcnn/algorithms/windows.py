"""Pooling: the maximum of a box, one spatial axis at a time, and its sum.

Maximum. Along one axis, output o looks at its taps t = 0 .. K - 1, at o * stride + t - low, in order; a tap takes
the place of the best so far when it is greater, or when it is the first NaN; padding never does. The index of the
winning tap is kept. Taking the last spatial axis first and the first one last, the winner of the box is the first
maximum in row-major order: each row keeps its first maximum, and of the rows with the same maximum the first is kept.
The gradient goes the same way back: along each axis, tap t of output o receives g[o] where the index is t.
The chain of selections also differentiates to that choice, which maxima over slices would not (at a tie).
Cost: D * K comparisons an output for windows of K elements along each of D axes, instead of K^D. The indices take one
byte for each element of each axis' result while K <= 256.

Sum. One `reduce_window`; its adjoint sums, for every input, the g of the windows that cover it: windows of the same
size, at stride 1, over g with stride - 1 zeros between its elements. Cost: K^D additions an element.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

if TYPE_CHECKING:
    from jaxcnn.ops._window import PoolConfig


def max_forward(x: jax.Array, config: "PoolConfig") -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Return y and the winning taps along each spatial axis, for x `[N, *spatial, C]`.

    The taps of spatial axis a have the output's size along a and the later axes, the input's along the earlier ones.
    """
    taps: list[jax.Array] = []
    for axis in reversed(range(len(config.window))):
        x, winner = _max_along(x, axis + 1, config.window[axis], config.strides[axis], config.padding[axis])
        taps.insert(0, winner)
    return x, tuple(taps)


def max_dx(g: jax.Array, taps: Sequence[jax.Array], config: "PoolConfig") -> jax.Array:
    """Return the cotangent of x: every g at the winner of its window, added where windows overlap."""
    for axis, winner in enumerate(taps):
        window, stride, (low, _) = config.window[axis], config.strides[axis], config.padding[axis]
        size = config.input_size[axis]
        contributions = [
            _place(jnp.where(winner == t, g, jnp.zeros_like(g)), axis + 1, t - low, size, stride) for t in range(window)
        ]
        g = sum(contributions[1:], start=contributions[0])
    return g


def sum_forward(x: jax.Array, config: "PoolConfig") -> jax.Array:
    """Return the window sums of x `[N, *spatial, C]`, in the dtype of x."""
    return _window_sum(x, config.window, config.strides, config.padding)


def sum_dx(g: jax.Array, config: "PoolConfig") -> jax.Array:
    """Return the cotangent of x: at each element, the sum of the g whose window covers it."""
    rank = len(config.window)
    for axis in range(rank):
        window, stride, (low, _) = config.window[axis], config.strides[axis], config.padding[axis]
        g = _place(g, axis + 1, window - 1 - low, config.input_size[axis] + window - 1, stride)
    return _window_sum(g, config.window, (1,) * rank, ((0, 0),) * rank)


def window_counts(config: "PoolConfig") -> np.ndarray:
    """Return how many elements of the input each window holds, padding not counted: `[1, *spatial_out, 1]`."""
    counts = np.ones((1,), np.int64)
    for window, stride, padding, size in zip(*config, strict=True):
        counts = counts[..., None] * sum(_inside(t, size, window, stride, padding) for t in range(window))
    return counts[..., None]


def _inside(t: int, size: int, window: int, stride: int, padding: tuple[int, int]) -> np.ndarray:
    """Return, for every output along one axis, whether tap t of its window lies inside the input."""
    position = np.arange((size + sum(padding) - window) // stride + 1) * stride + t - padding[0]
    return (position >= 0) & (position < size)


def _max_along(
    x: jax.Array, axis: int, window: int, stride: int, padding: tuple[int, int]
) -> tuple[jax.Array, jax.Array]:
    """Return the maxima of the windows along one axis, and the winning taps."""
    widths = [(0, 0, 0)] * x.ndim
    widths[axis] = (*padding, 0)
    lowest = -jnp.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    padded = lax.pad(x, jnp.array(lowest, x.dtype), widths)
    column = [1] * x.ndim
    column[axis] = -1

    def tap(t: int) -> tuple[jax.Array, np.ndarray]:
        inside = _inside(t, x.shape[axis], window, stride, padding)
        last = t + (inside.size - 1) * stride + 1
        return lax.slice_in_dim(padded, t, last, stride, axis), inside.reshape(column)

    best, have = tap(0)
    index_dtype = np.min_scalar_type(window - 1)
    winner = jnp.zeros(best.shape, index_dtype)
    for t in range(1, window):
        value, inside = tap(t)
        better = (value > best) | (jnp.isnan(value) & ~jnp.isnan(best))
        takes = (better | ~have) & inside
        best = jnp.where(takes, value, best)
        winner = jnp.where(takes, jnp.array(t, index_dtype), winner)
        have = have | inside
    return best, winner


def _place(g: jax.Array, axis: int, first: int, size: int, stride: int) -> jax.Array:
    """Put the elements of g `stride` apart into `size` zeros, the first at `first`; what falls outside is dropped."""
    extent = (g.shape[axis] - 1) * stride + 1
    widths = [(0, 0, 0)] * g.ndim
    widths[axis] = (first, size - first - extent, stride - 1)
    return lax.pad(g, jnp.zeros((), g.dtype), widths)


def _window_sum(
    x: jax.Array, window: tuple[int, ...], strides: tuple[int, ...], padding: Sequence[tuple[int, int]]
) -> jax.Array:
    return lax.reduce_window(
        x, np.zeros((), x.dtype), lax.add, (1, *window, 1), (1, *strides, 1), [(0, 0), *padding, (0, 0)]
    )
