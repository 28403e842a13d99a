"""Attention over channels, differentiated by JAX."""

from typing import Any

import jax
import jax.numpy as jnp


def squeeze_excite(
    x: jax.Array,
    kernel1: jax.Array,
    bias1: jax.Array | None,
    kernel2: jax.Array,
    bias2: jax.Array | None,
    *,
    spatial_rank: int | None = None,
    precision: Any = None,
) -> jax.Array:
    """Scale channels by a gate of their averages; the autodiff twin of `jaxcnn.squeeze_excite`."""
    rank = x.ndim - 2 if spatial_rank is None else spatial_rank
    axes = tuple(range(x.ndim - 1 - rank, x.ndim - 1))
    m = jnp.mean(x, axes, keepdims=True)
    h = jax.nn.relu(_dense(m, kernel1, bias1, precision))
    return x * jax.nn.sigmoid(_dense(h, kernel2, bias2, precision))


def _dense(x: jax.Array, kernel: jax.Array, bias: jax.Array | None, precision: Any) -> jax.Array:
    y = jnp.matmul(x, kernel, precision=precision)
    return y if bias is None else y + bias.reshape((1,) * (y.ndim - 1) + (-1,))
