"""Sizes that may be symbols, as those of a batch are in `jax.export` with `jax.export.symbolic_shape`."""

from collections.abc import Sequence
from typing import Any

import jax


def at_least(size: Any, bound: Any) -> bool:
    """Return whether `size` is `bound` or more, whatever a symbol in it stands for."""
    try:
        return bool(size >= bound)
    except jax.errors.InconclusiveDimensionOperation:
        return False


def at_most(size: Any, bound: Any) -> bool:
    """Return whether `size` is `bound` or less, whatever a symbol in it stands for."""
    return at_least(bound, size)


def require_static(name: str, shape: Sequence[Any], axes: Sequence[int]) -> None:
    """Check that the sizes along some axes are numbers.

    Args:
      name: of the argument that has this shape.
      shape: its shape.
      axes: all but those of the batch.

    Raises:
      ValueError: one is a symbol.
    """
    if any(jax.export.is_symbolic_dim(shape[axis]) for axis in axes):
        text = ", ".join(map(str, shape))
        raise ValueError(f"{name} shape (=({text})) must have static sizes along all axes but those of the batch")
