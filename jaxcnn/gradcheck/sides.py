"""One side of a comparison: a function, evaluated and pulled back, eagerly or as one compiled program."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.gradcheck.problem import Function, Problem, float_leaves
from jaxcnn.gradcheck.tolerances import is_floating

Arrays = Sequence[jax.Array]


class Pulled(NamedTuple):
    """A function at some numbers."""

    outputs: list[jax.Array]  # the floating outputs
    pull: Callable[[Arrays], list[jax.Array]]  # their cotangents to those of the primals
    result: Any  # all that the function returned


class Side(NamedTuple):
    """A function of a comparison."""

    fn: Function
    jit: bool = False  # whether it is compiled as a whole

    def called(self, problem: Problem) -> Any:
        """Return the function's result, as it is called without a derivative."""
        return (jax.jit(self.fn) if self.jit else self.fn)(*problem.args)

    def pulled(self, problem: Problem) -> Pulled:
        """Return the function's outputs and its pullback at the numbers of a problem."""
        if not self.jit:
            return _pulled(self.fn, problem)
        program, arrays = _first_of(self.fn, _form(problem)), _arrays(problem)
        shapes = _value_of(self.fn, _form(problem)).eval_shape(arrays)
        outputs, result, _ = program(arrays, [np.zeros(y.shape, y.dtype) for y in shapes])
        return Pulled(outputs, lambda cotangents: program(arrays, list(cotangents))[2], result)

    def curvature(self, problem: Problem, cotangents: Arrays, vectors: Arrays) -> list[jax.Array]:
        """Return the derivatives of sum_i <vectors_i, gradient_i>, by the primals and by the cotangents.

        They are what a rule that is differentiated again must get right: the one by the primals is a product with the
        Hessian, the one by the cotangents is the function's own derivative along `vectors`.
        """
        if self.jit:
            return _second_of(self.fn, _form(problem))(_arrays(problem), list(cotangents), list(vectors))
        return _curvature(self.fn, problem, list(cotangents), list(vectors))


def in_float64(problem: Problem) -> Problem:
    """Return a problem with every floating leaf in float64; under `jax.enable_x64`."""
    return problem._replace(leaves=tuple(map(upcast, problem.leaves)))


def upcast(leaf: Any) -> Any:
    """Return a floating leaf in float64, another as it is."""
    return jnp.asarray(np.asarray(leaf, np.float64)) if is_floating(leaf) else leaf


def _pulled(fn: Function, problem: Problem) -> Pulled:
    def of_primals(*primals: jax.Array) -> tuple[list[jax.Array], Any]:
        result = fn(*problem.at(primals).args)
        return float_leaves(result), result

    outputs, pull, result = jax.vjp(of_primals, *problem.primals, has_aux=True)
    return Pulled(outputs, lambda cotangents: list(pull(list(cotangents))), result)


def _curvature(fn: Function, problem: Problem, cotangents: Arrays, vectors: Arrays) -> list[jax.Array]:
    def along(primals: Arrays, cotangents: Arrays) -> jax.Array:
        gradients = _pulled(fn, problem.at(primals)).pull(cotangents)
        wide = jnp.float64 if vectors[0].dtype == jnp.float64 else jnp.float32
        products = [jnp.vdot(v.astype(dx.dtype), dx) for v, dx in zip(vectors, gradients, strict=True)]
        return jnp.sum(jnp.stack([product.astype(wide) for product in products]))

    by_primals, by_cotangents = jax.grad(along, (0, 1))(problem.primals, list(cotangents))
    return [*by_primals, *by_cotangents]


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray)


def _arrays(problem: Problem) -> list[Any]:
    return [leaf for leaf in problem.leaves if _is_array(leaf)]


class _Form(NamedTuple):
    """What a compiled program is made for: everything about a problem but the numbers of its arrays."""

    structure: Any
    differentiated: tuple[int, ...]
    others: tuple[tuple[int, Any], ...]  # position and value of the leaves that are no arrays
    size: int  # how many leaves there are

    def problem(self, arrays: Sequence[Any]) -> Problem:
        """Return the problem with these arrays."""
        others, given = dict(self.others), iter(arrays)
        leaves = tuple(others[i] if i in others else next(given) for i in range(self.size))
        return Problem(leaves, self.structure, self.differentiated, (), ())


def _form(problem: Problem) -> _Form:
    others = tuple((i, leaf) for i, leaf in enumerate(problem.leaves) if not _is_array(leaf))
    return _Form(problem.structure, problem.differentiated, others, len(problem.leaves))


@functools.lru_cache(maxsize=8)
def _first_of(fn: Function, form: _Form) -> Callable[..., Any]:
    """Return the compiled program of outputs, result and gradients; several dtypes share the one in float64."""

    def program(arrays: Sequence[Any], cotangents: Arrays) -> tuple[Any, Any, Any]:
        outputs, pull, result = _pulled(fn, form.problem(arrays))
        return outputs, result, pull(cotangents)

    return jax.jit(program)


@functools.lru_cache(maxsize=8)
def _value_of(fn: Function, form: _Form) -> Any:
    return jax.jit(lambda arrays: float_leaves(fn(*form.problem(arrays).args)))


@functools.lru_cache(maxsize=8)
def _second_of(fn: Function, form: _Form) -> Callable[..., Any]:
    def program(arrays: Sequence[Any], cotangents: Arrays, vectors: Arrays) -> list[jax.Array]:
        return _curvature(fn, form.problem(arrays), cotangents, vectors)

    return jax.jit(program)
