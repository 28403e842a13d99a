"""Gated activations as jax.nn has them, differentiated by JAX."""

import jax


def silu(x: jax.Array) -> jax.Array:
    """Multiply by the sigmoid; the autodiff twin of `jaxcnn.silu`."""
    return jax.nn.silu(x)


def mish(x: jax.Array) -> jax.Array:
    """Multiply by the tanh of the softplus; the autodiff twin of `jaxcnn.mish`."""
    return jax.nn.mish(x)


def gelu(x: jax.Array, approximate: bool = True) -> jax.Array:
    """Multiply by the normal distribution function; the autodiff twin of `jaxcnn.gelu`."""
    return jax.nn.gelu(x, approximate)


def glu(x: jax.Array, axis: int = -1) -> jax.Array:
    """Multiply one half by the sigmoid of the other; the autodiff twin of `jaxcnn.glu`."""
    return jax.nn.glu(x, axis)
