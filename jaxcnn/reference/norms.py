"""Norms of a position in plain JAX, differentiated by JAX."""

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import widen
from jaxcnn.reference._norm import normalize


def layer_norm(
    x: jax.Array, scale: jax.Array | None = None, bias: jax.Array | None = None, *, epsilon: float = 1e-6
) -> jax.Array:
    """Normalise the channels of every position; the autodiff twin of `jaxcnn.layer_norm`."""
    wide = widen(x)
    mean, variance = jnp.mean(wide, -1, keepdims=True), jnp.var(wide, -1, keepdims=True)
    return normalize(x, mean, variance, scale, bias, epsilon)


def rms_norm(x: jax.Array, scale: jax.Array | None = None, *, epsilon: float = 1e-6) -> jax.Array:
    """Divide the channels of every position by their root mean square; the autodiff twin of `jaxcnn.rms_norm`."""
    square = jnp.mean(jnp.square(widen(x)), -1, keepdims=True)
    return normalize(x, jnp.zeros_like(square), square, scale, None, epsilon)
