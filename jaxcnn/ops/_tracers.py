"""What JAX is doing to a function while it is called, read from the tracers among its arguments.

Their classes and attributes are JAX's own matter. Should they change, an error of JAX's stands in the place of ours,
and nothing else is lost.
"""

from collections.abc import Iterable
from typing import Any

from jax.core import Tracer

FORWARD = "JVPTracer"  # of jax.jvp and jax.jacfwd; reverse mode has another one
TRANSPOSED = "JaxprTracer"  # of jax.linear_transpose; a function that is compiled has another one
MAPPED = "BatchTracer"  # of jax.vmap


def transposing(values: Iterable[Any]) -> bool:
    """Return whether `jax.linear_transpose` traces a function, which these values are given to."""
    return any(type(_unmapped(value)).__name__ == TRANSPOSED for value in values)


def going_forward(values: Iterable[Any]) -> bool:
    """Return whether values carry tangents that no reverse pass will turn into cotangents.

    Where some are tracers of another kind than forward mode's, a reverse pass may be under way inside of the forward
    one, as in `jax.hessian`. Where tangents belong to a linear program, or to a custom_jvp rule that calls `jax.jvp`, a
    reverse pass may follow.
    """
    tracers = [_unmapped(value) for value in values if isinstance(value, Tracer)]
    if not tracers or any(type(tracer).__name__ != FORWARD for tracer in tracers):
        return False
    return not any(_may_be_transposed(getattr(tracer, "tangent", None)) for tracer in tracers)


def _unmapped(value: Any) -> Any:
    while type(value).__name__ == MAPPED:
        value = value.val
    return value


def _may_be_transposed(tangent: Any) -> bool:
    """Return whether a tangent is a variable of a linear program or of a custom_jvp rule."""
    while type(tangent).__name__ in (MAPPED, FORWARD):
        tangent = tangent.val if type(tangent).__name__ == MAPPED else tangent.primal
    if not isinstance(tangent, Tracer):
        return tangent is None
    trace = getattr(tangent, "_trace", None)
    while type(trace).__name__ == "DynamicJaxprTrace":
        frame: Any = getattr(trace, "frame", None)
        linear = getattr(frame, "auto_dce", True)  # such a program forgets what nothing reads
        purpose = getattr(getattr(frame, "debug_info", None), "traced_for", "custom_jvp")
        if linear or purpose.startswith("custom_jvp"):
            return True
        trace = getattr(trace, "parent_trace", None)
    return type(trace).__name__ not in ("EvalTrace", "NoneType")
