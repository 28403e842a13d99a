"""Activations that are a polynomial in the middle as jax.nn has them, differentiated by JAX."""

import jax
import jax.numpy as jnp


def hard_tanh(x: jax.Array, *, min_val: float = -1.0, max_val: float = 1.0) -> jax.Array:
    """Clip to [min_val, max_val], as `jax.nn.hard_tanh` to [-1, 1]; the autodiff twin of `jaxcnn.hard_tanh`."""
    return jnp.where(x > max_val, max_val, jnp.where(x < min_val, min_val, x))


def hard_sigmoid(x: jax.Array) -> jax.Array:
    """Map into [0, 1], linearly between -3 and 3; the autodiff twin of `jaxcnn.hard_sigmoid`."""
    return jax.nn.hard_sigmoid(x)


def hard_silu(x: jax.Array) -> jax.Array:
    """Multiply by the hard sigmoid; the autodiff twin of `jaxcnn.hard_silu`."""
    return jax.nn.hard_silu(x)


def sparse_sigmoid(x: jax.Array) -> jax.Array:
    """Map into [0, 1], linearly between -1 and 1; the autodiff twin of `jaxcnn.sparse_sigmoid`."""
    return jax.nn.sparse_sigmoid(x)


def sparse_plus(x: jax.Array) -> jax.Array:
    """Map negative elements towards 0, which -1 reaches; the autodiff twin of `jaxcnn.sparse_plus`."""
    return jax.nn.sparse_plus(x)
