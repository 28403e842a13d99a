"""Pooling one spatial axis at a time: the maximum or the sum of a box is that along each axis in turn.

Maximum. Along one axis, output o looks at its taps t = 0 .. K - 1, at o * stride + t * dilation - low, in order; a tap
takes the place of the best so far when it is greater, or when it is the first NaN; padding never does. The index of the
winning tap is kept. Taking the last spatial axis first and the first one last, the winner of the box is the first
maximum in row-major order: each row keeps its first maximum, and of the rows with the same maximum the first is kept.
The gradient goes the same way back: along each axis, tap t of output o receives g[o] where the index is t.
The chain of selections also differentiates to that choice, which maxima over slices would not (at a tie). A minimum is
the same with the order turned round; to negate x instead would overflow at the smallest integer.

Sum. y[o] is the sum of its taps, and tap t of output o receives g[o]. Both go by blocks: the taps j * stride to
(j + 1) * stride - 1 of all windows lie end to end in the padded input, so that block j is one reshape to [O, stride],
forwards and backwards, and windows that do not overlap need one block and no addition. Where taps lie `dilation` apart
each is a block of its own.

Cost, for windows of K elements along each of D axes: D * K comparisons or additions an output instead of K^D; the
indices of a maximum take one byte for each element of each axis' result while K <= 256.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.ops._window import dilated_size, output_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import PoolConfig


def max_forward(x: jax.Array, config: "PoolConfig", minimum: bool = False) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Return y, the maxima or the minima, and the winning taps along each spatial axis, for x `[N, *spatial, C]`.

    The taps of spatial axis a have the output's size along a and the later axes, the input's along the earlier ones.
    """
    taps: list[jax.Array] = []
    for axis in reversed(range(1, x.ndim - 1)):
        x, winner = _max_along(x, axis, _along(config, axis), minimum)
        taps.insert(0, winner)
    return x, tuple(taps)


def max_dx(g: jax.Array, taps: Sequence[jax.Array], config: "PoolConfig") -> jax.Array:
    """Return the cotangent of x: every g at the winner of its window, added where windows overlap."""
    for axis, winner in enumerate(taps, start=1):
        geometry = _along(config, axis)
        if len(geometry.blocks) > 1:
            # XLA would find the winners anew for each block, unless a pad stands between: one window more, without g.
            low, high = geometry.padding
            geometry = geometry._replace(padding=(low, high + geometry.stride))
            g, winner = _pad(g, axis, 0, 1), _pad(winner, axis, 0, 1)
        blocks = []
        for block in geometry.blocks:
            numbers = np.array(block, winner.dtype).reshape(-1, *[1] * (g.ndim - axis - 1))
            chosen = jnp.expand_dims(winner, axis + 1) == jnp.expand_dims(numbers, range(axis + 1))
            spread = jnp.broadcast_to(jnp.expand_dims(g, axis + 1), chosen.shape)
            blocks.append(jnp.where(chosen, spread, jnp.zeros_like(spread)))
        g = _put_blocks(blocks, axis, geometry)
    return g


def max_positions(taps: Sequence[jax.Array], config: "PoolConfig") -> jax.Array:
    """Return where each winner is: the number of its position in the uncropped input, in row-major order, int32.

    Along one axis it is the position of the winning tap; the number of what was found there along the later axes is
    added. A window that holds nothing but padding has -1.
    """
    numbers, positions = jnp.zeros((), jnp.int32), 1
    for axis in reversed(range(1, len(taps) + 1)):
        geometry, winner = _along(config, axis), taps[axis - 1]
        before, after = config.cropped[axis - 1]
        first = column_of(np.asarray(_positions(0, geometry) + before, np.int32), axis, winner.ndim)
        if axis < len(taps):
            numbers = _at_winner(numbers, winner, axis, geometry)
        numbers = numbers + (winner.astype(jnp.int32) * geometry.dilation + first) * positions
        positions *= before + geometry.size + after
    empty = window_counts(config) == 0
    return jnp.where(empty, jnp.full_like(numbers, -1), numbers) if empty.any() else numbers


