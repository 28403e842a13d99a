"""What softmax and the losses share: canonical axes, masks, one-hot labels."""

import operator
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_array


def canonical_axes(axis: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `axis`, an int or several, as non-negative ints.

    Raises:
      TypeError: it is neither an int nor a tuple of ints.
      ValueError: one is out of range, stands there twice, or has no elements.
    """
    ndim = len(shape)
    try:
        axes = tuple(operator.index(a) for a in (axis if isinstance(axis, tuple | list) else (axis,)))
    except TypeError:
        raise TypeError(f"axis (={axis!r}) must be an int or a tuple of ints") from None
    if any(not -ndim <= a < ndim for a in axes) or len({a % ndim for a in axes}) != len(axes):
        raise ValueError(f"axis (={axis!r}) must name different axes of an array of rank {ndim}")
    if any(shape[a] == 0 for a in axes):
        raise ValueError(f"axis (={axis!r}) must have elements, in an array of shape {shape}")
    return tuple(a % ndim for a in axes)


def as_mask(where: Any, shape: tuple[int, ...]) -> jax.Array | None:
    """Return `where` as a bool array that broadcasts to `shape`, or None.

    Raises:
      TypeError: it is not bool.
      ValueError: it does not broadcast.
    """
    if where is None:
        return None
    mask = as_array(where)
    if mask.dtype != jnp.bool_:
        raise TypeError(f"where dtype (={mask.dtype}) must be bool")
    return broadcast_to("where", mask, shape)


def broadcast_to(name: str, x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Return `x` in `shape`.

    Raises:
      ValueError: it does not broadcast.
    """
    try:
        return jnp.broadcast_to(x, shape)
    except ValueError:
        raise ValueError(f"{name} shape (={x.shape}) must broadcast to {shape}") from None


def class_mask(where: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> jax.Array | None:
    """Return `where` in the full shape; one of lower rank is spread over the classes, along `axes`."""
    if where is not None and jnp.ndim(where) == len(shape) - len(axes):
        where = jnp.expand_dims(where, axes)
    return as_mask(where, shape)


def one_hot_of(labels: jax.Array, classes: int) -> jax.Array:
    """Return bools `[*labels.shape, classes]`, True at the label; nowhere where that is no class."""
    wide = labels.astype(jnp.int32) if labels.dtype.itemsize < 4 else labels
    return wide[..., None] == jax.lax.broadcasted_iota(wide.dtype, (*labels.shape, classes), labels.ndim)
