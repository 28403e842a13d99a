"""Compare a function's gradients by hand rules with those of its autodiff twin, array by array."""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from jaxcnn.gradcheck.draws import LEVELS, draw_cotangents, with_ties
from jaxcnn.gradcheck.evidence import roundings_of
from jaxcnn.gradcheck.problem import float_leaves, float_names, require_same, take_apart
from jaxcnn.gradcheck.questions import Comparison
from jaxcnn.gradcheck.report import Report, Row
from jaxcnn.gradcheck.sides import Side

Function = Callable[..., Any]


def compare(
    manual: Function,
    auto: Function,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    key: jax.Array | None = None,
    rtol: float | None = None,
    second_order: bool = True,
    ties: bool = True,
    jit: bool = False,
) -> Report:
    """Compare values and gradients of two functions of the same signature.

    Both are pulled back along the same random cotangent. The judge is `auto` in float64 on the same numbers, rounded
    once; what plain autodiff gives in the dtype of the arguments stands beside it, and may widen the tolerance within
    bounds (`jaxcnn.gradcheck.judging`). Where `auto` cannot follow its arguments to float64, finite differences judge,
    and the report says so. Each array is judged by its own scale, and so is each slice along each of its axes.

    A hand rule's value is checked twice, as it is called and as it is differentiated, since the two may disagree. Its
    gradient must be linear in the cotangent: cotangents of other magnitudes and signs, and sums of them, are tried on
    `manual` alone. Where neither function says otherwise, float32 products are computed in float32 (a GPU's default,
    TF32, has 10 bits).

    Args:
      manual: the function whose rules are on trial; any pytrees in and out.
      auto: its twin, differentiated by JAX.
      *args: the arguments of both; leaves may be arrays of any dtype, numbers and PRNG keys.
      argnums: which arguments to differentiate; their integer, bool and key leaves are skipped and listed.
      key: the PRNG key of the cotangent; None is a fixed one.
      rtol: the tolerance for max|manual - judge| / max|judge| of each array; None derives it from the dtype, the
        number of terms and the truth in float64.
      second_order: compare the derivatives of the gradients too; where there are none, the report says so.
      ties: compare also on the arguments rounded to few levels, so that numbers are equal, 0, or at a kink.
      jit: compile each function with its gradients as one program; it must then not branch on numbers in Python.

    Returns:
      A `Report`: `.ok`, `.rows`, `.skipped`, `.notes`, `str()` for a table, `.raise_if_bad()`.

    Raises:
      TypeError: argnums is neither an int nor several.
      ValueError: argnums is out of range, nothing is to be differentiated, or the two return different structures,
        shapes or dtypes, or differ in an output that has no gradient.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> from jaxcnn.gradcheck import compare
      >>> compare(jaxcnn.relu, jaxcnn.reference.relu, jnp.array([-1.0, 2.0])).ok
      True
    """
    problem = take_apart(manual, args, argnums)
    mine, twin = Side(manual, jit), Side(auto, jit)
    with jax.default_matmul_precision("highest"):
        called, here, there = mine.called(problem), mine.pulled(problem), twin.pulled(problem)
        for result in (called, here.result):
            require_same(result, there.result)
        cotangents = draw_cotangents(jax.random.key(0) if key is None else key, here.outputs)
        counted = roundings_of(twin, problem, cotangents)
        comparison = Comparison(mine, twin, cotangents, tuple(float_names(called)), rtol, counted)
        given = comparison.at(problem)
        rows = given.values("value", float_leaves(called)) + given.values("value in vjp", here.outputs)
        rows += given.gradients("gradient")
        rows += _unknown(rows, given.linearity())
        notes = given.notes()
        if ties:
            for levels in LEVELS.values():
                tied = comparison.at(problem.at(with_ties(problem.primals, levels)))
                # Where both are off, sums were rounded to a kink or a tie that float64 does not have: nobody is wrong.
                rows += _unknown(rows, [row for row in tied.at_ties() if not row.ok and "auto" not in row.odd])
            notes.append("compared on the arguments, and on them rounded to few levels: ties, zeros, kinks")
        if second_order and all(row.ok for row in rows):
            second, failed = given.curvature()
            rows += second
            notes += failed
        elif second_order:
            notes.append("second order not compared: the first is off")
    return Report(tuple(rows), problem.skipped, tuple(notes))


def _unknown(known: Sequence[Row], found: Sequence[Row]) -> list[Row]:
    """Return the rows about arrays of which nothing bad is known yet."""
    bad = {row.path for row in known if not row.ok}
    return [row for row in found if row.path not in bad]
