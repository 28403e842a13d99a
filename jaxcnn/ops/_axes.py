"""What softmax and the losses share: canonical axes, masks, one-hot labels."""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

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


def alike(name: str, x: jax.Array, shape: tuple[int, ...], number: bool = False, otherwise: str = "") -> jax.Array:
    """Return `x` in `shape`, repeated along axes in which it has the size 1.

    NumPy would also put axes before those of `x`, and so take one number an example for one a class where there are as
    many of both.

    Args:
      name: what the error calls it.
      x: an array of the rank of `shape`.
      shape: the shape to return.
      number: whether x may be a single number, of rank 0.
      otherwise: what the error says beside the requirement.

    Raises:
      ValueError: it has another rank, or another size than 1 or that of `shape` along an axis.
    """
    fits = x.ndim == len(shape) and all(n in (1, whole) for n, whole in zip(x.shape, shape, strict=True))
    if not fits and not (number and x.ndim == 0):
        raise ValueError(f"{name} shape (={x.shape}) must broadcast to {shape} by axes of size 1{otherwise}")
    return jnp.broadcast_to(x, shape)


def class_mask(where: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> jax.Array | None:
    """Return `where` as `as_mask` does; one of the shape of the examples holds for all classes, along `axes`."""
    mask = None if where is None else as_array(where, "where")
    if mask is not None and mask.ndim == len(shape) - len(axes):
        mask = jnp.expand_dims(mask, axes)
    return as_mask(mask, shape)


def as_indices(name: str, numbers: Any) -> jax.Array:
    """Return `numbers`, which are compared with the size of an array, as an array of integers.

    Raises:
      TypeError: they are no integers.
      ValueError: they are NumPy's and one leaves the integers of JAX, of 32 bits unless jax_enable_x64 is on, which
        would take it for another one.
    """
    array = as_array(numbers, name)
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"{name} dtype (={array.dtype}) must be an integer dtype")
    if isinstance(numbers, np.ndarray | np.generic) and numbers.dtype.itemsize > array.dtype.itemsize:
        limits = jnp.iinfo(array.dtype)
        for number in (int(np.min(numbers, initial=0)), int(np.max(numbers, initial=0))):
            if not limits.min <= number <= limits.max:
                raise ValueError(f"{name} (={number}) must fit in {array.dtype}, unless jax_enable_x64 is on")
    return array


def comparable(numbers: jax.Array) -> jax.Array:
    """Return integers in a dtype that holds the size of every axis; JAX wraps a size that it does not hold."""
    return numbers.astype(jnp.int32) if jnp.iinfo(numbers.dtype).max < jnp.iinfo(jnp.int32).max else numbers


def one_hot_of(labels: jax.Array, classes: int) -> jax.Array:
    """Return bools `[*labels.shape, classes]`, True at the label; nowhere where that is no class."""
    wide = comparable(labels)
    return wide[..., None] == jax.lax.broadcasted_iota(wide.dtype, (*labels.shape, classes), labels.ndim)
