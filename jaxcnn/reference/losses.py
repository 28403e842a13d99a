"""Losses in plain jax.numpy, with the values of optax, differentiated by JAX."""

import math

import jax
import jax.numpy as jnp


def softmax_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] = -1,
    where: jax.Array | None = None,
) -> jax.Array:
    """Compute the cross entropy with label weights; the autodiff twin of `jaxcnn.softmax_cross_entropy`."""
    if where is not None and where.ndim != logits.ndim:
        where = jnp.expand_dims(where, axis)
    return -jnp.sum(labels * jax.nn.log_softmax(logits, axis, where), axis, where=where)


def softmax_cross_entropy_with_integer_labels(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] = -1,
    where: jax.Array | None = None,
) -> jax.Array:
    """Compute the cross entropy with class numbers; the autodiff twin of the function of this name in `jaxcnn`."""
    classes = axis if isinstance(axis, tuple) else (axis,)
    if where is not None:
        where = jnp.expand_dims(where, classes) if where.ndim != logits.ndim else where
        where = _classes_last(jnp.broadcast_to(where, logits.shape), classes)
    logits = _classes_last(logits, classes)
    one_hot = jax.nn.one_hot(labels, logits.shape[-1], dtype=bool)
    label_logit = jnp.sum(jnp.where(one_hot, logits, jnp.zeros_like(logits)), -1)
    loss = jax.nn.logsumexp(logits, -1, where=where) - label_logit
    return loss if where is None else jnp.where(jnp.any(where, -1), loss, jnp.zeros_like(loss))


def _classes_last(x: jax.Array, classes: tuple[int, ...]) -> jax.Array:
    moved = jnp.moveaxis(x, classes, range(-len(classes), 0))
    split = moved.ndim - len(classes)
    return moved.reshape(*moved.shape[:split], math.prod(moved.shape[split:]))


def squared_error(predictions: jax.Array, targets: jax.Array | None = None) -> jax.Array:
    """Square the difference; the autodiff twin of `jaxcnn.squared_error`."""
    return (predictions if targets is None else predictions - targets) ** 2
