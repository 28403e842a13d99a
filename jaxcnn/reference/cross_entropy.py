"""Cross entropies in plain jax.numpy, with the values of optax and the options of torch, differentiated by JAX."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._axes import comparable
from jaxcnn.ops._labels import canonical_ignore_index
from jaxcnn.reference._losses import counted, over_classes, reduced


def softmax_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] | None = -1,
    where: jax.Array | None = None,
    *,
    label_smoothing: float = 0.0,
    class_weights: Any = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the cross entropy with label weights; the autodiff twin of `jaxcnn.softmax_cross_entropy`."""
    axes = tuple(range(logits.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    where = over_classes(where, logits, axes)
    if label_smoothing:
        labels = (1 - label_smoothing) * labels + label_smoothing * _uniform(logits, where, axes)
    if class_weights is not None:
        weights = _constant(class_weights, logits).reshape([logits.shape[a] for a in axes])
        weights = weights.reshape(weights.shape + (1,) * (logits.ndim - weights.ndim))
        labels = labels * jnp.moveaxis(weights, range(len(axes)), axes)
    loss = -jnp.sum(labels * _log_softmax(logits, where, axes), axes, where=where)
    return reduced(loss, reduction, counted(where, logits, axes))


def softmax_cross_entropy_with_integer_labels(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] = -1,
    where: jax.Array | None = None,
    *,
    label_smoothing: float = 0.0,
    class_weights: Any = None,
    ignore_index: int | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the cross entropy with class numbers; the autodiff twin of the function of this name in `jaxcnn`."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    where = over_classes(where, logits, axes)
    if where is not None:
        where = _classes_last(jnp.broadcast_to(where, logits.shape), axes)
    logits = _classes_last(logits, axes)
    ignored, labels = canonical_ignore_index(ignore_index, labels.dtype), comparable(labels)
    one_hot = jax.nn.one_hot(labels, logits.shape[-1], dtype=bool)
    label_logit = jnp.sum(jnp.where(one_hot, logits, jnp.zeros_like(logits)), -1)
    loss = jax.nn.logsumexp(logits, -1, where=None if where is None else _or_all(where, -1)) - label_logit
    weights = None if class_weights is None else _constant(class_weights, logits)
    of_label = None if weights is None else jnp.take(weights, labels, mode="clip")
    if label_smoothing:
        loss = (1 - label_smoothing) * loss
    if of_label is not None:
        loss = of_label * loss
    if label_smoothing:
        spread = label_smoothing * _uniform(logits, where, (-1,)) * _log_softmax(logits, where, (-1,))
        loss = loss - jnp.sum(spread if weights is None else weights.reshape((1,) * labels.ndim + (-1,)) * spread, -1)
    count = None if where is None else jnp.any(where, -1)
    if ignored is not None:
        kept = labels != ignored
        count = kept if count is None else count & kept
    if count is not None:
        loss = jnp.where(count, loss, jnp.zeros_like(loss))
    if of_label is not None:
        count = of_label if count is None else jnp.where(count, of_label, jnp.zeros_like(of_label))
    return reduced(loss, reduction, count)


def _constant(class_weights: Any, logits: jax.Array) -> jax.Array:
    return jax.lax.stop_gradient(jnp.asarray(class_weights, logits.dtype))


def _or_all(where: jax.Array, axes: Any) -> jax.Array:
    """Return `where`, all True in an example that it takes out whole: there is no softmax of nothing."""
    return where | ~jnp.any(where, axes, keepdims=True)


def _log_softmax(logits: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> jax.Array:
    if where is None:
        return jax.nn.log_softmax(logits, axes)
    log_p = jax.nn.log_softmax(logits, axes, _or_all(where, axes))
    return jnp.where(where, log_p, jnp.zeros_like(log_p))


def _uniform(logits: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> jax.Array:
    """Return 1 / C, C the number of classes that take part."""
    taken = jnp.ones(logits.shape, bool) if where is None else jnp.broadcast_to(_or_all(where, axes), logits.shape)
    return 1 / jnp.sum(taken, axes, keepdims=True, dtype=logits.dtype)


def _classes_last(x: jax.Array, classes: tuple[int, ...]) -> jax.Array:
    moved = jnp.moveaxis(x, classes, range(-len(classes), 0))
    split = moved.ndim - len(classes)
    return moved.reshape(*moved.shape[:split], math.prod(moved.shape[split:]))
