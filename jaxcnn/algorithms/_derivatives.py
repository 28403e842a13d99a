"""One computation, with the derivatives of another that computes the same."""

from collections.abc import Callable
from typing import Any

import jax
from jax.custom_derivatives import SymbolicZero


def derived_by(other: Callable[..., jax.Array], value: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Return `value`, a function of arrays, with the derivatives of `other`, which is the same.

    `other` may be made of functions that have derivatives of this kind themselves.
    """
    rule = jax.custom_jvp(value)

    def tangent(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
        moving = [i for i, along in enumerate(tangents) if not isinstance(along, SymbolicZero)]

        def of_moving(*arrays: jax.Array) -> jax.Array:
            at = dict(enumerate(primals)) | dict(zip(moving, arrays, strict=True))
            return other(*at.values())

        # Not other(tangent, b): a reverse pass would transpose that, and never ask for the derivatives of its parts.
        _, along = jax.jvp(of_moving, [primals[i] for i in moving], [tangents[i] for i in moving])
        return rule(*primals), along

    rule.defjvp(tangent, symbolic_zeros=True)
    return rule
