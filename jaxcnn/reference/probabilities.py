"""Softmax and its logarithm as jax.nn has them, differentiated by JAX."""

import jax


def softmax(x: jax.Array, axis: int | tuple[int, ...] = -1, where: jax.Array | None = None) -> jax.Array:
    """Turn logits into probabilities; the autodiff twin of `jaxcnn.softmax`."""
    return jax.nn.softmax(x, axis, where)


def log_softmax(x: jax.Array, axis: int | tuple[int, ...] = -1, where: jax.Array | None = None) -> jax.Array:
    """Turn logits into log-probabilities; the autodiff twin of `jaxcnn.log_softmax`."""
    return jax.nn.log_softmax(x, axis, where)
