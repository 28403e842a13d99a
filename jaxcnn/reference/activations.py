"""Elementwise activations as jax.nn has them, differentiated by JAX."""

import jax


def relu(x: jax.Array) -> jax.Array:
    """Set negative elements to 0; the autodiff twin of `jaxcnn.relu`."""
    return jax.nn.relu(x)


def leaky_relu(x: jax.Array, negative_slope: float = 1e-2) -> jax.Array:
    """Scale negative elements; the autodiff twin of `jaxcnn.leaky_relu`."""
    return jax.nn.leaky_relu(x, negative_slope)


def sigmoid(x: jax.Array) -> jax.Array:
    """Map into (0, 1); the autodiff twin of `jaxcnn.sigmoid`."""
    return jax.nn.sigmoid(x)


def tanh(x: jax.Array, /) -> jax.Array:
    """Map into (-1, 1); the autodiff twin of `jaxcnn.tanh`."""
    return jax.nn.tanh(x)
