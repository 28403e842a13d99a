"""Names for wrong gradients of windowed layers: convolutions, pools, and what repeats or slices."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from jaxcnn.gradcheck.probing import Index, Probe, Response

Box = tuple[Index, np.ndarray]  # where the nonzero part of a response begins, and that part
MANY_CHANNELS, MANY_CONTRIBUTIONS = 32, 512


def of_windows(probe: Probe) -> Iterator[str]:
    """Say what is wrong with where the response to one output lies, which way round, and how responses are added."""
    if not probe.g[0].ndim or not probe.primal.ndim:
        return
    yield from _of_maxima(probe)
    yield from _not_read(probe)
    yield from _overwritten(probe)
    yield from _exchanged(probe)
    if probe.g[0].ndim < 2 or probe.primal.ndim < 2:
        return
    yield from _placed(probe)
    lost = [r.output for r in probe.responses if r.right.any() and not r.mine.any()]
    if lost:
        yield f"the cotangents of {len(lost)} of {len(probe.responses)} outputs never arrive, such as that of {lost[0]}"


def _not_read(probe: Probe) -> Iterator[str]:
    """Say whether elements that no output depends on get a cotangent, or the last ones that some depend on get none."""
    mine, right = (np.stack([pair[side] for pair in probe.pairs]) for side in (0, 1))
    unread, lost = np.asarray(~right.any(0)), np.asarray(~mine.any(0))
    extra, gone = np.asarray(unread & ~lost), np.asarray(lost & ~unread)
    if extra.any() and probe.close(np.where(unread, right, mine), right) and (_whole_rows(unread) | ~extra).all():
        yield f"{extra.sum()} elements get a cotangent that must be 0: rows that no window reads"
    if gone.any() and probe.close(np.where(gone, right, mine), right):
        for axis in range(gone.ndim):
            others = tuple(i for i in range(gone.ndim) if i != axis)
            rows = np.flatnonzero(np.asarray(lost.all(others) & gone.any(others)))
            if rows.size and rows[0] > 0 and rows[-1] == gone.shape[axis] - 1:
                yield f"nothing arrives from index {rows[0]} on along axis {axis}: the trailing rows are lost"


def _whole_rows(some: np.ndarray) -> np.ndarray:
    """Return where a whole row along some axis holds."""
    found = np.zeros(some.shape, bool)
    for axis in range(some.ndim):
        found |= some.all(tuple(i for i in range(some.ndim) if i != axis), keepdims=True)
    return found


def _of_maxima(probe: Probe) -> Iterator[str]:
    """Say which elements a layer gives to that selects one element a window."""
    selected = [r for r in probe.responses if np.count_nonzero(r.right) == 1]
    if len(selected) < len(probe.responses):
        return
    off = [r for r in selected if not probe.close(r.mine, r.right)]
    if not off:
        return
    x = probe.primal
    more = all(_given(probe, r) is not None for r in off)
    if not more or x.shape != off[0].mine.shape:
        return
    tied = all((x[r.mine != 0] == x[r.right != 0][0]).all() for r in off)
    if all(np.count_nonzero(r.mine) > 1 for r in off):
        yield "one output's cotangent reaches more elements than it must: " + (
            "ties go to every maximum" if tied else "a mask is wrong or missing"
        )
    elif all(np.count_nonzero(r.mine) == 1 for r in off) and tied:
        yield "a tie goes to another of the equal elements"


def _given(probe: Probe, r: Response) -> float | None:
    """Return what each element gets of one output, where all get the same as the right one."""
    (right,) = r.right[r.right != 0]
    values = r.mine[r.mine != 0]
    same = values.size and np.abs(values - right).max() <= probe.tolerance * abs(right)
    return float(right) if same else None


def _overwritten(probe: Probe) -> Iterator[str]:
    """Say whether elements that several outputs reach get the contribution of one of them."""
    g = probe.g[0]
    if g.size > MANY_CONTRIBUTIONS:
        return
    parts = np.stack([probe.right([np.where(np.arange(g.size).reshape(g.shape) == n, g, 0)]) for n in range(g.size)])
    a, b = probe.pairs[0]
    unit = probe.tolerance * np.max(np.abs(b))
    off = np.abs(a - b) > unit
    several = np.count_nonzero(parts, 0) > 1
    one = (np.abs(parts - a) <= unit).any(0)
    if off.any() and (several | ~off).all() and (one | ~off).all() and (off & (np.abs(a) > unit)).sum() >= 2:
        yield (
            f"{off.sum()} of {off.size} elements, which several outputs reach, get the contribution of one of them: "
            "they overwrite each other instead of adding"
        )


def _box(a: np.ndarray) -> Box | None:
    """Return where the nonzero part of a begins, and that part; None if there is none."""
    places = np.argwhere(a)
    if not places.size:
        return None
    low, high = places.min(0), places.max(0)
    return tuple(map(int, low)), a[tuple(slice(i, j + 1) for i, j in zip(low, high, strict=True))]


def _placed(probe: Probe) -> Iterator[str]:
    """Say where the responses to outputs near the middle lie, and which way round, beside the right ones."""
    shape = probe.g[0].shape
    middle = tuple((size - 1) // 2 for size in shape)
    spatial = range(len(shape) - 1)
    next_ones = [(*middle[:i], middle[i] + 1, *middle[i + 1 :]) for i in spatial if middle[i] + 1 < shape[i]]
    boxes = []
    for output in (middle, *next_ones):
        r = probe.response(output)
        mine, right = _box(r.mine), _box(r.right)
        if mine is None or right is None or mine[1].shape != right[1].shape:
            return
        boxes.append((mine, right))
    if all(probe.close(mine[1], right[1]) for mine, right in boxes):
        offsets = [tuple(int(i) for i in np.subtract(mine[0], right[0])) for mine, right in boxes]
        for mine, right in boxes[1:]:
            step, right_step = np.subtract(mine[0], boxes[0][0][0]), np.subtract(right[0], boxes[0][1][0])
            if (np.abs(step) < np.abs(right_step)).any():
                yield (
                    f"the next output's response lies {tuple(map(int, step))} further, not "
                    f"{tuple(map(int, right_step))}: the zeros between the cotangents of a strided layer are missing"
                )
        if any(offsets[0]) and len(set(offsets)) == 1:
            yield f"it is shifted by {offsets[0]}: the padding of the cotangent is wrong"
    axes = [axis for axis in range(boxes[0][1][1].ndim) if boxes[0][1][1].shape[axis] > 1]
    for count in range(1, len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            if _all(probe, boxes, lambda b, chosen=chosen: np.flip(b, chosen)):
                yield (
                    f"the response to one output is reversed along axes {chosen}: a turn by 180 degrees is missing, or "
                    "one too many"
                )
    for first, second in itertools.combinations(axes, 2):
        if _all(probe, boxes, lambda b, first=first, second=second: np.swapaxes(b, first, second)):
            yield f"the response to one output has axes {(first, second)} exchanged: rows and columns are swapped"


def _all(probe: Probe, boxes: Sequence[tuple[Box, Box]], change: Callable[[np.ndarray], np.ndarray]) -> bool:
    return all(probe.close(a, change(b)) and not probe.close(a, b) for (_, a), (_, b) in boxes)


def _exchanged(probe: Probe) -> Iterator[str]:
    """Say whether an output gets the response of another one: of the opposite place, or of the other channel."""
    shape = probe.g[0].shape
    spatial = tuple(range(1, len(shape) - 1))
    turned = [(probe.mine(g), probe.right([np.flip(g[0], spatial)])) for g in (probe.g, probe.other)]
    if all(probe.close(a, b) for a, b in turned):
        yield "the first output gets the response of the last: the cotangent is turned by 180 degrees and must not be"
    channels = shape[-1]
    if 1 < channels <= MANY_CHANNELS and probe.primal.shape[-1] == channels:
        place = tuple((size - 1) // 2 for size in shape[:-1])
        found = [probe.response((*place, c)) for c in range(channels)]
        mine, right = (np.stack([getattr(r, side) for r in found]) for side in ("mine", "right"))
        if probe.close(mine, np.swapaxes(right, 0, -1)) and not probe.close(mine, right):
            yield "input and output channels are swapped: a matrix must be transposed, or must not be"
