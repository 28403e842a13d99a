"""Name the mistake behind a wrong gradient, as far as the numbers show it.

A backward rule is linear in the cotangent, so it can be questioned: besides the random cotangent that found the
difference, both pullbacks answer cotangents that are 1 at one output and 0 elsewhere. Where such a response sits and
which way round it lies tells what is wrong with a windowed layer; the random response tells factors, signs, transposed
axes, missing sums and masks. The sentences are hints: they say what the numbers look like.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

Pull = Callable[[Sequence[jax.Array]], list[jax.Array]]
Index = tuple[int, ...]
Probe = Callable[[Index], tuple[np.ndarray, np.ndarray]]  # an output's index to both responses
MANY_AXES, MANY_CHANNELS = 5, 32  # with more, questions that ask about each, or each order, would take too long
UNKNOWN = "no simple relation to the right gradient was found"


def diagnose(mine: Pull, right: Pull, leaf: int, cotangents: Sequence[jax.Array]) -> str:
    """Return what seems to be wrong with one gradient.

    Args:
      mine: the wrong pullback, from the outputs' cotangents to the primals'.
      right: the right one.
      leaf: which primal to look at.
      cotangents: those that showed the difference.
    """

    def respond(pull: Pull, g: Sequence[jax.Array]) -> np.ndarray:
        return np.asarray(pull(g)[leaf], np.float64)

    a, b = respond(mine, cotangents), respond(right, cotangents)
    if not np.isfinite(a).all() or not np.isfinite(b).all():
        return "it is nan or infinite where the right gradient is a number, or the other way round"
    for hint in itertools.chain(_as_a_whole(a, b), _partial_sums(a, cotangents)):
        return hint
    if len(cotangents) == 1 and cotangents[0].size and a.ndim > 1:

        def probe(position: Index) -> tuple[np.ndarray, np.ndarray]:
            g = [jnp.zeros_like(cotangents[0]).at[position].set(1)]
            return respond(mine, g), respond(right, g)

        shape = cotangents[0].shape
        for hint in itertools.chain(_single_responses(shape, probe), _exchanged_responses(shape, probe)):
            return hint
    return next(_zero_pattern(a, b), UNKNOWN)


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    scale = np.max(np.abs(b), initial=0.0)
    return bool(scale > 0 and np.max(np.abs(a - b)) <= 1e-2 * scale)


def _as_a_whole(a: np.ndarray, b: np.ndarray) -> Iterator[str]:
    """Say whether a is b times a number, turned round, or transposed."""
    if not a.any():
        yield "it is 0 everywhere: the cotangent never arrives"
        return
    if not b.any():
        return
    factor = float(np.vdot(b, a) / np.vdot(b, b))
    if _close(a, factor * b) and not _close(a, b):
        if np.isclose(factor, -1, rtol=1e-2):
            yield "it has the wrong sign"
        else:
            yield f"it is {factor:.4g} times the right gradient: a factor such as 1/N is missing or extra"
    yield from _turned(a, b, "the gradient")


def _turned(a: np.ndarray, b: np.ndarray, what: str) -> Iterator[str]:
    """Say whether a is b reversed along some axes, or with its axes in another order, and not b itself."""
    if a.shape == b.shape and _close(a, b):
        return
    axes = [axis for axis in range(b.ndim) if b.shape[axis] > 1]
    for count in range(1, len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            if _close(a, np.flip(b, chosen)):
                yield f"{what} is reversed along axes {chosen}: a turn by 180 degrees is missing, or one too many"
    for order in itertools.permutations(range(b.ndim)) if b.ndim <= MANY_AXES else ():
        moved = tuple(axis for axis in range(b.ndim) if order[axis] != axis)
        if moved and b.transpose(order).shape == a.shape and _close(a, b.transpose(order)):
            yield f"{what} has axes {moved} exchanged: input and output channels, or rows and columns, are swapped"


def _partial_sums(a: np.ndarray, cotangents: Sequence[jax.Array]) -> Iterator[str]:
    """Say whether a is a sum of the cotangent over too few of its axes, as a bias gradient may be."""
    if len(cotangents) != 1 or a.ndim != 1 or cotangents[0].shape[-1:] != a.shape:
        return
    g = np.asarray(cotangents[0], np.float64)
    leading = range(g.ndim - 1)
    for count in range(g.ndim - 1):
        for summed in itertools.combinations(leading, count):
            kept = tuple(axis for axis in leading if axis not in summed)
            partial = g.sum(summed).reshape(-1, g.shape[-1])
            if any(_close(a, row) for row in (partial[0], partial[-1])):
                yield f"the cotangent is not summed over axes {kept}"


def _box(a: np.ndarray) -> tuple[tuple[int, ...], np.ndarray] | None:
    """Return where the nonzero part of a begins, and that part; None if there is none."""
    places = np.argwhere(a)
    if not places.size:
        return None
    low, high = places.min(0), places.max(0)
    return tuple(map(int, low)), a[tuple(slice(i, j + 1) for i, j in zip(low, high, strict=True))]


def _single_responses(shape: Index, probe: Probe) -> Iterator[str]:
    """Say where the response to a single output sits, and which way round it lies.

    The outputs are one near the middle, and the next one along every axis.
    """
    middle = tuple((size - 1) // 2 for size in shape)
    next_ones = [(*middle[:i], middle[i] + 1, *middle[i + 1 :]) for i in range(len(shape)) if middle[i] + 1 < shape[i]]
    boxes = [tuple(map(_box, probe(position))) for position in (middle, *next_ones)]
    found = [(a, b) for a, b in boxes if a is not None and b is not None]
    if not found:
        return
    (start, mine), (right_start, right) = found[0]
    for (next_start, _), (next_right_start, _) in found[1:]:
        step = np.subtract(next_start, start)
        right_step = np.subtract(next_right_start, right_start)
        if (np.abs(step) < np.abs(right_step)).any():
            yield (
                f"the next output's response lies {tuple(map(int, step))} further, not {tuple(map(int, right_step))}: "
                "the zeros between the cotangents of a strided layer are missing"
            )
    if mine.shape == right.shape:
        yield from _turned(mine, right, "the response to one output")
        offset = tuple(int(i) for i in np.subtract(start, right_start))
        if any(offset) and _close(mine, right):
            yield f"it is shifted by {offset}: the padding of the cotangent is wrong"
    if np.count_nonzero(mine) > np.count_nonzero(right):
        yield "one output's cotangent reaches more elements than it must: ties go to every maximum, or a mask is wrong"


def _exchanged_responses(shape: Index, probe: Probe) -> Iterator[str]:
    """Say whether an output gets the response that belongs to another one: opposite, or of the other channel."""
    if len(shape) < 3:
        return
    first = (0,) * (len(shape) - 1)
    last = (0, *(size - 1 for size in shape[1:-1]))
    if first != last and _close(probe((*first, 0))[0], probe((*last, 0))[1]):
        yield "the first output gets the response of the last: the cotangent is turned by 180 degrees and must not be"
    channels = shape[-1]
    if channels <= MANY_CHANNELS and probe((*first, 0))[0].shape[-1] == channels:
        mine, right = (np.stack(r) for r in zip(*(probe((*first, c)) for c in range(channels)), strict=True))
        if _close(mine, np.swapaxes(right, 0, -1)):
            yield "input and output channels are swapped"


def _zero_pattern(a: np.ndarray, b: np.ndarray) -> Iterator[str]:
    """Say where a is 0 and b is not, or the other way round."""
    lost, extra = (a == 0) & (b != 0), (a != 0) & (b == 0)
    if extra.any() and lost.any():
        yield f"{lost.sum()} elements are lost and {extra.sum()} get one too many: the mask comes from the wrong array"
    elif extra.any():
        yield f"{extra.sum()} elements get a cotangent that must not: ties, padding or rows that no window reads"
    elif lost.any():
        for axis in range(b.ndim):
            rows = np.flatnonzero(lost.any(tuple(i for i in range(b.ndim) if i != axis)))
            if rows[0] > 0 and rows[-1] == b.shape[axis] - 1 and not np.take(a, rows, axis).any():
                yield f"nothing arrives from index {rows[0]} on along axis {axis}: the trailing rows are lost"
        yield f"{lost.sum()} of {b.size} elements are lost: windows that overlap overwrite each other instead of adding"
    elif (a == b).mean() > 0.1:
        yield "some elements are right and others are not: contributions overwrite each other instead of adding"
