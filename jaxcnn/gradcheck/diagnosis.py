"""Name the mistake behind a wrong gradient, as far as the numbers show it.

A backward rule is linear in the cotangent, so it can be questioned: besides the random cotangent that found the
difference, both pullbacks answer other random ones, scaled ones, and ones that are 1 at one output and 0 elsewhere. A
mistake is named only where it explains what the wrong rule gives for all that were asked, and where the right rule
would answer otherwise; what has no such name is left without one.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jaxcnn.gradcheck.diagnosis_elementwise import of_each_element, of_norms, reach
from jaxcnn.gradcheck.diagnosis_windows import of_windows
from jaxcnn.gradcheck.probing import Probe, Pull

MANY_AXES = 5  # with more, questions about each order of them would take too long
UNKNOWN = "no simple relation to the right gradient was found"


def diagnose(mine: Pull, right: Pull, leaf: int, cotangents: Sequence[jax.Array], primal: Any) -> str:
    """Return what seems to be wrong with one gradient.

    Args:
      mine: the wrong pullback, from the outputs' cotangents to the primals'.
      right: the right one.
      leaf: which primal to look at.
      cotangents: those that showed the difference.
      primal: the numbers of that primal.
    """
    probe = Probe(mine, right, leaf, cotangents, primal)
    if not all(np.isfinite(side).all() for side in probe.pairs[0]):
        return "it is nan or infinite where the right gradient is a number, or the other way round"
    hints = [_as_a_whole(probe), not_linear(probe), _turned(probe), _partial_sums(probe)]
    if probe.one_output and probe.pairs[0][0].shape == probe.pairs[0][1].shape:
        hints += [_of_slices(probe), of_each_element(probe), reach(probe), of_windows(probe), of_norms(probe)]
    return next(itertools.chain(*hints), UNKNOWN)


def _as_a_whole(probe: Probe) -> Iterator[str]:
    """Say whether mine is 0, a multiple of right, or right without the cotangent itself."""
    if not any(a.any() for a, _ in probe.pairs):
        if any(b.any() for _, b in probe.pairs):
            yield "it is 0 everywhere: the cotangent never arrives"
        return
    a, b = probe.pairs[0]
    if b.any() and a.shape == b.shape:
        factor = float(np.vdot(b, a) / np.vdot(b, b))
        if probe.always(lambda b, _: factor * b):
            if np.isclose(factor, -1, rtol=1e-3):
                yield "it has the wrong sign"
            else:
                yield f"it is {factor:.4g} times the right gradient: a factor such as 1/N is missing or extra"
    if probe.always(lambda b, g: b - g if b.shape == g.shape else None):
        yield "the cotangent itself is missing: that of the branch which skips the others is not added"
    if probe.always(lambda b, g: b + g if b.shape == g.shape else None):
        yield "the cotangent itself is added once too often"


def not_linear(probe: Probe) -> Iterator[str]:
    """Say how mine depends on the sign and the size of the cotangent, where that is not as a linear function must."""
    a, negative, larger = (probe.mine([f * g for g in probe.g]) for f in (1, -1, 16))
    if not a.any():
        return
    if probe.close(negative, a):
        yield "it does not follow the sign of the cotangent: |g| was taken, or a square"
    elif probe.close(larger, 16 * a):
        if not probe.close(negative, -a):
            own = probe.one_output and a.shape == probe.g[0].shape and not (a[probe.g[0] < 0]).any()
            why = ": the mask comes from the wrong array, the cotangent" if own else ""
            yield f"it depends on the sign of the cotangent{why}"
    elif probe.close(larger, a):
        yield "it does not follow the size of the cotangent: g was normalised"
    huge, twice = (probe.mine([f * g for g in probe.g]) for f in (2.0**14, 2.0**15))
    if np.isfinite(twice).all() and probe.close(twice, huge) and not probe.close(larger, a):
        yield "it does not grow with the cotangent beyond a size: large cotangents are clipped"
    if not probe.close(larger, 16 * a):
        yield "it is not proportional to the cotangent"


def _turned(probe: Probe) -> Iterator[str]:
    """Say whether mine is right reversed along some axes, or with its axes in another order."""
    b = probe.pairs[0][1]
    axes = [axis for axis in range(b.ndim) if b.shape[axis] > 1]
    for count in range(1, len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            if probe.always(lambda b, _, chosen=chosen: np.flip(b, chosen)):
                yield f"the gradient is reversed along axes {chosen}: a turn by 180 degrees is missing, or one too many"
    for order in itertools.permutations(range(b.ndim)) if b.ndim <= MANY_AXES else ():
        moved = tuple(axis for axis in range(b.ndim) if order[axis] != axis)
        if moved and probe.always(lambda b, _, order=order: b.transpose(order)):
            yield (
                f"the gradient has axes {moved} exchanged: input and output channels, or rows and columns, are swapped"
            )


def _partial_sums(probe: Probe) -> Iterator[str]:
    """Say whether mine is what a part of the cotangent gives: one element along an axis that must be summed over."""
    if not probe.one_output or probe.g[0].ndim < 2:
        return
    shape = probe.g[0].shape
    for count in range(1, len(shape)):
        for kept in itertools.combinations(range(len(shape) - 1), count):
            if all(shape[axis] > 1 for axis in kept):
                for end in (0, -1):
                    asked = [(probe.mine(g), probe.right([_at_end(g[0], kept, end)])) for g in (probe.g, probe.other)]
                    if all(probe.close(a, b) for a, b in asked):
                        yield (
                            f"the cotangent is not summed over axes {kept}: only index {end} along axis {kept[0]} of "
                            "the cotangent arrives"
                        )


def _at_end(g: np.ndarray, axes: tuple[int, ...], end: int) -> np.ndarray:
    """Return g, and 0 but at one end of some axes."""
    only = np.zeros_like(g)
    where = tuple((slice(0, 1) if end == 0 else slice(-1, None)) if i in axes else slice(None) for i in range(g.ndim))
    only[where] = g[where]
    return only


def _of_slices(probe: Probe) -> Iterator[str]:
    """Say whether mine is right with each slice along one axis times a number of its own."""
    shape = probe.pairs[0][1].shape
    for axis in range(len(shape)):
        others = tuple(i for i in range(len(shape)) if i != axis)
        if shape[axis] < 2 or shape[axis] == probe.pairs[0][1].size:
            continue
        factors = []
        for a, b in probe.pairs:
            squares = np.sum(b * b, others, keepdims=True)
            factor = np.sum(a * b, others, keepdims=True) / np.where(squares == 0, 1, squares)
            sizes = np.max(np.abs(b), others, keepdims=True)
            if np.any(np.abs(a - factor * b) > 10 * probe.tolerance * sizes) or not sizes.any():
                break
            factors.append(factor.ravel())
        if len(factors) == 2 and np.allclose(*factors, rtol=10 * probe.tolerance, atol=1e-6):
            some = ", ".join(f"{factor:.4g}" for factor in factors[0][:4])
            if np.ptp(factors[0]) > 10 * probe.tolerance:
                yield (
                    f"a factor of its own is missing or extra in each slice along axis {axis}: it is {some}, ... times "
                    "the right one"
                )
