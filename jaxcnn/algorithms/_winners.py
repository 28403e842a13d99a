"""Which of several taps wins: the greatest, the first of those that are equal, and before all others the first NaN.

That is the winner of a set of taps in order, so it can be found by parts: the winner of two sets, one behind the other,
is that of the later one if it is greater than that of the earlier one, or the first NaN. Every step selects, and so the
value has the derivative of the tap that wins; that of a maximum would be shared where taps are equal.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms._axis import column_of, pad_along

NEIGHBOURS = 4  # that are compared one after the other


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
    winner = lax.full_like(best, 0, np.min_scalar_type(taps - 1))
    for t in range(1, taps):
        value, inside = tap(t)
        takes = takes_over(value, best, inside, have, minimum)
        best = lax.select(takes, value, best)
        winner = lax.select(takes, lax.full_like(winner, t), winner)
        have = have | inside
    return best, winner


def takes_over(
    value: jax.Array, best: jax.Array, inside: np.ndarray, have: np.ndarray, minimum: bool = False
) -> jax.Array:
    """Return where a value wins against the best of those before it: where it is greater, or the first NaN.

    Args:
      value: the values, of a dtype that has an order.
      best: the best of those before them.
      inside: where the values are more than padding, which never wins.
      have: where those before them were.
      minimum: whether to look for the smallest instead.
    """
    takes = lax.lt(value, best) if minimum else lax.gt(value, best)
    if jnp.issubdtype(best.dtype, jnp.floating):
        takes = lax.bitwise_or(takes, lax.bitwise_and(lax.ne(value, value), lax.eq(best, best)))
    if not have.all():
        takes = takes | ~have
    if not inside.all():
        takes = takes & inside
    return takes


def worst_of(dtype: Any, minimum: bool) -> float:
    """Return what padding holds where the greatest value is looked for, or the smallest."""
    info = None if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype)
    lowest, highest = (-jnp.inf, jnp.inf) if info is None else (info.min, info.max)
    return highest if minimum else lowest


class Pair(NamedTuple):
    """Values, the numbers of their taps, and where they are more than padding, which is static."""

    value: jax.Array
    tap: jax.Array
    inside: np.ndarray

    def part(self, start: int, end: int, axis: int) -> "Pair":
        """Return a range along an axis."""
        value, tap = (lax.slice_in_dim(v, start, end, axis=axis) for v in self[:2])
        inside = self.inside
        return Pair(value, tap, inside if inside.shape[axis] == 1 else inside.take(range(start, end), axis))

    def split(self, axis: int, parts: int) -> "Pair":
        """Return the pair with every `parts` neighbours along an axis beside one another along the next."""
        rows = self.inside.shape[axis] // parts  # not -1, for which there is no number where the batch is empty

        def apart(v: Any) -> Any:
            return v.reshape(*v.shape[:axis], rows, parts, *v.shape[axis + 1 :])

        return Pair(apart(self.value), apart(self.tap), apart(self.inside))

    def dropped(self, axis: int) -> "Pair":
        """Return the pair without an axis of one element."""
        value, tap = (jnp.squeeze(v, axis) for v in self[:2])
        return Pair(value, tap, self.inside.squeeze(axis))

    def later(self, taps: int) -> "Pair":
        """Return the pair with numbers that are larger by `taps`."""
        return self._replace(tap=self.tap + taps)


def better(earlier: Pair, later: Pair, minimum: bool = False) -> Pair:
    """Return the winners of pairs of taps."""
    inside = earlier.inside | later.inside
    takes = takes_over(later.value, earlier.value, np.ones_like(inside), earlier.inside | ~later.inside, minimum)
    return Pair(lax.select(takes, later.value, earlier.value), lax.select(takes, later.tap, earlier.tap), inside)


def of_axis(x: jax.Array, axis: int, inside: np.ndarray, dtype: Any, minimum: bool = False) -> Pair:
    """Return the winner along an axis of x, which is dropped: of every few neighbours, and again until one is left.

    Args:
      x: the values.
      axis: along which they are compared.
      inside: of the rank of x; where they are more than padding.
      dtype: that of the numbers.
      minimum: whether to look for the smallest.
    """
    size = x.shape[axis]
    numbers = column_of(np.arange(size, dtype=dtype), axis, x.ndim)
    pair = Pair(x, jnp.zeros_like(x, numbers.dtype) + numbers, inside)
    while size > 1:
        count = -(-size // NEIGHBOURS)
        if count * NEIGHBOURS > size:
            more = count * NEIGHBOURS - size
            widths = [(0, more if a == axis else 0) for a in range(x.ndim)]
            pair = Pair(
                pad_along(pair.value, axis, 0, more, worst_of(x.dtype, minimum)),
                pad_along(pair.tap, axis, 0, more),
                np.pad(pair.inside, widths),
            )
        rows = pair.split(axis, NEIGHBOURS)
        pair = functools.reduce(
            functools.partial(better, minimum=minimum),
            [rows.part(n, n + 1, axis + 1).dropped(axis + 1) for n in range(min(size, NEIGHBOURS))],
        )
        size = count
    return pair.dropped(axis)
