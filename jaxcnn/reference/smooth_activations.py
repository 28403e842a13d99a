"""Smooth activations of one exponential as jax.nn has them, differentiated by JAX."""

import jax


def sigmoid(x: jax.Array) -> jax.Array:
    """Map into (0, 1); the autodiff twin of `jaxcnn.sigmoid`."""
    return jax.nn.sigmoid(x)


def tanh(x: jax.Array, /) -> jax.Array:
    """Map into (-1, 1); the autodiff twin of `jaxcnn.tanh`."""
    return jax.nn.tanh(x)


def softplus(x: jax.Array) -> jax.Array:
    """Take the smooth form of relu; the autodiff twin of `jaxcnn.softplus`."""
    return jax.nn.softplus(x)


def log_sigmoid(x: jax.Array) -> jax.Array:
    """Take the logarithm of the sigmoid; the autodiff twin of `jaxcnn.log_sigmoid`."""
    return jax.nn.log_sigmoid(x)
