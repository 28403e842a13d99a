"""Judge an array by its own scale: how far it may be from the truth, and how far it is.

The truth is the twin in float64 on the same numbers. It is evaluated again on numbers moved by one unit in their last
place, some times over: where terms cancel, by how much the result then moves tells how large they are. That is the
scale below which a difference is rounding noise, whatever is left of the sum itself: a gradient that is 0 in exact
arithmetic is judged by it, and a gradient of 1e-8 beside one of 1 is not hidden by it. The same is asked of every
slice of an array along every axis, so that a small channel is not judged by the scale of a large one; a slice has few
numbers that show its noise, and gets the widest tolerance.

    difference = max|found - truth| / max(max|truth|, size of the terms that cancel)

The tolerance is sqrt(terms) eps, for n terms (`terms.py`). The twin's own rounding on the same numbers may widen it, to
at most 4 sqrt(terms) eps; a twin that is further from the truth is the odd one, and says nothing about the tolerance.
In half precision results are rounded once, at the end: two units in the last place and the roundings of float32.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxcnn.gradcheck.terms import Roundings
from jaxcnn.gradcheck.tolerances import absolute_difference, largest_finite

FEWEST_TERMS = 16.0  # below it the square root says little: 4 eps
WIDEST = 4.0  # times sqrt(terms) eps: what the twin's own rounding may widen the tolerance to
BY_TWIN = 2.0  # how many times as far as the twin a function may be
HALF = 2.0  # units in the last place of half precision
NOISE = 8 * 2.0**-52  # of the size of the terms that cancel: what float64 leaves of them
JUMP, NEGLIGIBLE = 2.0**-20, 2.0**-40  # a number that moves by so much of itself, or of the largest of all, has jumped


class Truth(NamedTuple):
    """What an array is, as far as float64 tells."""

    numbers: np.ndarray
    noise: np.ndarray  # the size of the terms that cancel in each number


class Tolerance(NamedTuple):
    """How far an array may be from the truth, as a fraction of its scale."""

    base: float
    widest: float


class Verdict(NamedTuple):
    """How far an array is from the truth."""

    difference: float  # relative to the scale
    scale: float  # of the slice where it is largest
    position: tuple[int, ...]  # in the array


def tolerance_of(dtype: Any, roundings: Roundings) -> Tolerance:
    """Return the tolerance of an array of `dtype` behind which stand these roundings."""
    eps, terms = float(jnp.finfo(dtype).eps), max(roundings.terms, FEWEST_TERMS)
    if jnp.dtype(dtype).itemsize < 4:
        sums = WIDEST * float(np.sqrt(terms)) * float(np.finfo(np.float32).eps)
        widest = WIDEST * float(np.sqrt(max(roundings.operations, 1.0))) * eps + sums
        return Tolerance(HALF * eps + sums, max(widest, HALF * eps + sums))
    # Nothing is more exact than float64: there both sides round, and neither is the truth.
    base = float(np.sqrt(terms)) * eps * (WIDEST if jnp.dtype(dtype).itemsize > 4 else 1.0)
    return Tolerance(base, WIDEST * float(np.sqrt(terms)) * eps)


def widened(tolerance: Tolerance, twin: float | None) -> tuple[float, bool]:
    """Return the tolerance beside a twin that is so far from the truth, and whether the twin is the odd one."""
    if twin is None:
        return tolerance.base, False
    if not twin <= tolerance.widest:
        return tolerance.base, True
    return min(max(tolerance.base, BY_TWIN * twin), tolerance.widest), False


def truths(
    numbers: Sequence[np.ndarray], moved: Sequence[Sequence[np.ndarray]], arguments: Sequence[np.ndarray] = ()
) -> list[Truth]:
    """Return the truth about arrays, from their numbers and those that moved arguments give.

    A number that jumps, because a tie is resolved in another way, shows no rounding; it has no noise.
    """
    eps = float(np.finfo(np.float64).eps)
    with np.errstate(invalid="ignore"):
        largest = max(map(largest_finite, (*numbers, *arguments)), default=0.0)
        found = []
        for n, b in enumerate(numbers):
            squares = np.zeros_like(b)
            for again in moved:
                change = np.abs(again[n] - b)
                jumps = (change > JUMP * np.maximum(np.abs(b), np.abs(again[n]))) & (change > NEGLIGIBLE * largest)
                squares += np.where(jumps | ~np.isfinite(change), 0.0, np.square(change / eps))
            found.append(Truth(b, 2 * np.sqrt(squares / max(len(moved), 1))))
    return found


def is_noise(truth: Truth) -> bool:
    """Return whether all of an array is what float64 leaves of terms that cancel, or 0."""
    return largest_finite(truth.numbers) <= NOISE * largest_finite(truth.noise)


def judge(found: np.ndarray, truth: Truth, dtype: Any) -> Verdict:
    """Return how far an array is from the truth, by the scale of all of it.

    Args:
      found: the array, as float64.
      truth: what it is; its numbers rounded to `dtype`.
      dtype: that of the array.
    """
    return _furthest(found, truth, dtype, [tuple(range(found.ndim))])


def judge_slices(found: np.ndarray, truth: Truth, dtype: Any) -> Verdict:
    """Return how far the slice of an array is from the truth that is furthest by its own scale, along any axis."""
    everything = tuple(range(found.ndim))
    kept = [axis for axis in everything if found.shape[axis] > 1]
    others = [tuple(other for other in everything if other != axis) for axis in kept]
    return _furthest(found, truth, dtype, others)


def _furthest(found: np.ndarray, truth: Truth, dtype: Any, reductions: Sequence[tuple[int, ...]]) -> Verdict:
    """Return the largest difference by a scale that is taken over some axes, or over others."""
    worst = Verdict(0.0, 0.0, (0,) * found.ndim)
    if not found.size:
        return worst
    info = jnp.finfo(dtype)
    smallest = info.smallest_subnormal if jnp.dtype(dtype) == jnp.float16 else info.smallest_normal
    floor = float(smallest) / float(info.eps)  # XLA makes subnormal numbers of the other dtypes 0
    difference = absolute_difference(found, truth.numbers)
    numbers = np.where(np.isfinite(truth.numbers), np.abs(truth.numbers), 0.0)
    size, cancelling = np.maximum(numbers, truth.noise), float(np.max(truth.noise))
    for others in reductions:
        scale = np.maximum(np.max(size, others, keepdims=True), floor)
        # Where all of a slice is noise, or 0, float64 may have been lucky: the array says how large it can be.
        noisy = np.max(numbers, others, keepdims=True) <= NOISE * cancelling
        scale = np.where(noisy, np.maximum(scale, cancelling), scale)
        relative = difference / scale
        position = np.unravel_index(np.argmax(relative), found.shape)
        if relative[position] > worst.difference or not worst.scale:
            at = np.broadcast_to(scale, found.shape)[position]
            worst = Verdict(float(relative[position]), float(at), tuple(map(int, position)))
    return worst
