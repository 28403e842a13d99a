"""Exponential linear units as jax.nn has them, differentiated by JAX."""

import jax
import jax.numpy as jnp


def elu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """Let negative elements level off; the autodiff twin of `jaxcnn.elu`."""
    return jax.nn.elu(x, alpha)


def celu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """Let negative elements level off without a kink; the autodiff twin of `jaxcnn.celu`."""
    # jax.nn.celu clips with jnp.minimum, which has half a slope at 0: a curvature of 1/4 of that from below.
    below = jnp.where(x > 0, jnp.zeros_like(x), x)
    return jnp.where(x > 0, x, alpha * jnp.expm1(below / alpha))


def selu(x: jax.Array) -> jax.Array:
    """Keep mean 0 and variance 1; the autodiff twin of `jaxcnn.selu`."""
    return jax.nn.selu(x)
