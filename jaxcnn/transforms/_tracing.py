"""A call of a function as a program: what JAX traces of it, and how its result is put together again."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr

_ARRAYS = (jax.Array, jax.ShapeDtypeStruct, np.ndarray)
_NOT_TRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


class Traced(NamedTuple):
    """A call of a function.

    Attributes:
      program: its program, of the arrays among the leaves of the arguments.
      arrays: these arrays.
      result: puts the outputs of the program together to what the function returned.
    """

    program: "ClosedJaxpr"
    arrays: list[Any]
    result: Callable[[Sequence[Any]], Any]


def trace(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Traced:
    """Trace a call.

    Arrays among the leaves of the arguments are traced, `jax.ShapeDtypeStruct` in their place too; everything else,
    such as numbers, strings and functions, is passed as it is. What the function returns is treated likewise.

    Raises:
      TypeError: the function asks for the values of arrays, or calls something that does.
      ValueError: the function changes its arguments.
    """
    leaves, tree = jax.tree.flatten((tuple(args), dict(kwargs)))
    returned: list[Any] = []

    def of_arrays(*arrays: Any) -> list[Any]:
        remaining = iter(arrays)
        given = [next(remaining) if _is_array(leaf) else leaf for leaf in leaves]
        arguments = jax.tree.unflatten(tree, given)
        result = fn(*arguments[0], **arguments[1])
        _require_unchanged(fn, arguments, given, tree)
        returned[:] = jax.tree.flatten(result)
        return [leaf for leaf in returned[0] if _is_array(leaf)]

    arrays = [leaf for leaf in leaves if _is_array(leaf)]
    try:
        program = jax.make_jaxpr(of_arrays)(*arrays)
    except _NOT_TRACEABLE as error:
        raise TypeError(
            f"fn (={name_of(fn)}) must be a function that jax.jit can compile, but it asks for the values of arrays: "
            f"{str(error).splitlines()[0]}"
        ) from error
    outputs, structure = returned
    static = [None if _is_array(leaf) else (leaf,) for leaf in outputs]

    def result(arrays: Sequence[Any]) -> Any:
        remaining = iter(arrays)
        return jax.tree.unflatten(structure, [next(remaining) if kept is None else kept[0] for kept in static])

    return Traced(program, arrays, result)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, _ARRAYS)


def _require_unchanged(fn: Callable[..., Any], arguments: Any, given: Sequence[Any], tree: Any) -> None:
    """Check that a function left its arguments, which are trees of `given`, as they were."""
    paths, after = jax.tree.flatten_with_path(arguments)
    if after != tree or any(leaf is not before for (_, leaf), before in zip(paths, given, strict=True)):
        raise ValueError(
            f"fn (={name_of(fn)}) must be free of side effects, but it changes its arguments, and what it wrote would "
            "be lost; let it return the new values"
        )


def name_of(fn: Callable[..., Any]) -> str:
    """Return how a function is called in errors."""
    return getattr(fn, "__qualname__", None) or repr(fn)
