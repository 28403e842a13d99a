"""One computation, with the derivatives of another that computes the same."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


def derived_by(other: Callable[..., jax.Array], value: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Return `value`, a function of arrays, with the derivatives of `other`, which is the same.

    `other` may be made of functions that have derivatives of this kind themselves.
    """
    rule = jax.custom_jvp(value)

    def tangent(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[jax.Array, jax.Array]:
        def term(i: int) -> jax.Array:
            # Not other(tangent, b): a reverse pass would transpose that, and never ask for derivatives of its parts.
            in_one = functools.partial(_with, other, primals, i)
            return jax.jvp(in_one, primals[i : i + 1], tangents[i : i + 1])[1]

        terms = [term(i) for i, along in enumerate(tangents) if not isinstance(along, SymbolicZero)]
        return rule(*primals), functools.reduce(jnp.add, terms)

    rule.defjvp(tangent, symbolic_zeros=True)
    return rule


def _with(fn: Callable[..., jax.Array], arrays: tuple[Any, ...], i: int, array: jax.Array) -> jax.Array:
    """Return the function of arrays, of which one is another."""
    return fn(*arrays[:i], array, *arrays[i + 1 :])
