"""Derivatives by central differences in float64: the check that trusts neither hand rules nor autodiff.

For L(x) = sum_j g_j y_j(x), dL/dx_i is close to sum_j g_j (y_j(x + h e_i) - y_j(x - h e_i)) / 2h, with an error of
h^2 / 6 times the third derivative and of eps |y| / h from rounding. The difference of the outputs is taken before the
sum, so that outputs which x_i does not reach cancel exactly. Where a function returns several arrays, j runs over all.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxcnn.gradcheck.tolerances import is_floating

STEP = 1e-6


def finite_difference_gradient(
    fn: Callable[..., Any],
    args: Sequence[Any],
    argnum: int,
    cotangent: Any,
    indices: Sequence[tuple[int, ...]] | None = None,
) -> np.ndarray:
    """Return dL/dx_i for elements i of one argument, L = sum(cotangent * fn(*args)), in float64.

    Args:
      fn: a function of arrays that returns an array or a pytree of arrays; it is compiled once.
      args: its arguments; floating ones are taken in float64.
      argnum: the argument x to differentiate, a floating array.
      cotangent: the weights of the outputs, in the structure and shapes of fn's result.
      indices: which elements of x; None takes all, in row-major order.

    Returns:
      One number an element, float64.

    Raises:
      ValueError: argnum is out of range, x is no floating array, or cotangent has another shape than fn's result.
    """
    if not 0 <= argnum < len(args):
        raise ValueError(f"argnum (={argnum}) must be from 0 to {len(args) - 1}")
    if jax.tree.structure(args[argnum]) != jax.tree.structure(0) or not is_floating(args[argnum]):
        raise ValueError(f"argument {argnum} (={args[argnum]!r}) must be a floating array")
    with jax.enable_x64(True):
        args = [_in_float64(arg) for arg in args]
        x = np.array(args[argnum])
        evaluate = _compiled(fn, args, argnum)
        weighted, shape = (jax.tree.map(np.shape, tree) for tree in (cotangent, jax.eval_shape(evaluate, x)))
        if weighted != shape:
            raise ValueError(f"cotangent shape (={weighted}) must be that of the result (={shape})")
        weights = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(cotangent)]
        found = []
        for index in np.ndindex(x.shape) if indices is None else indices:
            sides = []
            for sign in (1, -1):
                moved = x.copy()
                moved[index] += sign * STEP * max(1.0, abs(float(x[index])))
                sides.append((moved[index], [np.asarray(y) for y in jax.tree.leaves(evaluate(moved))]))
            (high, above), (low, below) = sides
            changes = [np.sum(w * (a - b)) for w, a, b in zip(weights, above, below, strict=True)]
            found.append(sum(changes) / (high - low))
        return np.array(found)


def sample_indices(shape: tuple[int, ...], count: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Return `count` different indices into an array of `shape`, or all of them where there are no more."""
    size = int(np.prod(shape))
    chosen = np.random.default_rng(seed).permutation(size)[:count]
    return [tuple(int(i) for i in np.unravel_index(c, shape)) for c in np.sort(chosen)]


def _compiled(fn: Callable[..., Any], args: Sequence[Any], argnum: int) -> Callable[..., Any]:
    """Return fn as a compiled function of one argument: one program for all of them, where all are floating arrays."""
    before, after = args[:argnum], args[argnum + 1 :]
    if all(map(is_floating, jax.tree.leaves(args))):
        program = jax.jit(fn)
        return lambda value: program(*before, value, *after)
    return jax.jit(lambda value: fn(*before, value, *after))


def _in_float64(arg: Any) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64) if is_floating(leaf) else leaf, arg)
