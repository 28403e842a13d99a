"""The arguments of a comparison, taken apart: which leaves are differentiated, under which names, and which are not."""

import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.gradcheck.tolerances import is_floating

Function = Callable[..., Any]


class Problem(NamedTuple):
    """The arguments of a comparison."""

    leaves: tuple[Any, ...]  # all leaves of all arguments
    structure: Any  # how they go together
    differentiated: tuple[int, ...]  # the positions, in leaves, of those that have a gradient
    paths: tuple[str, ...]  # their names
    skipped: tuple[str, ...]  # the names of the leaves under argnums that have none

    @property
    def primals(self) -> list[jax.Array]:
        """The leaves that are differentiated."""
        return [jnp.asarray(self.leaves[i]) for i in self.differentiated]

    def at(self, primals: Sequence[Any]) -> "Problem":
        """Return the same problem with other numbers in the leaves that are differentiated."""
        leaves = list(self.leaves)
        for position, primal in zip(self.differentiated, primals, strict=True):
            leaves[position] = primal
        return self._replace(leaves=tuple(leaves))

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments, put together again."""
        return jax.tree.unflatten(self.structure, self.leaves)


def take_apart(fn: Function, args: Sequence[Any], argnums: int | Sequence[int]) -> Problem:
    """Return the problem of differentiating some arguments of `fn`.

    Raises:
      TypeError: argnums is neither an int nor several.
      ValueError: argnums is out of range, or nothing is to be differentiated.
    """
    try:
        chosen = tuple(map(operator.index, argnums if isinstance(argnums, Sequence) else (argnums,)))
    except TypeError:
        raise TypeError(f"argnums (={argnums!r}) must be an int or a sequence of ints") from None
    if not chosen or any(not -len(args) <= n < len(args) for n in chosen):
        raise ValueError(f"argnums (={argnums!r}) must name some of the {len(args)} arguments")
    chosen = {n % len(args) for n in chosen}
    leaves, structure = jax.tree.flatten(tuple(args))
    names = _argument_names(fn, len(args))
    found: list[tuple[int, str]] = []
    skipped: list[str] = []
    for position, (path, leaf) in enumerate(jax.tree.leaves_with_path(tuple(args))):
        if path[0].idx in chosen:
            name = named(names[path[0].idx], path[1:])
            if is_floating(leaf):
                found.append((position, name))
            else:
                skipped.append(name)
    if not found:
        raise ValueError(f"argnums (={argnums!r}) must name an argument with a floating leaf; found {skipped}")
    positions, paths = zip(*found, strict=True)
    return Problem(tuple(leaves), structure, positions, paths, tuple(skipped))


def named(root: str, path: tuple[Any, ...]) -> str:
    """Return the name of a leaf: that of the argument or result, and the path in it."""
    return ".".join([root, *filter(None, [jax.tree_util.keystr(path, simple=True, separator=".")])])


def float_leaves(tree: Any) -> list[jax.Array]:
    """Return the floating leaves of a function's result."""
    return [jnp.asarray(leaf) for leaf in jax.tree.leaves(tree) if is_floating(leaf)]


def float_names(tree: Any) -> list[str]:
    """Return the paths of the floating leaves of a function's result."""
    return [named("output", path) for path, leaf in jax.tree.leaves_with_path(tree) if is_floating(leaf)]


def require_same(mine: Any, theirs: Any) -> None:
    """Check that two results have one structure, shapes and dtypes, and that what has no gradient is equal.

    Raises:
      ValueError: they have not, or it is not, or there is no floating array.
    """

    def described(tree: Any) -> tuple[Any, list[str]]:
        leaves = [f"{jnp.result_type(leaf)}{list(jnp.shape(leaf))}" for leaf in jax.tree.leaves(tree)]
        return jax.tree.structure(tree), leaves

    if described(mine) != described(theirs):
        raise ValueError(f"the outputs of manual (={described(mine)}) must be those of auto (={described(theirs)})")
    for (path, a), b in zip(jax.tree.leaves_with_path(mine), jax.tree.leaves(theirs), strict=True):
        if jnp.issubdtype(jnp.result_type(a), jnp.complexfloating):
            raise ValueError(f"{named('output', path)} dtype (={jnp.result_type(a)}) must be real")
        if not is_floating(a) and not jnp.array_equal(a, b):
            raise ValueError(f"{named('output', path)}, which has no gradient, must be the same from manual and auto")
    if not float_leaves(mine):
        raise ValueError("manual and auto must return a floating array, or a pytree with one")


def _argument_names(fn: Function, count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    called = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return (called + [f"args[{i}]" for i in range(len(called), count)])[:count]
