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
    epsilon: float = 1e-5,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normalise every channel by the batch; the autodiff twin of `jaxcnn.batch_norm`."""
    wide = widen(x)
    if mean is None or variance is None:
        axes = tuple(range(x.ndim - 1))
        mean = _shared(jnp.mean(wide, axes), axis_name)
        variance = _shared(jnp.mean(jnp.square(wide - channel_row(mean, x)), axes), axis_name)
    mean_row, variance_row = channel_row(mean.astype(wide.dtype), x), channel_row(variance.astype(wide.dtype), x)
    return normalize(x, mean_row, variance_row, scale, bias, epsilon), mean, variance


def _shared(statistic: jax.Array, axis_name: Any) -> jax.Array:
    return statistic if axis_name is None else lax.pmean(statistic, axis_name)