def sum_forward(x: jax.Array, config: "PoolConfig") -> jax.Array:
    """Return the window sums of x `[N, *spatial, C]`, in the dtype of x."""
    for axis in range(1, x.ndim - 1):
        sums = [_sum_taps(block, axis + 1) for block in _take_blocks(x, axis, _along(config, axis))]
        x = functools.reduce(jnp.add, sums)
    return x


def sum_dx(g: jax.Array, config: "PoolConfig") -> jax.Array:
    """Return the cotangent of x: at each element, the sum of the g whose window covers it."""
    for axis in range(1, g.ndim - 1):
        geometry = _along(config, axis)
        column = jnp.expand_dims(g, axis + 1)
        shapes = [(*g.shape[: axis + 1], len(block), *g.shape[axis + 1 :]) for block in geometry.blocks]
        g = _put_blocks([jnp.broadcast_to(column, shape) for shape in shapes], axis, geometry)
    return g


def window_counts(config: "PoolConfig", include_padding: bool = False) -> np.ndarray:
    """Return how many elements each window holds, padding counted or not: `[1, *spatial_out, 1]`.

    What ceil_mode has added to the padding is never counted.
    """
    counts = np.ones((1,), np.int64)
    for axis in range(1, len(config.window) + 1):
        geometry = _along(config, axis)
        start, end = 0, geometry.size
        if include_padding:
            start, end = -geometry.padding[0], end + geometry.padding[1] - config.beyond[axis - 1]
        taps = np.stack([_positions(t, geometry) for t in range(geometry.window)])
        counts = counts[..., None] * np.sum((taps >= start) & (taps < end), 0)
    return counts[..., None]


