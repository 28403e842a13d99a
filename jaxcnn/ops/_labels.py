"""What a label beside C logits asks for: the weight q of every class.

    q_i = w_i ((1 - s) l_i + s / C)

with label weights l or a class number t, which stands for l_i = [i = t], class weights w, and the smoothing s.
"""

import math
import operator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.algorithms._mesh import take_clipped
from jaxcnn.ops._axes import comparable, one_hot_of
from jaxcnn.ops._dtypes import as_static_number, widen
from jaxcnn.ops._losses import as_real
from jaxcnn.ops._softmax import Softmax, unmasked


class Config(NamedTuple):
    """The static arguments of both cross entropies."""

    axes: tuple[int, ...]
    smoothing: float
    reduction: str
    ignore_index: int | None = None


class Target(NamedTuple):
    """The labels of some logits; all that is computed from them is in float32 or wider."""

    softmax: Softmax
    labels: jax.Array  # of the shape of the logits; or numbers, without their last axis
    class_weights: jax.Array | None  # w as `class_row` returns it
    config: Config

    @property
    def kept(self) -> jax.Array:
        """(1 - s) w, of size 1 along the classes where there are no class weights."""
        rest = jnp.full((1,) * self.softmax.x.ndim, 1 - self.config.smoothing, self.softmax.total.dtype)
        return rest if self.class_weights is None else rest * self.class_weights

    @property
    def share(self) -> jax.Array:
        """(1 - s) w_t of class numbers t, which broadcasts to `[*batch, 1]`."""
        return self.kept if self.class_weights is None else of_label(self.kept, self.labels)[..., None]

    @property
    def spread(self) -> jax.Array:
        """The part w s / C of all classes that take part, which C counts; of size 1 along them where all are equal."""
        where, x, dtype = self.softmax.where, self.softmax.x, self.softmax.total.dtype
        of_each = jnp.ones((1,) * x.ndim, dtype) if self.class_weights is None else self.class_weights
        if where is None or all(where.shape[a] == 1 for a in self.config.axes):
            return of_each * (self.config.smoothing / math.prod(x.shape[a] for a in self.config.axes))
        where = jnp.broadcast_to(where, x.shape)
        classes = jnp.maximum(jnp.sum(where, self.config.axes, keepdims=True, dtype=dtype), 1)
        return unmasked(where, of_each * (self.config.smoothing / classes))

    def weights(self) -> tuple[jax.Array, jax.Array]:
        """Return q, and its sum over the classes."""
        if are_numbers(self.labels):
            total = self.share
            q = jnp.where(one_hot_of(self.labels, self.softmax.x.shape[-1]), total, jnp.zeros_like(total))
        else:
            q = unmasked(self.softmax.where, widen(self.labels) * self.kept)
            total = jnp.sum(q, self.config.axes, keepdims=True)
        if not self.config.smoothing:
            return q, total
        spread = self.spread
        if self.class_weights is None:
            return q + spread, total + self.config.smoothing
        return q + spread, total + jnp.sum(spread, self.config.axes, keepdims=True)


def canonical_smoothing(label_smoothing: Any, dtype: Any) -> float:
    """Return `label_smoothing`, for logits of `dtype`, as a Python number.

    Raises:
      TypeError: it is no static number.
      ValueError: it is not from 0 to 1, or rounded to 0.
    """
    number = as_static_number("label_smoothing", label_smoothing, dtype)
    if not 0 <= number <= 1:
        raise ValueError(f"label_smoothing (={label_smoothing!r}) must be from 0 to 1")
    return number


def canonical_ignore_index(ignore_index: Any, dtype: Any) -> int | None:
    """Return `ignore_index`, or None where no label of `dtype` can be equal to it.

    Raises:
      TypeError: it is neither a static int nor None.
    """
    if ignore_index is None:
        return None
    try:
        index = operator.index(ignore_index)
    except TypeError:
        raise TypeError(f"ignore_index (={ignore_index!r}) must be a static int or None") from None
    return index if jnp.iinfo(dtype).min <= index <= jnp.iinfo(dtype).max else None


def canonical_class_weights(class_weights: Any, classes: int) -> jax.Array | None:
    """Return `class_weights` as an array, or None.

    Raises:
      TypeError: they are not real numbers.
      ValueError: they are not `[C]`.
    """
    if class_weights is None:
        return None
    weights = as_real("class_weights", class_weights)
    if weights.shape != (classes,):
        raise ValueError(f"class_weights shape (={weights.shape}) must be ({classes},), one for each class")
    return weights


def are_numbers(labels: jax.Array) -> bool:
    """Return whether labels are class numbers, not weights."""
    return jnp.issubdtype(labels.dtype, jnp.integer)


def of_label(weights: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the weight of each label, a class number; that of another class where it is no class."""
    return take_clipped(weights.reshape(-1), comparable(labels))


def class_row(weights: jax.Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> jax.Array:
    """Return `[C]` weights, C in row-major order of `axes`, as an array of the rank of `shape`."""
    grid = weights.reshape([shape[a] for a in axes]).transpose(np.argsort(axes))
    return jnp.expand_dims(grid, [a for a in range(len(shape)) if a not in axes])
