"""Pooling long windows along one axis, in a number of steps that grows with the logarithm of their length.

A window of K taps at stride s, dilation d. With c = gcd(s, d), P = s / c, D = d / c the input is laid out in blocks

    B[q, i] = x[q s + i d - low]   for i = 0 .. P - 1

each of whose elements is another one of x, and window o holds the blocks o, o + D, o + 2 D, ...: m = K // P whole ones,
and the first r = K - m P elements of one more. So a window is what its m blocks make, and its rest.

Maximum. A value and the number of its tap are combined with those of the taps behind it as `windows` does: the later
one takes over if it is greater or the first NaN. In a block neighbours are combined, and then again. A window of 2 L
blocks is one of L and the one that begins L blocks later; one of m blocks, L < m < 2 L, is made of two of L that
overlap, which does no harm: of equal values the first is kept, and what is in both is equal.

Its gradient goes the same way back. If the winner of a window is in its first half, then g goes to the window that is
this half, otherwise to that which is the second half. What two windows send to a third is for the same element, because
the winner of a window, if it is in a part of it, is the winner of this part. So each needs one number and one sum.

Sum. A window of 2 L blocks is the sum of two of L, and one of m blocks is put together by the binary digits of m. No
sum is a difference of others: that would lose digits, and spread an infinity or a NaN to windows that do not hold it.
The gradient is a sum of windows too: block q belongs to the windows q - (m - 1) D, ..., q - D, q.

Cost, for I elements and windows of m blocks: 2 I comparisons or additions for the blocks, and at most 2 log2(m) for
each block; temporaries are as large as the input.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms._axis import Axis, column_of, pad_along, sum_taps
from jaxcnn.algorithms._winners import better, of_axis, worst_of


def max_forward(x: jax.Array, axis: int, geometry: Axis, minimum: bool = False) -> tuple[jax.Array, jax.Array]:
    """Return the maxima of the windows along an axis, or the minima, and the winning taps."""
    layout = _layout_of(geometry)
    blocks, inside = layout.take(x, axis, worst_of(x.dtype, minimum)), layout.inside
    found, dtype = [], np.min_scalar_type(geometry.window - 1)
    if layout.whole:
        pair = of_axis(blocks, axis + 1, column_of(inside, axis, x.ndim + 1), dtype, minimum)
        for behind in layout.doublings:
            shift, end = behind * layout.apart, pair.value.shape[axis]
            late = pair.part(shift, end, axis).later(behind * layout.unit)
            pair = better(pair.part(0, end - shift, axis), late, minimum)
        found.append(pair.part(0, layout.outputs, axis))
    if layout.rest:
        start, end = layout.rows_of_rest
        row = lax.slice_in_dim(blocks, start, end, axis=axis)
        rest = lax.slice_in_dim(row, 0, layout.rest, axis=axis + 1)
        inside_rest = column_of(inside[start:end, : layout.rest], axis, x.ndim + 1)
        found.append(of_axis(rest, axis + 1, inside_rest, dtype, minimum).later(layout.whole * layout.unit))
    best = found[0] if len(found) == 1 else better(found[0], found[1], minimum)
    return best.value, best.tap


def max_dx(g: jax.Array, winner: jax.Array, axis: int, geometry: Axis) -> jax.Array:
    """Return the cotangent of what `max_forward` was given: every g at the winner of its window, added up."""
    layout = _layout_of(geometry)
    nowhere = np.iinfo(np.min_scalar_type(geometry.window)).max  # no tap has this number
    tap = winner.astype(np.min_scalar_type(geometry.window))
    parts = []
    if layout.rest:
        of_rest, inner = tap >= layout.whole * layout.unit, tap - layout.whole * layout.unit
        start, end = layout.rows_of_rest
        spread = _spread(_only(of_rest, g), inner, axis, layout.rest)
        wide = pad_along(spread, axis + 1, 0, layout.used - layout.rest)
        parts.append(pad_along(wide, axis, start, layout.rows - end))
        g, tap = _only(~of_rest, g), jnp.where(of_rest, jnp.full_like(tap, nowhere), tap)
    if layout.whole:
        g, tap = _back_to_blocks(g, tap, nowhere, axis, layout)
        spread = _spread(g, tap, axis, layout.unit)
        parts.append(pad_along(spread, axis, 0, layout.rows - spread.shape[axis]))
    return layout.put(parts[0] if len(parts) == 1 else parts[0] + parts[1], axis)


def _back_to_blocks(
    g: jax.Array, tap: jax.Array, nowhere: int, axis: int, layout: "_Layout"
) -> tuple[jax.Array, jax.Array]:
    """Return, for every block, what its elements take of the g of all windows, and which of them takes it.

    Two or three steps are one loop over elements, which a branch keeps apart from the others (see `_once`): XLA would
    merge them all, each of which reads the one before it twice.
    """
    behind = layout.doublings[::-1]
    around = sum(behind) * layout.apart
    arrays = pad_along(g, axis, around, around), pad_along(tap, axis, around, around, nowhere)
    sizes = [layout.whole - sum(behind[:n]) for n in range(len(behind))]
    steps = list(zip(sizes, behind, strict=True))
    groups = [steps[n : n + 2] for n in range(0, len(steps) - len(steps) % 2, 2)]
    if len(steps) % 2:
        groups = [*groups[:-1], [*(groups[-1] if groups else []), steps[-1]]]
    for group in groups:

        def several(g: jax.Array, tap: jax.Array, group: list[tuple[int, int]] = group) -> tuple[jax.Array, jax.Array]:
            for size, behind in group:
                g, tap = _step_back(g, tap, nowhere, axis, layout, size, behind)
            return g, tap

        def never(g: jax.Array, tap: jax.Array, group: list[tuple[int, int]] = group) -> tuple[jax.Array, jax.Array]:
            shift = sum(behind for _, behind in group) * layout.apart
            g, tap = (lax.slice_in_dim(v, shift, v.shape[axis], axis=axis) for v in (g, tap))
            return g, tap

        apart = len(steps) > 1
        arrays = lax.cond(lax.optimization_barrier(True), several, never, *arrays) if apart else several(*arrays)
    return arrays


def _step_back(
    g: jax.Array, tap: jax.Array, nowhere: int, axis: int, layout: "_Layout", size: int, behind: int
) -> tuple[jax.Array, jax.Array]:
    """Divide what windows of `size` blocks have between those of their first ones and those that begin `behind`.

    Both have size - behind blocks; if that is more than half, what is in both goes to the first. The rows of the
    results begin one shift later, as those of the second windows do.
    """
    second, shift, end = tap >= (size - behind) * layout.unit, behind * layout.apart, g.shape[axis]
    late = second & (tap < size * layout.unit)
    elsewhere = jnp.full_like(tap, nowhere)
    early_tap, late_tap = jnp.where(second, elsewhere, tap), jnp.where(late, tap - behind * layout.unit, elsewhere)

    def moved(early: jax.Array, late: jax.Array) -> tuple[jax.Array, jax.Array]:
        return lax.slice_in_dim(early, shift, end, axis=axis), lax.slice_in_dim(late, 0, end - shift, axis=axis)

    return lax.add(*moved(_only(~second, g), _only(late, g))), lax.min(*moved(early_tap, late_tap))


def sum_forward(x: jax.Array, axis: int, geometry: Axis) -> jax.Array:
    """Return the sums of the windows along an axis, in the dtype of x."""
    layout = _layout_of(geometry)
    blocks, sums = layout.take(x, axis, 0), []
    if layout.whole:
        sums.append(sliding_sum(sum_taps(blocks, axis + 1), axis, layout.whole, layout.outputs, layout.apart))
    if layout.rest:
        row = lax.slice_in_dim(blocks, *layout.rows_of_rest, axis=axis)
        sums.append(sum_taps(lax.slice_in_dim(row, 0, layout.rest, axis=axis + 1), axis + 1))
    return sums[0] if len(sums) == 1 else sums[0] + sums[1]


def sum_dx(g: jax.Array, axis: int, geometry: Axis) -> jax.Array:
    """Return the cotangent of what `sum_forward` was given: for each element the sum of the g of its windows."""
    layout, parts = _layout_of(geometry), []
    if layout.whole:
        around = (layout.whole - 1) * layout.apart
        covering = sliding_sum(
            pad_along(g, axis, around, around), axis, layout.whole, layout.outputs + around, layout.apart
        )
        every = _repeated(covering, axis, layout.used)
        parts.append(pad_along(every, axis, 0, layout.rows - every.shape[axis]))
    if layout.rest:
        start, end = layout.rows_of_rest
        wide = pad_along(_repeated(g, axis, layout.rest), axis + 1, 0, layout.used - layout.rest)
        parts.append(pad_along(wide, axis, start, layout.rows - end))
    return layout.put(parts[0] if len(parts) == 1 else parts[0] + parts[1], axis)


def sliding_sum(x: jax.Array, axis: int, length: int, outputs: int, apart: int = 1) -> jax.Array:
    """Return the sums of x[o], x[o + apart], ... along an axis, `length` of them, for every o below `outputs`."""
    parts, done, doubled, size = [], 0, x, 1
    while True:
        if length & size:
            parts.append(lax.slice_in_dim(doubled, done * apart, done * apart + outputs, axis=axis))
            done += size
        if done == length:
            return functools.reduce(jnp.add, parts)
        shift, end = size * apart, doubled.shape[axis]
        doubled = lax.slice_in_dim(doubled, 0, end - shift, axis=axis) + lax.slice_in_dim(
            doubled, shift, end, axis=axis
        )
        size *= 2


class _Layout(NamedTuple):
    """The blocks of the input along one axis, and what a window holds of them."""

    outputs: int
    size: int  # of the input
    low: int
    common: int  # the distance that all elements have from one another, or a multiple of it
    unit: int  # how many elements a block has
    apart: int  # the blocks of a window
    whole: int  # blocks of a window
    rest: int  # elements of a window in one block more

    @property
    def rows(self) -> int:
        """How many blocks there are."""
        return self.outputs + self.apart * (self.whole - 1 + (self.rest > 0))

    @property
    def rows_of_rest(self) -> tuple[int, int]:
        """The first block that is the rest of a window, and the one after the last."""
        return self.whole * self.apart, self.whole * self.apart + self.outputs

    @property
    def used(self) -> int:
        """How many elements of a block windows hold."""
        return self.unit if self.whole else self.rest

    @property
    def doublings(self) -> list[int]:
        """How many blocks behind a window begins the one that is added to it, until it has all its whole blocks."""
        lengths = [2**k for k in range(self.whole.bit_length())]
        ends = [*lengths[1:], self.whole]
        return [end - length for length, end in zip(lengths, ends, strict=True) if end > length]

    @property
    def in_order(self) -> bool:
        """Whether the elements of the blocks, one block after the other, are equally far apart."""
        return self.apart == 1 or self.unit == 1

    @property
    def positions(self) -> np.ndarray:
        """Where the elements of each block are, `[rows, used]`; outside the input where that is padding."""
        first = np.arange(self.rows)[:, None] * self.unit
        return (first + np.arange(self.used) * self.apart) * self.common - self.low

    @property
    def inside(self) -> np.ndarray:
        """Which elements of each block are in the input."""
        return (self.positions >= 0) & (self.positions < self.size)

    def take(self, x: jax.Array, axis: int, padding: float) -> jax.Array:
        """Return the blocks along `axis` of x, and their elements along the next axis."""
        shape = (*x.shape[:axis], self.rows, self.used, *x.shape[axis + 1 :])
        if self.in_order:
            extent = (self.rows * self.unit - 1) * self.common + 1
            row = pad_along(x, axis, self.low, extent - self.low - self.size, padding)
            row = lax.slice_in_dim(row, 0, extent, self.common, axis)
            blocks = row.reshape(*shape[: axis + 1], self.unit, *x.shape[axis + 1 :])
            return lax.slice_in_dim(blocks, 0, self.used, axis=axis + 1)
        blocks = jnp.take(x, self.positions.ravel(), axis, mode="clip").reshape(shape)
        inside = column_of(self.inside, axis, blocks.ndim)
        return jnp.where(inside, blocks, jnp.full_like(blocks, padding))

    def put(self, blocks: jax.Array, axis: int) -> jax.Array:
        """Return what `take` was given, with every element of the blocks at its place and 0 elsewhere."""
        if self.in_order:
            extent = (self.rows * self.unit - 1) * self.common + 1
            full = pad_along(blocks, axis + 1, 0, self.unit - self.used)
            row = full.reshape(*full.shape[:axis], self.rows * self.unit, *full.shape[axis + 2 :])
            return pad_along(row, axis, -self.low, self.low + self.size - extent, between=self.common - 1)
        place = np.full(self.size, -1)
        place[self.positions[self.inside]] = np.flatnonzero(self.inside)
        row = blocks.reshape(*blocks.shape[:axis], self.rows * self.used, *blocks.shape[axis + 2 :])
        found = jnp.take(row, np.maximum(place, 0), axis, mode="clip")
        return _only(column_of(place >= 0, axis, found.ndim), found)


def _layout_of(geometry: Axis) -> _Layout:
    """Return the blocks of a geometry; a single window is one of them."""
    window, outputs, dilation = geometry.window, geometry.outputs, geometry.dilation
    stride = geometry.stride if outputs > 1 else window * dilation
    common = math.gcd(stride, dilation)
    whole, rest = divmod(window, stride // common)
    return _Layout(
        outputs, geometry.size, geometry.padding[0], common, stride // common, dilation // common, whole, rest
    )


def _only(mask: jax.Array | np.ndarray, x: jax.Array) -> jax.Array:
    return jnp.where(mask, x, jnp.zeros_like(x))


def _repeated(x: jax.Array, axis: int, times: int) -> jax.Array:
    """Return x with an axis more behind `axis`, along which it is repeated."""
    return jnp.broadcast_to(jnp.expand_dims(x, axis + 1), (*x.shape[: axis + 1], times, *x.shape[axis + 1 :]))


def _spread(g: jax.Array, tap: jax.Array, axis: int, taps: int) -> jax.Array:
    """Return g with an axis more behind `axis`, of so many taps, where it is at the given one and 0 elsewhere."""
    numbers = column_of(np.arange(taps, dtype=tap.dtype), axis + 1, g.ndim + 1)
    return _only(jnp.expand_dims(tap, axis + 1) == numbers, _repeated(g, axis, taps))
