"""Sums in half precision: biases, whose gradient is a sum, and the sums of gradients that are there already.

JAX's gradient of a bias is a sum in the bias' own dtype. In half precision it stops growing where one more summand is
less than half a unit in the last place; `bias_add` sums in float32 and casts once.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.algorithms._sizes import at_least, at_most
from jaxcnn.ops._dtypes import accumulation_dtype
from jaxcnn.ops.linear import bias_add
from jaxcnn.transforms._programs import is_variable, shape_of
from jaxcnn.transforms._rewriting import Definitions

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

_Axes = tuple[int, ...]


class Bias(NamedTuple):
    """A sum of an array and of a row that is repeated along all axes of the array but one."""

    x: Any
    row: Any
    axis: int

    @property
    def inputs(self) -> Sequence[Any]:
        """The variables of the array and the row."""
        return self.x, self.row

    def add(self, x: jax.Array, row: jax.Array) -> list[jax.Array]:
        """Return the sum, with the rule of `bias_add`."""
        return [jnp.moveaxis(bias_add(jnp.moveaxis(x, self.axis, -1), row.reshape(-1)), -1, self.axis)]


def bias_of(eqn: "JaxprEqn", definitions: Definitions) -> Bias | None:
    """Return the parts of a sum of half precision that adds one number to each channel; None of any other sum."""
    result: Any = eqn.outvars[0].aval
    if not is_half(result.dtype):
        return None
    for x, repeated in (eqn.invars, reversed(eqn.invars)):
        if shape_of(x) != result.shape:
            continue
        row, axes = _source(repeated, definitions)
        channels = [axis for axis, size in zip(axes, shape_of(row), strict=True) if not at_most(size, 1)]
        if len(channels) == 1 and not at_least(row.aval.size, result.size) and is_variable(row):
            return Bias(x, row, channels[0])
    return None


def is_half(dtype: Any) -> bool:
    """Return whether a dtype is floating and narrower than that of sums."""
    return jnp.issubdtype(dtype, jnp.floating) and accumulation_dtype(dtype) != dtype


def wide_sum(eqn: "JaxprEqn", x: jax.Array) -> jax.Array:
    """Return the sum of an equation, taken in float32 and cast once."""
    return jnp.sum(x, eqn.params["axes"], dtype=accumulation_dtype(x.dtype)).astype(x.dtype)


def _source(var: Any, definitions: Definitions) -> tuple[Any, _Axes]:
    """Return the array of which a variable is made by repeating it and by giving it axes of one element.

    With it, for each of its axes, the axis of the variable that it has become; that of an axis of one element may be
    any.
    """
    axes = tuple(range(var.aval.ndim))
    while is_variable(var) and var in definitions:
        eqn = definitions[var]
        before = shape_of(eqn.invars[0]) if eqn.invars else ()
        if len(eqn.invars) != 1 or not before:
            break
        if eqn.primitive.name == "broadcast_in_dim":
            axes = tuple(axes[int(axis)] for axis in eqn.params["broadcast_dimensions"])
        elif eqn.primitive.name == "reshape" and _sizes(before) == _sizes(shape_of(var)):
            large = iter([axis for axis, size in zip(axes, shape_of(var), strict=True) if not at_most(size, 1)])
            axes = tuple(0 if at_most(size, 1) else next(large) for size in before)
        else:
            break
        var = eqn.invars[0]
    return var, axes


def _sizes(shape: Sequence[int]) -> list[int]:
    """Return the sizes of a shape but those of 1."""
    return [size for size in shape if size != 1]
