"""Smooth activations as jax.nn has them, differentiated by JAX."""

import jax


def sigmoid(x: jax.Array) -> jax.Array:
    """Map into (0, 1); the autodiff twin of `jaxcnn.sigmoid`."""
    return jax.nn.sigmoid(x)


def tanh(x: jax.Array, /) -> jax.Array:
    """Map into (-1, 1); the autodiff twin of `jaxcnn.tanh`."""
    return jax.nn.tanh(x)


def gelu(x: jax.Array, approximate: bool = True) -> jax.Array:
    """Multiply by the normal distribution function; the autodiff twin of `jaxcnn.gelu`."""
    return jax.nn.gelu(x, approximate)
