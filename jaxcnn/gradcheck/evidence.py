"""What the twin says in float64: outputs, gradients and second derivatives, with the noise in each."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.gradcheck.draws import moved
from jaxcnn.gradcheck.judging import Truth, truths
from jaxcnn.gradcheck.problem import Problem
from jaxcnn.gradcheck.sides import Arrays, Side, in_float64, upcast
from jaxcnn.gradcheck.terms import Roundings, roundings

MOVES = 4  # evaluations on moved numbers, whose mean square is the noise


class Evidence(NamedTuple):
    """What is known about the arrays of a comparison."""

    outputs: list[Truth]
    gradients: list[Truth]


class NoFloat64Error(Exception):
    """A function cannot be evaluated in float64; the message says why."""


def in_float64_at(auto: Side, problem: Problem, cotangents: Arrays) -> Evidence:
    """Return outputs and gradients of the twin in float64, and the noise in them.

    Raises:
      NoFloat64Error: the twin cannot be evaluated in float64, or does not follow its arguments there.
    """

    def evaluate(primals: Sequence[Any], g: Sequence[Any]) -> list[Any]:
        pulled = auto.pulled(wide.at([jnp.asarray(p) for p in primals]))
        for y in pulled.outputs:
            if y.dtype != jnp.float64:
                raise NoFloat64Error(f"the output of auto is {y.dtype.name} where its arguments are float64")
        return [*pulled.outputs, *pulled.pull([jnp.asarray(c) for c in g])]

    with jax.enable_x64(True):
        wide = in_float64(problem)
        try:
            found = _with_noise(evaluate, wide.primals, [upcast(g) for g in cotangents])
        except NoFloat64Error:
            raise
        except Exception as error:  # whatever a function raises that holds numbers of another dtype
            raise NoFloat64Error(f"auto raises {type(error).__name__} where its arguments are float64") from error
    count = len(cotangents)
    return Evidence(found[:count], found[count:])


def curvature_in_float64(auto: Side, problem: Problem, cotangents: Arrays, vectors: Arrays) -> list[Truth]:
    """Return the second derivatives of the twin in float64, and the noise in them."""

    def evaluate(primals: Sequence[Any], g: Sequence[Any]) -> list[Any]:
        at = wide.at([jnp.asarray(p) for p in primals])
        return auto.curvature(at, [jnp.asarray(c) for c in g], along)

    with jax.enable_x64(True):
        wide, along = in_float64(problem), [upcast(v) for v in vectors]
        return _with_noise(evaluate, wide.primals, [upcast(g) for g in cotangents])


def roundings_of(auto: Side, problem: Problem, cotangents: Arrays) -> tuple[list[Roundings], list[Roundings]]:
    """Return the roundings behind each output and each gradient of the twin."""

    def both(primals: Arrays, g: Arrays) -> list[jax.Array]:
        pulled = Side(auto.fn).pulled(problem.at(primals))
        return [*pulled.outputs, *pulled.pull(g)]

    found = _counted(both, problem, cotangents, len(cotangents) + len(problem.primals))
    return found[: len(cotangents)], found[len(cotangents) :]


def roundings_of_curvature(auto: Side, problem: Problem, cotangents: Arrays, vectors: Arrays) -> list[Roundings]:
    """Return the roundings behind each second derivative of the twin."""

    def second(primals: Arrays, g: Arrays) -> list[jax.Array]:
        return Side(auto.fn).curvature(problem.at(primals), g, vectors)

    return _counted(second, problem, cotangents, len(cotangents) + len(problem.primals))


def _counted(fn: Callable[..., Any], problem: Problem, cotangents: Arrays, count: int) -> list[Roundings]:
    try:
        return roundings(fn, problem.primals, list(cotangents))
    except jax.errors.ConcretizationTypeError:  # it branches on numbers in Python
        size = sum(a.size for a in (*problem.primals, *cotangents))
        return [Roundings(size, np.sqrt(size))] * count


def _with_noise(evaluate: Callable[..., list[Any]], primals: Arrays, cotangents: Arrays) -> list[Truth]:
    exact = [np.asarray(a) for a in (*primals, *cotangents)]
    found = [np.asarray(b, np.float64) for b in evaluate(primals, cotangents)]
    again = []
    for seed in range(MOVES):
        numbers = moved(exact, seed)
        results = evaluate(numbers[: len(primals)], numbers[len(primals) :])
        again.append([np.asarray(b, np.float64) for b in results])
    return truths(found, again, exact)
