"""One computation, with the derivatives of another that computes the same."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


def derived_by(other: Callable[..., jax.Array], value: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Return `value`, which is linear in each of its two arrays, with the derivatives of `other`, which is the same.

    `other` may be made of functions that have derivatives of this kind themselves.
    """
    rule = jax.custom_jvp(value)

    def tangent(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[jax.Array, jax.Array]:
        (a, b), (of_a, of_b) = primals, tangents
        # Not other(of_a, b): a reverse pass would transpose that, and never ask for the derivatives of what is in it.
        terms = [
            jax.jvp(in_one, (at,), (along,))[1]
            for in_one, at, along in ((lambda a: other(a, b), a, of_a), (lambda b: other(a, b), b, of_b))
            if not isinstance(along, SymbolicZero)
        ]
        return rule(a, b), functools.reduce(jnp.add, terms)

    rule.defjvp(tangent, symbolic_zeros=True)
    return rule
