"""Over which axes of a mesh arrays vary under `shard_map`."""

from typing import Any

import jax


def varying_alike(*args: Any) -> list[Any]:
    """Return `args`, all arrays of which vary over the mesh axes of `shard_map` over which one of them does.

    JAX refuses a rule whose cotangent varies over an axis where its primal is replicated, as a parameter's is. The
    gradient of this cast is the sum over that axis.
    """
    axes = [varying_axes(a) if isinstance(a, jax.Array) else frozenset() for a in args]
    everywhere = frozenset().union(*axes)
    return [
        jax.lax.pcast(a, tuple(everywhere - own), to="varying") if isinstance(a, jax.Array) and own != everywhere else a
        for a, own in zip(args, axes, strict=True)
    ]


def varying_axes(x: jax.Array) -> frozenset[Any]:
    """Return the mesh axes of `shard_map` over which x varies; JAX 0.10 has them in a field of another name."""
    kind = jax.typeof(x)
    return kind.manual_axis_type.varying if hasattr(kind, "manual_axis_type") else kind.vma