def first_winner(
    tap: Callable[[int], tuple[jax.Array, np.ndarray]], taps: int, minimum: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Return the greatest of several taps, or the smallest, element by element, and its index.

    The first of those that are equal wins, and before all others the first NaN.

    Args:
      tap: `tap(t)` returns the values of tap t, and where they count.
      taps: how many there are.
      minimum: whether to look for the smallest.
    """
    best, have = tap(0)
    winner = lax.full(best.shape, 0, np.min_scalar_type(taps - 1))
    for t in range(1, taps):
        value, inside = tap(t)
        takes = lax.lt(value, best) if minimum else lax.gt(value, best)
        if jnp.issubdtype(best.dtype, jnp.floating):
            takes = lax.bitwise_or(takes, lax.bitwise_and(lax.ne(value, value), lax.eq(best, best)))
        if not have.all():
            takes = takes | ~have
        if not inside.all():
            takes = takes & inside
        best = lax.select(takes, value, best)
        winner = lax.select(takes, lax.full_like(winner, t), winner)
        have = have | inside
    return best, winner


class _Axis(NamedTuple):
    """The windows along one axis."""

    window: int
    stride: int
    padding: tuple[int, int]
    size: int  # of the input
    dilation: int

    @property
    def outputs(self) -> int:
        return output_size(self.size, dilated_size(self.window, self.dilation), self.stride, self.padding)

    @property
    def blocks(self) -> list[range]:
        """The taps of every block: at most `stride` of them, and the first a multiple of it; one if they are apart."""
        length = self.stride if self.dilation == 1 else 1
        return [range(t, min(t + length, self.window)) for t in range(0, self.window, length)]

    def first(self, tap: int) -> int:
        """Return where this tap of the first window is."""
        return tap * self.dilation - self.padding[0]


def _along(config: "PoolConfig", axis: int) -> _Axis:
    """Return the geometry of axis `axis` of an array `[N, *spatial, C]`.

    A single window takes the stride that makes one block of its taps, whatever stride was asked for.
    """
    window, stride = config.window[axis - 1], config.strides[axis - 1]
    dilation, padding = config.dilation[axis - 1], config.padding[axis - 1]
    geometry = _Axis(window, stride, padding, config.input_size[axis - 1], dilation)
    if geometry.outputs > 1:
        return geometry
    room = geometry.size + sum(padding) - dilated_size(window, dilation) + 1
    return geometry._replace(stride=max(window, room))


def _positions(t: int, geometry: _Axis) -> np.ndarray:
    """Return where tap t of every window is; outside the input where that is padding."""
    return np.arange(geometry.outputs) * geometry.stride + geometry.first(t)


def _sum_taps(block: jax.Array, axis: int) -> jax.Array:
    """Sum over `axis`: a few taps as additions, which fuse into one loop, many as one reduction."""
    if block.shape[axis] > 8:
        return jnp.sum(block, axis)
    taps = [lax.index_in_dim(block, t, axis, keepdims=False) for t in range(block.shape[axis])]
    return functools.reduce(jnp.add, taps)


def _take_blocks(x: jax.Array, axis: int, geometry: _Axis) -> list[jax.Array]:
    """Return each block of taps as an array with the outputs along `axis` and the taps along the next."""
    extent = geometry.outputs * geometry.stride
    taken = []
    for taps in geometry.blocks:
        first = geometry.first(taps[0])
        row = _pad(x, axis, -first, first + extent - geometry.size)
        block = row.reshape(*x.shape[:axis], geometry.outputs, geometry.stride, *x.shape[axis + 1 :])
        taken.append(lax.slice_in_dim(block, 0, len(taps), axis=axis + 1))
    return taken


def _put_blocks(blocks: Sequence[jax.Array], axis: int, geometry: _Axis) -> jax.Array:
    """Add each block to where `_take_blocks` took it from: its adjoint."""
    extent = geometry.outputs * geometry.stride
    rows = []
    for taps, block in zip(geometry.blocks, blocks, strict=True):
        first = geometry.first(taps[0])
        full = _pad(block, axis + 1, 0, geometry.stride - len(taps))
        row = full.reshape(*full.shape[:axis], extent, *full.shape[axis + 2 :])
        rows.append(_pad(row, axis, first, geometry.size - first - extent))
    return functools.reduce(jnp.add, rows)


def _pad(x: jax.Array, axis: int, low: int, high: int, value: float = 0) -> jax.Array:
    """Pad along one axis; a negative number crops."""
    widths = [(0, 0, 0)] * x.ndim
    widths[axis] = (low, high, 0)
    return lax.pad(x, jnp.array(value, x.dtype), widths)


def _take_tap(padded: jax.Array, t: int, axis: int, geometry: _Axis) -> jax.Array:
    """Return tap t of every window, from the padded input."""
    start = t * geometry.dilation
    last = start + (geometry.outputs - 1) * geometry.stride + 1
    return lax.slice_in_dim(padded, start, last, geometry.stride, axis)


def _max_along(x: jax.Array, axis: int, geometry: _Axis, minimum: bool) -> tuple[jax.Array, jax.Array]:
    """Return the maxima of the windows along one axis, or the minima, and the winning taps."""
    info = None if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype)
    lowest, highest = (-jnp.inf, jnp.inf) if info is None else (info.min, info.max)
    padded = _pad(x, axis, *geometry.padding, highest if minimum else lowest)

    def tap(t: int) -> tuple[jax.Array, np.ndarray]:
        position = _positions(t, geometry)
        inside = (position >= 0) & (position < geometry.size)
        return _take_tap(padded, t, axis, geometry), column_of(inside, axis, x.ndim)

    return first_winner(tap, geometry.window, minimum)


def _at_winner(x: jax.Array, winner: jax.Array, axis: int, geometry: _Axis) -> jax.Array:
    """Return, for every output along `axis`, the element of x that is its winning tap."""
    padded = _pad(x, axis, *geometry.padding)
    found = _take_tap(padded, 0, axis, geometry)
    for t in range(1, geometry.window):
        found = jnp.where(winner == t, _take_tap(padded, t, axis, geometry), found)
    return found


def column_of(values: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    """Return `values`, one for each place along `axis`, as an array of rank `ndim`."""
    shape = [1] * ndim
    shape[axis] = -1
    return values.reshape(shape)
