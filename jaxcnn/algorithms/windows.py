"""Pooling one spatial axis at a time: the maximum or the sum of a box is that along each axis in turn.

Maximum. Along one axis, output o looks at its taps t = 0 .. K - 1, at o * stride + t * dilation - low, in order; a tap
takes the place of the best so far when it is greater, or when it is the first NaN; padding never does. The index of the
winning tap is kept. Taking the last spatial axis first and the first one last, the winner of the box is the first
maximum in row-major order: each row keeps its first maximum, and of the rows with the same maximum the first is kept.
The gradient goes the same way back: along each axis, tap t of output o receives g[o] where the index is t.
The chain of selections also differentiates to that choice, which maxima over slices would not (at a tie). A minimum is
the same with the order turned round; to negate x instead would overflow at the smallest integer.

Sum. y[o] is the sum of its taps, and tap t of output o receives g[o]. Windows that overlap are added tap by tap, each a
strided slice of the input. Otherwise, and backwards, both go by blocks: the taps j * stride to (j + 1) * stride - 1 of
all windows lie end to end in the padded input, so that block j is one reshape to [O, stride], and windows that do not
overlap need one block and no addition. Where taps lie `dilation` apart each is a block of its own. Several blocks are
no way forwards: XLA's CPU compiler writes every one of them out (x 32,28,28,64, windows 8x8, stride 2: 16 ms for 1).

Long windows, of more than a few taps or blocks, are those of `long_windows`.

Cost, for windows of K elements along each of D axes: D * K comparisons or additions an output instead of K^D; the
indices of a maximum take one byte for each element of each axis' result while K <= 256.
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms import long_windows
from jaxcnn.algorithms._axis import Axis, column_of, pad_along, sum_taps
from jaxcnn.algorithms._derivatives import derived_by
from jaxcnn.algorithms._winners import first_winner, worst_of
from jaxcnn.ops._window import dilated_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import PoolConfig

FEW_TAPS = 8  # of a maximum, which are compared one after the other; `long_windows` does not wait for each
FEW_TERMS = 32  # of a sum, which are added one after the other
FEW_PADS = 4  # of as many taps, which cost less than a padded copy of the input
FEW_BLOCKS = 8  # of a window, which are added one after the other


def max_forward(x: jax.Array, config: "PoolConfig", minimum: bool = False) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Return y, the maxima or the minima, and the winning taps along each spatial axis, for x `[N, *spatial, C]`.

    The taps of spatial axis a have the output's size along a and the later axes, the input's along the earlier ones.
    """
    taps: list[jax.Array] = []
    for axis in reversed(range(1, x.ndim - 1)):
        geometry = _along(config, axis)
        along = _max_along if geometry.window <= FEW_TAPS else long_windows.max_forward
        x, winner = along(x, axis, geometry, minimum)
        taps.insert(0, winner)
    return x, tuple(taps)


def max_values(x: jax.Array, config: "PoolConfig", minimum: bool = False) -> jax.Array:
    """Return y alone, as `max_forward` does, and with its derivatives."""
    return derived_by(lambda x: max_forward(x, config, minimum)[0], lambda x: _maxima(x, config, minimum))(x)


def _maxima(x: jax.Array, config: "PoolConfig", minimum: bool) -> jax.Array:
    """Return y without a word about who won.

    XLA's CPU compiler has a fast reduction of numbers of one or two bytes, for windows that lie side by side.
    """
    worst, greater = worst_of(x.dtype, minimum), lax.min if minimum else lax.max
    if x.dtype.itemsize < 4 and config.window == config.strides and set(config.dilation) <= {1}:
        window, padding = (1, *config.window, 1), ((0, 0), *config.padding, (0, 0))
        return lax.reduce_window(x, np.array(worst, x.dtype), greater, window, window, padding)
    for axis in range(1, x.ndim - 1):
        geometry = _along(config, axis)
        if geometry.window <= FEW_TAPS:
            x = functools.reduce(greater, _taps_along(x, axis, geometry, worst))
        else:
            x, _ = long_windows.max_forward(x, axis, geometry, minimum)
    return x


def max_dx(g: jax.Array, taps: Sequence[jax.Array], config: "PoolConfig") -> jax.Array:
    """Return the cotangent of x: every g at the winner of its window, added where windows overlap."""
    for axis, winner in enumerate(taps, start=1):
        geometry = _along(config, axis)
        if len(geometry.blocks) > FEW_BLOCKS:
            g = long_windows.max_dx(g, winner, axis, geometry)
            continue
        if len(geometry.blocks) > 1:
            # XLA would find the winners anew for each block, unless a pad stands between: one window more, without g.
            low, high = geometry.padding
            geometry = geometry._replace(padding=(low, high + geometry.stride))
            g, winner = pad_along(g, axis, 0, 1), pad_along(winner, axis, 0, 1)
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
        first = column_of(np.asarray(geometry.positions(0) + before, np.int32), axis, winner.ndim)
        if axis < len(taps):
            numbers = _at_winner(numbers, winner, axis, geometry)
        numbers = numbers + (winner.astype(jnp.int32) * geometry.dilation + first) * positions
        positions *= before + geometry.size + after
    empty = window_counts(config) == 0
    return jnp.where(empty, jnp.full_like(numbers, -1), numbers) if empty.any() else numbers


def sum_forward(x: jax.Array, config: "PoolConfig") -> jax.Array:
    """Return the window sums of x `[N, *spatial, C]`, in the dtype of x."""
    for axis in range(1, x.ndim - 1):
        geometry = _along(config, axis)
        if len(geometry.blocks) > FEW_BLOCKS:
            x = long_windows.sum_forward(x, axis, geometry)
        elif geometry.stride < geometry.window <= FEW_TERMS:
            x = functools.reduce(jnp.add, _taps_along(x, axis, geometry))
        else:
            sums = [sum_taps(block, axis + 1) for block in _take_blocks(x, axis, geometry)]
            x = functools.reduce(jnp.add, sums)
    return x


