"""Exponential linear units as jax.nn has them, differentiated by JAX."""

import jax


def elu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """Let negative elements level off; the autodiff twin of `jaxcnn.elu`."""
    return jax.nn.elu(x, alpha)


def celu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """Let negative elements level off without a kink; the autodiff twin of `jaxcnn.celu`."""
    return jax.nn.celu(x, alpha)


def selu(x: jax.Array) -> jax.Array:
    """Keep mean 0 and variance 1; the autodiff twin of `jaxcnn.selu`."""
    return jax.nn.selu(x)
