"""Batch norm in plain JAX, differentiated by JAX."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._dtypes import channel_row, widen
from jaxcnn.reference._norm import normalize


def batch_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    mean: jax.Array | None = None,
    variance: jax.Array | None = None,
    axis_name: Any = None,
    where: jax.Array | None = None,
    epsilon: float = 1e-5,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normalise every channel by the batch; the autodiff twin of `jaxcnn.batch_norm`."""
    wide = widen(x)
    if mean is None or variance is None:
        mean = _average(wide, where, axis_name)
        variance = _average(jnp.square(wide - channel_row(mean, x)), where, axis_name)
    mean_row, variance_row = channel_row(mean.astype(wide.dtype), x), channel_row(variance.astype(wide.dtype), x)
    return normalize(x, mean_row, variance_row, scale, bias, epsilon), mean, variance


def _average(x: jax.Array, where: jax.Array | None, axis_name: Any) -> jax.Array:
    axes = tuple(range(x.ndim - 1))
    if where is None:
        total, number = jnp.mean(x, axes), jnp.ones((), x.dtype)
    else:
        total = jnp.sum(x, axes, where=where)
        number = jnp.sum(jnp.broadcast_to(where, x.shape), axes, dtype=x.dtype)
    if axis_name is not None:
        total, number = lax.psum(total, axis_name), lax.psum(number, axis_name)
    return total / jnp.maximum(number, jnp.ones_like(number))
