"""Whether a program is about to be differentiated in forward mode through a rule that has none.

JAX says so where it computes, and under `jax.jit` that is when the whole program is lowered, far from the function. So
a program that is given tracers of forward mode is differentiated once without being computed: a rule with no other way
than backward leaves an equation behind, which only a reverse pass would take out again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxcnn.ops._tracers import going_forward
from jaxcnn.transforms._programs import calls

LEFT_BEHIND = ("custom_lin",)  # what `jax.custom_vjp` makes of a tangent


def forbids_forward_mode(run: Callable[..., Sequence[Any]], values: Sequence[Any]) -> bool:
    """Return whether `run(*values)` ends in an error, because values carry tangents through a rule without them."""
    if not going_forward(values):
        return False
    traced = [n for n, value in enumerate(values) if isinstance(value, Tracer)]
    moving = [n for n in traced if jnp.issubdtype(values[n].dtype, jnp.inexact)]

    def of_moving(*arrays: Any) -> Sequence[Any]:
        given = list(values)
        for n, array in zip(moving, arrays, strict=True):
            given[n] = array
        return run(*given)

    program = jax.make_jaxpr(lambda *arrays: jax.jvp(of_moving, arrays, arrays))(*(values[n] for n in moving))
    return calls(program.jaxpr, LEFT_BEHIND)
