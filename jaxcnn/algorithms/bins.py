"""Pooling into a given number of bins, one spatial axis at a time, by tables of constant indices.

Along an axis of I elements, bin o of O holds the elements from floor(o I / O) to before ceil((o + 1) I / O): bins of
different sizes that overlap where O does not divide I. In a sum, tap t of every bin is one selection of elements by a
constant table, and a sum is a chain of additions; a maximum is the chain of comparisons that `windows` has.

Where bins are large, or many differ, all their elements are taken by one table, `[O, elements]`; a sum is then one
reduction, and a maximum combines neighbours again and again.

The bins that hold element p are those with o I / O < p + 1 and p < (o + 1) I / O, which are the o from floor(p O / I)
to before ceil((p + 1) O / I): bin p of the I bins of O elements. So the gradient is a sum of bins again.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms._axis import column_of
from jaxcnn.algorithms._winners import first_winner, of_axis, worst_of

FEW_TAPS = 8  # of a bin, each of which is selected by a table of its own; more are one table
FEW_COMPARISONS = 128  # of all bins of an axis that repeat, each of which is written out


def sum_forward(x: jax.Array, bins: Sequence[int]) -> jax.Array:
    """Return the sums of the bins of x `[N, *spatial, C]`, in the dtype of x; to a cotangent of them it gives dx."""
    for axis, outputs in enumerate(bins, start=1):
        table = _Bins(x.shape[axis], outputs)
        if table.largest > FEW_TAPS:
            rows = table.rows(x, axis)
            x = jnp.sum(_where(column_of(table.present, axis, rows.ndim), rows), axis + 1)
            continue
        taps = (table.tap(x, t, axis) for t in range(table.largest))
        x = functools.reduce(jnp.add, [value if inside.all() else _where(inside, value) for value, inside in taps])
    return x


def max_forward(x: jax.Array, bins: Sequence[int]) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Return the maxima of the bins of x `[N, *spatial, C]`, and the winning taps along each spatial axis.

    Each bin has a chain of comparisons of its own: one for all of them would select what it compares by tables, and XLA
    would do that again for every use. The pattern of bins repeats as often as the greatest common divisor says.
    """
    taps: list[jax.Array] = []
    for axis in reversed(range(1, x.ndim - 1)):
        size, outputs = x.shape[axis], bins[axis - 1]
        whole = _Bins(size, outputs)
        repeats = math.gcd(size, outputs)
        if outputs // repeats * whole.largest > FEW_COMPARISONS:
            rows, inside = whole.rows(x, axis), column_of(whole.present, axis, x.ndim + 1)
            rows = jnp.where(inside, rows, jnp.full_like(rows, worst_of(x.dtype, False)))
            x, winner, _ = of_axis(rows, axis + 1, inside, np.min_scalar_type(whole.largest - 1))
            taps.insert(0, winner)
            continue
        table = _Bins(size // repeats, outputs // repeats)
        rows = x.reshape(*x.shape[:axis], repeats, size // repeats, *x.shape[axis + 1 :])
        found = [_first_winner_of(rows, start, count, axis + 1) for start, count in table.bounds]
        bests, winners = zip(*found, strict=True)
        winners = [winner.astype(np.min_scalar_type(table.largest - 1)) for winner in winners]
        shape = (*x.shape[:axis], outputs, *x.shape[axis + 1 :])
        x, winner = (lax.concatenate(parts, axis + 1).reshape(shape) for parts in (bests, winners))
        taps.insert(0, winner)
    return x, tuple(taps)


def _first_winner_of(x: jax.Array, start: int, count: int, axis: int) -> tuple[jax.Array, jax.Array]:
    """Return the maximum over `count` elements along an axis of x, and which of them it is."""

    def tap(t: int) -> tuple[jax.Array, np.ndarray]:
        return lax.index_in_dim(x, start + t, axis), np.ones((1,) * x.ndim, bool)

    return first_winner(tap, count)


def max_dx(g: jax.Array, taps: Sequence[jax.Array], sizes: Sequence[int]) -> jax.Array:
    """Return the cotangent of x, whose spatial sizes are given: every g at the winner of its bin, added up."""
    for axis, (winner, size) in enumerate(zip(taps, sizes, strict=True), start=1):
        starts, table = _Bins(size, g.shape[axis]).starts, _Bins(g.shape[axis], size)
        if table.largest > FEW_TAPS:
            value, winning = table.rows(g, axis), table.rows(winner, axis)
            here = np.asarray(np.arange(size)[:, None] - starts[table.elements], winner.dtype)
            taken = (winning == column_of(here, axis, value.ndim)) & column_of(table.present, axis, value.ndim)
            g = jnp.sum(_where(taken, value), axis + 1)
            continue
        parts = []
        for t in range(table.largest):
            (value, inside), (winning, _) = table.tap(g, t, axis), table.tap(winner, t, axis)
            here = np.asarray(np.arange(size) - starts[table.indices(t)], winner.dtype)
            parts.append(_where((winning == column_of(here, axis, g.ndim)) & inside, value))
        g = functools.reduce(jnp.add, parts)
    return g


def counts(sizes: Sequence[int], bins: Sequence[int]) -> np.ndarray:
    """Return how many elements each bin holds: `[1, *bins, 1]`."""
    found = np.ones((1,), np.int64)
    for size, outputs in zip(sizes, bins, strict=True):
        found = found[..., None] * _Bins(size, outputs).counts
    return found[..., None]


class _Bins:
    """The bins along one axis."""

    def __init__(self, size: int, bins: int):
        place = np.arange(bins)
        self.starts = place * size // bins
        self.counts = -(-(place + 1) * size // bins) - self.starts
        self.largest = int(np.max(self.counts))

    @property
    def bounds(self) -> list[tuple[int, int]]:
        """Where each bin starts, and how many elements it has."""
        return list(zip(self.starts.tolist(), self.counts.tolist(), strict=True))

    @property
    def elements(self) -> np.ndarray:
        """Where the elements of each bin are, `[bins, largest]`; in one that has fewer its last one again."""
        return self.starts[:, None] + np.minimum(np.arange(self.largest), self.counts[:, None] - 1)

    @property
    def present(self) -> np.ndarray:
        """Which of these are elements of their own, `[bins, largest]`."""
        return np.arange(self.largest) < self.counts[:, None]

    def rows(self, x: jax.Array, axis: int) -> jax.Array:
        """Return x with its bins along `axis`, and the elements of each along the next axis."""
        found = jnp.take(x, self.elements.ravel(), axis, mode="clip")
        return found.reshape(*x.shape[:axis], *self.elements.shape, *x.shape[axis + 1 :])

    def indices(self, t: int) -> np.ndarray:
        """Return where element t of every bin is; in a bin that has fewer, where its last one is."""
        return self.starts + np.minimum(t, self.counts - 1)

    def tap(self, x: jax.Array, t: int, axis: int) -> tuple[jax.Array, np.ndarray]:
        """Return element t of every bin along an axis of x, and which bins have so many."""
        return jnp.take(x, self.indices(t), axis, mode="clip"), column_of(t < self.counts, axis, x.ndim)


def _where(mask: jax.Array | np.ndarray, x: jax.Array) -> jax.Array:
    return jnp.where(mask, x, jnp.zeros_like(x))
