"""Names for wrong gradients of elementwise layers, of softmax, and of norms."""

from collections.abc import Iterator

import numpy as np

from jaxcnn.gradcheck.probing import Probe


def of_each_element(probe: Probe) -> Iterator[str]:
    """Say what is wrong with the slopes of a function that maps each element by itself."""
    mine, right, x = _slopes(probe, 0), _slopes(probe, 1), probe.primal
    if right is None:
        return
    if mine is None:
        if _same_shapes(probe):
            yield "each element must get its own cotangent alone, and gets those of others too, or loses some"
        return
    off = np.abs(mine - right) > probe.tolerance * np.maximum(np.abs(mine), np.abs(right))
    if not off.any():
        return
    extra, lost = off & (right == 0), off & (mine == 0)
    kinks = np.unique(x[off])
    first = tuple(int(i) for i in np.argwhere(off)[0])
    if len(kinks) == 1 and not off.all() and (off == (x == kinks[0])).all():
        yield (
            f"it is wrong only where x is {kinks[0]:g}: there the slope is {mine[first]:g}, and must be "
            f"{right[first]:g}"
        )
    elif (extra | lost == off).all():
        if extra.any() and lost.any():
            yield (
                f"{lost.sum()} elements are lost and {extra.sum()} get one too many: the mask comes from the wrong "
                "array"
            )
        elif extra.any():
            yield f"{extra.sum()} elements get a cotangent that must be 0: a mask is missing"
        else:
            yield f"{lost.sum()} elements get no cotangent: their slope is 0 and must not be"
    else:
        yield (
            f"the slope is wrong at {off.sum()} of {off.size} elements: where x is {x[first]:.4g} it is "
            f"{mine[first]:.4g}, and must be {right[first]:.4g}"
        )


def reach(probe: Probe) -> Iterator[str]:
    """Say along which whole axes the cotangent of one output must reach other elements and does not, or the reverse."""
    if not _same_shapes(probe):
        return
    missing, extra = [], []
    for axis, size in enumerate(probe.primal.shape):
        mine, right = ({_extent(getattr(r, side), axis) for r in probe.responses} for side in ("mine", "right"))
        if size > 1 and max(mine) <= 1 and right == {size}:
            missing.append(axis)
        if size > 1 and mine == {size} and max(right) <= 1:
            extra.append(axis)
    said = []
    if extra:
        said.append(f"one output's cotangent reaches all elements along axis {extra[0]}, where it must not")
    if missing:
        said.append(f"one output's cotangent must reach all elements along axis {missing[0]}, and does not")
    if said:
        yield "; ".join(said) + ": a sum is missing, or goes over the wrong axis"


def of_norms(probe: Probe) -> Iterator[str]:
    """Say whether the mean's or the variance's part is missing in the gradient of a norm."""
    if not _same_shapes(probe):
        return
    ones = [np.ones_like(probe.g[0])]
    scale = np.max(np.abs(probe.pairs[0][1]))
    constant = np.max(np.abs(probe.right(ones))) <= probe.tolerance * scale
    if constant and np.max(np.abs(probe.mine(ones))) > 10 * probe.tolerance * scale:
        yield "a constant cotangent must give 0, and does not: the part of the mean is missing"
    x = probe.primal
    everything = tuple(range(x.ndim))
    for axes in (everything[-1:], everything[:-1], everything[1:-1], everything[1:], everything):
        if not axes or np.prod([x.shape[axis] for axis in axes]) < 3:
            continue
        for what, hat in (("x - mean(x)", x - x.mean(axes, keepdims=True)), ("x", x)):
            if all(_along(a - b, hat, axes, probe.tolerance) for a, b in probe.pairs):
                yield f"what it lacks is a multiple of {what} over axes {axes}: the part of the variance is wrong"


def _along(difference: np.ndarray, direction: np.ndarray, axes: tuple[int, ...], tolerance: float) -> bool:
    """Return whether a difference is a multiple of a direction, by a number of its own in each group."""
    squares = np.sum(direction**2, axes, keepdims=True)
    multiple = np.sum(difference * direction, axes, keepdims=True) / np.where(squares == 0, 1, squares)
    scale = np.max(np.abs(difference))
    return bool(scale > 0 and np.max(np.abs(difference - multiple * direction)) <= 10 * tolerance * scale)


def _slopes(probe: Probe, side: int) -> np.ndarray | None:
    """Return cotangent over g, where it is the same for two random g; None where it is not."""
    if not _same_shapes(probe):
        return None
    first, second = (pair[side] / g[0] for pair, g in zip(probe.pairs, (probe.g, probe.other), strict=True))
    scale = np.max(np.abs(first), initial=0.0)
    same = np.abs(first - second) <= probe.tolerance * np.maximum(np.abs(first), 1e-3 * scale)
    return first if same.all() else None


def _same_shapes(probe: Probe) -> bool:
    return probe.g[0].shape == probe.primal.shape and all(g.all() for g in (probe.g[0], probe.other[0]))


def _extent(response: np.ndarray, axis: int) -> int:
    """Return how many indices along an axis a response reaches."""
    return int(np.count_nonzero((response != 0).any(tuple(i for i in range(response.ndim) if i != axis))))
