"""One row of a report: an array, the truth about it, and the verdict."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.gradcheck.judging import BY_TWIN, Tolerance, Truth, is_noise, judge, judge_slices, widened
from jaxcnn.gradcheck.report import Row
from jaxcnn.gradcheck.tolerances import absolute_difference, cosine, largest_finite, ulp_difference

SIGNAL = 4.0  # an array above so many tolerances of its noise has a direction
LEAST_ANGLE = 1e-12  # 1 - cosine, which float64 computes to some units of 1e-16


class Question(NamedTuple):
    """What an array is judged by."""

    kind: str
    path: str
    truth: Truth
    tolerance: Tolerance
    judge: str  # who says the truth
    rtol: float | None = None  # the user's


def row_of(
    question: Question, found: Any, plain: jax.Array | None = None, by_slice: bool = True, dtype: Any = None
) -> Row:
    """Return the row of an array.

    Args:
      question: what it is judged by.
      found: the array.
      plain: what plain autodiff gives in the dtype of the array.
      by_slice: judge each slice along each axis by its own scale too.
      dtype: in which the array was computed; None is its own.
    """
    a = rounded(found, found.dtype)
    dtype = jnp.dtype(found.dtype if dtype is None else dtype)
    b = rounded(question.truth.numbers, dtype)
    truth = question.truth._replace(numbers=b)
    if plain is not None and is_noise(truth):  # what the twin leaves in this dtype is of the size of what cancels
        cancelling = largest_finite(absolute_difference(rounded(plain, dtype), b)) / float(jnp.finfo(dtype).eps)
        truth = truth._replace(noise=np.maximum(truth.noise, cancelling))
    if question.rtol is not None:
        truth = truth._replace(noise=np.zeros_like(b))
    verdict = judge(a, truth, dtype)
    twin = None if plain is None else judge(rounded(plain, dtype), truth, dtype)
    rtol, odd = widened(question.tolerance, None if twin is None else twin.difference)
    if question.rtol is not None:
        rtol, odd = question.rtol, False
    elif by_slice:
        slices, widest = judge_slices(a, truth, dtype), max(rtol, question.tolerance.widest)
        if plain is not None and dtype.itemsize < 4:  # there rounding turns units on and off, and moves maxima
            widest = max(widest, BY_TWIN * judge_slices(rounded(plain, dtype), truth, dtype).difference)
        if slices.difference * rtol > verdict.difference * widest:
            verdict, rtol = slices, widest
    direction, least = cosine(a, b), _least_cosine(truth, rtol) if question.rtol is None else -1.0
    bad = not (verdict.difference <= rtol and direction >= least)
    position = verdict.position
    return Row(
        kind=question.kind,
        path=question.path,
        shape=a.shape,
        dtype=dtype.name,
        max_abs=float(np.max(absolute_difference(a, b), initial=0.0)),
        max_rel=verdict.difference,
        max_ulp=ulp_difference(a, b, dtype),
        cosine=direction,
        position=position,
        manual_at=float(a[position]) if a.size else 0.0,
        judge_at=float(b[position]) if a.size else 0.0,
        rtol=rtol,
        autodiff_rel=None if twin is None else twin.difference,
        scale=verdict.scale,
        judge=question.judge,
        odd=" and ".join(["manual"] * bad + ["auto"] * odd),
        least_cosine=least,
    )


def _least_cosine(truth: Truth, rtol: float) -> float:
    size, noise = (largest_finite(part) for part in truth)
    return 1.0 - max(rtol, LEAST_ANGLE) if size > SIGNAL * rtol * noise else -1.0


def rounded(array: Any, dtype: Any) -> np.ndarray:
    """Return an array rounded to a dtype, as float64."""
    with np.errstate(over="ignore"):  # what a half-precision dtype cannot hold is infinite in it
        return np.asarray(array).astype(dtype).astype(np.float64)
