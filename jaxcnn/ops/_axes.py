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
    """Return `where` as a bool array that broadcasts to `shape` and has its rank, or None.

    Raises:
      TypeError: it is not bool.
      ValueError: it does not broadcast.
    """
    if where is None:
        return None
    mask = as_array(where, "where")
    if mask.dtype != jnp.bool_:
        raise TypeError(f"where dtype (={mask.dtype}) must be bool")
    return of_rank("where", mask, shape)


def of_rank(name: str, x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Return `x`, which broadcasts to `shape`, with axes of size 1 in front of it up to that rank.

    Raises:
      ValueError: it does not broadcast.
    """
    aligned = (1,) * (len(shape) - x.ndim) + x.shape
    if len(aligned) != len(shape) or any(n not in (1, whole) for n, whole in zip(aligned, shape, strict=True)):
        raise ValueError(f"{name} shape (={x.shape}) must broadcast to {shape}")
    return x if x.shape == aligned else x.reshape(aligned)


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
    """Return `where` as `as_mask` does; one of the shape of the examples holds for all classes, along `axes`."""
    mask = None if where is None else as_array(where, "where")
    if mask is not None and mask.ndim == len(shape) - len(axes):
        mask = jnp.expand_dims(mask, axes)
    return as_mask(mask, shape)


def one_hot_of(labels: jax.Array, classes: int) -> jax.Array:
    """Return bools `[*labels.shape, classes]`, True at the label; nowhere where that is no class."""
    wide = labels.astype(jnp.int32) if labels.dtype.itemsize < 4 else labels
    return wide[..., None] == jax.lax.broadcasted_iota(wide.dtype, (*labels.shape, classes), labels.ndim)
