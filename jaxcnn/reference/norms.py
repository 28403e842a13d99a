"""Norms of a position in plain JAX, differentiated by JAX."""

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import widen
from jaxcnn.reference._norm import average, mean_and_variance, normalize


def layer_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    epsilon: float = 1e-6,
) -> jax.Array:
    """Normalise the channels of every position; the autodiff twin of `jaxcnn.layer_norm`."""
    wide = widen(x)
    mean, variance = mean_and_variance(wide, (x.ndim - 1,), where)
    return normalize(x, mean, variance, scale, bias, epsilon)


def rms_norm(
    x: jax.Array, scale: jax.Array | None = None, *, where: jax.Array | None = None, epsilon: float = 1e-6
) -> jax.Array:
    """Divide the channels of every position by their root mean square; the autodiff twin of `jaxcnn.rms_norm`."""
    square = average(jnp.square(widen(x)), (x.ndim - 1,), where)
    return normalize(x, jnp.zeros_like(square), square, scale, None, epsilon)
