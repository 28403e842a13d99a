"""Finite differences in the dtype of a function: the judge of a gradient where float64 is out of reach.

The step is a power of two near the cube root of eps, where rounding, eps |y| / h, and truncation, h^2 / 6 times the
third derivative, are about equal. How far a difference may be off is measured: by the rounding of the outputs that
moved, and by the difference over twice the step.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxcnn.gradcheck.problem import Problem, float_leaves
from jaxcnn.gradcheck.sides import Arrays, Side


class Derivative(NamedTuple):
    """One element of a gradient, by central differences."""

    value: float
    uncertainty: float


def derivative(side: Side, problem: Problem, cotangents: Arrays, leaf: int, index: tuple[int, ...]) -> Derivative:
    """Return dL/dx at one element of a primal, L = sum(cotangent * output), by the dtype of the problem itself."""
    x = np.asarray(problem.primals[leaf], np.float64)
    eps = float(jnp.finfo(problem.primals[leaf].dtype).eps)
    step = 2.0 ** np.round(np.log2(eps) / 3) * 2.0 ** np.ceil(np.log2(max(1.0, abs(float(x[index])))))
    weights = [np.asarray(g, np.float64) for g in cotangents]

    def over(h: float) -> tuple[float, float]:
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved[index] += sign * h
            at = problem.primals
            at[leaf] = jnp.asarray(moved, at[leaf].dtype)
            y = float_leaves(side.called(problem.at(at)))
            sides.append((float(at[leaf][index]), [np.asarray(out, np.float64) for out in y]))
        (high, above), (low, below) = sides
        return _quotient(weights, above, below, high - low, [float(jnp.finfo(g.dtype).eps) for g in cotangents])

    (near, rounding), (far, _) = over(step), over(2 * step)
    return Derivative(near, rounding + abs(near - far))


def _quotient(
    weights: Sequence[Any], above: Sequence[Any], below: Sequence[Any], width: float, eps: Sequence[float]
) -> tuple[float, float]:
    """Return the quotient of differences, and how far rounding may have moved it."""
    total, squares = 0.0, 0.0
    for w, a, b, unit in zip(weights, above, below, eps, strict=True):
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return 0.0, math.inf  # nothing can be told
        total += float(np.sum(w * (a - b)))
        squares += float(np.sum(np.square(w * np.where(a != b, unit * np.maximum(np.abs(a), np.abs(b)), 0.0))))
    return total / width, float(np.sqrt(squares)) / width
