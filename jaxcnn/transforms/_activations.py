"""Activations of `jax.nn`, told by their programs: `log_softmax`, and the exact `gelu`."""

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxcnn.ops.probabilities import log_softmax
from jaxcnn.transforms._programs import dtype_of, is_variable, programs_of
from jaxcnn.transforms._rewriting import Definitions

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn


def is_log_softmax(eqn: "JaxprEqn") -> bool:
    """Return whether a compiled function is `jax.nn.log_softmax`, and not another one of this name."""
    return _axis_of_log_softmax(eqn) is not None


def log_softmax_of(eqn: "JaxprEqn", x: jax.Array) -> jax.Array:
    """Return the same with the rule of this package."""
    axis: Any = _axis_of_log_softmax(eqn)
    return log_softmax(x, axis)


def _axis_of_log_softmax(eqn: "JaxprEqn") -> int | None:
    if eqn.params["name"] != "log_softmax" or len(eqn.invars) != 1:
        return None
    x: Any = eqn.invars[0].aval
    (program,) = programs_of(eqn)
    texts = (_text_of_log_softmax(axis, x.shape, x.dtype) for axis in range(x.ndim))
    return next((axis for axis, text in enumerate(texts) if text == str(program)), None)


@functools.lru_cache
def _text_of_log_softmax(axis: int, shape: tuple[int, ...], dtype: Any) -> str | None:
    """Return the program of `jax.nn.log_softmax` as text."""
    of_call = jax.make_jaxpr(functools.partial(jax.nn.log_softmax, axis=axis))(jax.ShapeDtypeStruct(shape, dtype))
    programs = [program for eqn in of_call.jaxpr.eqns for program in programs_of(eqn)]
    return str(programs[0]) if len(programs) == 1 else None


def argument_of_gelu(eqn: "JaxprEqn", definitions: Definitions) -> Any:
    """Return x of a product (x / 2) erfc(-x sqrt(1/2)), as `jax.nn.gelu` writes it; None of any other product."""

    def made_by(var: Any, primitive: str) -> "JaxprEqn | None":
        found = definitions.get(var) if is_variable(var) else None
        return found if found is not None and found.primitive.name == primitive else None

    def scaled(var: Any, by: float) -> Any:
        """Return what a variable is a multiple of, by a constant; None if it is not."""
        product = made_by(var, "mul")
        pair: Sequence[Any] = () if product is None else product.invars
        for factor, other in (pair, reversed(pair)) if pair else ():
            constant: Any = factor
            tolerance = 2 * float(jnp.finfo(dtype_of(var)).eps)
            if not is_variable(factor) and math.isclose(float(constant.val), by, rel_tol=tolerance):
                return other
        return None

    for half, tail in (eqn.invars, reversed(eqn.invars)):
        erfc = made_by(tail, "erfc")
        negative = None if erfc is None else made_by(scaled(erfc.invars[0], math.sqrt(0.5)), "neg")
        if negative is not None and (x := scaled(half, 0.5)) is not None and x is negative.invars[0]:
            return x
    return None
