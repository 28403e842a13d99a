"""Smooth activations without an exponential as jax.nn has them, differentiated by JAX."""

import jax


def soft_sign(x: jax.Array) -> jax.Array:
    """Map into (-1, 1); the autodiff twin of `jaxcnn.soft_sign`."""
    return jax.nn.soft_sign(x)


def squareplus(x: jax.Array, b: float = 4) -> jax.Array:
    """Map to positive numbers; the autodiff twin of `jaxcnn.squareplus`."""
    return jax.nn.squareplus(x, b)
