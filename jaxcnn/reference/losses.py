"""Losses as optax has them, differentiated by JAX."""

import jax
import optax


def softmax_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] = -1,
    where: jax.Array | None = None,
) -> jax.Array:
    """Compute the cross entropy with label weights; the autodiff twin of `jaxcnn.softmax_cross_entropy`."""
    return optax.softmax_cross_entropy(logits, labels, axis, where)


def softmax_cross_entropy_with_integer_labels(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] = -1,
    where: jax.Array | None = None,
) -> jax.Array:
    """Compute the cross entropy with class numbers; the autodiff twin of the function of this name in `jaxcnn`."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels, axis, where)


def squared_error(predictions: jax.Array, targets: jax.Array | None = None) -> jax.Array:
    """Square the difference; the autodiff twin of `jaxcnn.squared_error`."""
    return optax.squared_error(predictions, targets)
