"""What the losses share: labels beside logits, and the reduction of one value an example to one number.

With L_n the loss of example n, and w_n what it counts (1, or 0 where it is masked, or the weight of its class):

    "none"  L_n            "sum"  sum_n L_n            "mean"  sum_n L_n / sum_n w_n

so that dL_n = g, or g / sum_n w_n. A rule gives L_n in float32 or wider and takes dL_n so; the reduction is cast once.
A mean of nothing is 0 / 0, which is nan, as in torch. Its dL_n is infinite, so every rule selects by the mask, where a
product with 0 would be nan: what is masked has the gradient 0 all the same.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._axes import alike, canonical_axes
from jaxcnn.ops._dtypes import as_array, cast

REDUCTIONS = ("none", "mean", "sum")


def canonical_reduction(reduction: Any) -> str:
    """Return `reduction`.

    Raises:
      ValueError: it is none of `REDUCTIONS`.
    """
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise ValueError(f'reduction (={reduction!r}) must be "none", "mean" or "sum"')
    return reduction


def reduced(loss: Any, reduction: str, count: jax.Array | None = None) -> jax.Array:
    """Return the losses of all examples as they are, their sum, or their mean.

    Args:
      loss: an array of one value an example, 0 where it takes no part, in float32 or wider.
      reduction: one of `REDUCTIONS`.
      count: what each example counts in the mean, bool or in the dtype of loss; it broadcasts. None is 1.
    """
    if reduction == "none":
        return loss
    total = jnp.sum(loss)
    if reduction == "sum":
        return total
    return total / (loss.size if count is None else jnp.sum(jnp.broadcast_to(count, loss.shape), dtype=loss.dtype))


def as_real(name: str, x: Any) -> jax.Array:
    """Return `x` as an array.

    Raises:
      TypeError: it is no array of real numbers.
    """
    array = as_array(x, name)
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise TypeError(f"{name} dtype (={array.dtype}) must be real")
    return array


def with_labels(
    x: jax.Array, name: str, labels: Any, *, number: bool = False, otherwise: str = ""
) -> tuple[jax.Array, jax.Array]:
    """Return floating `x` and its labels, in the shape of x and in one dtype: that of x, or of labels if it is wider.

    Labels that are not floating, bools and integers such as 0 and 1, are taken into the dtype of x.

    Args:
      x: what the labels are for.
      name: what an error calls the labels.
      labels: an array of the rank of x, of its size or of size 1 along every axis.
      number: whether one number may stand for all labels.
      otherwise: what an error about their shape says beside the requirement.

    Raises:
      TypeError: labels are not real.
      ValueError: labels have another shape.
    """
    labels = as_real(name, labels)
    if not jnp.issubdtype(labels.dtype, jnp.floating):
        labels = cast(labels, x.dtype)
    dtype = jnp.promote_types(x.dtype, labels.dtype)
    return cast(x, dtype), cast(alike(name, labels, x.shape, number, otherwise), dtype)


def with_class_labels(x: jax.Array, name: str, labels: Any, axis: Any) -> tuple[jax.Array, jax.Array, tuple[int, ...]]:
    """Return what `with_labels` does, and the axes of the classes; integers are not repeated along these.

    Raises:
      TypeError: labels are not real, or axis names no axes.
      ValueError: labels have another shape, that of class numbers for example, or axis is out of range.
    """
    otherwise = "; softmax_cross_entropy_with_integer_labels is for class numbers"
    labels = as_real(name, labels)
    axes = canonical_axes(tuple(range(x.ndim)) if axis is None else axis, x.shape)
    found = with_labels(x, name, labels, otherwise=otherwise)
    repeated = any(labels.shape[a] != x.shape[a] for a in axes)
    if repeated and jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"{name} shape (={labels.shape}) must be {x.shape} along the classes, for integers{otherwise}")
    return *found, axes