def sum_dx(g: jax.Array, config: "PoolConfig") -> jax.Array:
    """Return the cotangent of x: at each element, the sum of the g whose window covers it."""
    for axis in range(1, g.ndim - 1):
        geometry = _along(config, axis)
        if len(geometry.blocks) > FEW_BLOCKS:
            g = long_windows.sum_dx(g, axis, geometry)
            continue
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
        before, below = (-(-(bound - geometry.positions(0)) // geometry.dilation) for bound in (start, end))
        counts = counts[..., None] * (np.clip(below, 0, geometry.window) - np.clip(before, 0, geometry.window))
    return counts[..., None]


def _along(config: "PoolConfig", axis: int) -> Axis:
    """Return the geometry of axis `axis` of an array `[N, *spatial, C]`.

    A single window takes the stride that makes one block of its taps, whatever stride was asked for.
    """
    window, stride = config.window[axis - 1], config.strides[axis - 1]
    dilation, padding = config.dilation[axis - 1] if window > 1 else 1, config.padding[axis - 1]
    geometry = Axis(window, stride, padding, config.input_size[axis - 1], dilation)
    if geometry.outputs > 1:
        return geometry
    room = geometry.size + sum(padding) - dilated_size(window, dilation) + 1
    return geometry._replace(stride=max(window, room))


def _take_blocks(x: jax.Array, axis: int, geometry: Axis) -> list[jax.Array]:
    """Return each block of taps as an array with the outputs along `axis` and the taps along the next."""
    extent = geometry.outputs * geometry.stride
    taken = []
    for taps in geometry.blocks:
        first = geometry.first(taps[0])
        row = pad_along(x, axis, -first, first + extent - geometry.size)
        block = row.reshape(*x.shape[:axis], geometry.outputs, geometry.stride, *x.shape[axis + 1 :])
        taken.append(lax.slice_in_dim(block, 0, len(taps), axis=axis + 1))
    return taken


def _put_blocks(blocks: Sequence[jax.Array], axis: int, geometry: Axis) -> jax.Array:
    """Add each block to where `_take_blocks` took it from: its adjoint."""
    extent = geometry.outputs * geometry.stride
    rows = []
    for taps, block in zip(geometry.blocks, blocks, strict=True):
        first = geometry.first(taps[0])
        full = pad_along(block, axis + 1, 0, geometry.stride - len(taps))
        row = full.reshape(*full.shape[:axis], extent, *full.shape[axis + 2 :])
        rows.append(pad_along(row, axis, first, geometry.size - first - extent))
    return functools.reduce(jnp.add, rows)


def _take_tap(padded: jax.Array, t: int, axis: int, geometry: Axis) -> jax.Array:
    """Return tap t of every window, from the padded input."""
    start = t * geometry.dilation
    last = start + (geometry.outputs - 1) * geometry.stride + 1
    return lax.slice_in_dim(padded, start, last, geometry.stride, axis)


def _taps_along(x: jax.Array, axis: int, geometry: Axis, padding: float = 0) -> list[jax.Array]:
    """Return every tap of the windows along one axis, with padding where it is outside the input."""
    if geometry.window > FEW_PADS or x.dtype.itemsize < 4:
        padded = pad_along(x, axis, *geometry.padding, padding)
        return [_take_tap(padded, t, axis, geometry) for t in range(geometry.window)]

    def tap(t: int) -> jax.Array:
        # Sliced, and then padded: the other way round it takes 1.4 times as long.
        positions = geometry.positions(t)
        inside = np.flatnonzero(geometry.is_inside(positions))
        if inside.size == 0:
            return pad_along(lax.slice_in_dim(x, 0, 0, axis=axis), axis, 0, geometry.outputs, padding)
        first, last = int(inside[0]), int(inside[-1])
        taken = lax.slice_in_dim(x, int(positions[first]), int(positions[last]) + 1, geometry.stride, axis)
        return pad_along(taken, axis, first, geometry.outputs - 1 - last, padding)

    return [tap(t) for t in range(geometry.window)]


def _max_along(x: jax.Array, axis: int, geometry: Axis, minimum: bool) -> tuple[jax.Array, jax.Array]:
    """Return the maxima of the windows along one axis, or the minima, and the winning taps."""
    padded = pad_along(x, axis, *geometry.padding, worst_of(x.dtype, minimum))

    def tap(t: int) -> tuple[jax.Array, np.ndarray]:
        inside = geometry.is_inside(geometry.positions(t))
        return _take_tap(padded, t, axis, geometry), column_of(inside, axis, x.ndim)

    return first_winner(tap, geometry.window, minimum)


def _at_winner(x: jax.Array, winner: jax.Array, axis: int, geometry: Axis) -> jax.Array:
    """Return, for every output along `axis`, the element of x that is its winning tap."""
    padded = pad_along(x, axis, *geometry.padding)
    if geometry.window > FEW_TAPS:
        first = column_of(np.arange(geometry.outputs) * geometry.stride, axis, winner.ndim).astype(np.int32)
        places = winner.astype(jnp.int32) * geometry.dilation + first
        return jnp.take_along_axis(padded, places, axis, mode="clip")
    found = _take_tap(padded, 0, axis, geometry)
    for t in range(1, geometry.window):
        found = jnp.where(winner == t, _take_tap(padded, t, axis, geometry), found)
    return found
