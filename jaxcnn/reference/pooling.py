"""Pooling by `lax.reduce_window`, differentiated by JAX.

What JAX makes of it differs from `jaxcnn.ops` where it is wrong: at NaN, and at -inf beside padding.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.ops._window import PaddingLike, PoolConfig
from jaxcnn.ops.pooling import pool_input


def max_pool(x: jax.Array, window_shape: Any, strides: Any = None, padding: PaddingLike = "VALID") -> jax.Array:
    """Take the maximum of every window; the autodiff twin of `jaxcnn.max_pool`."""
    flat, config = pool_input(x, window_shape, strides, padding)
    lowest = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else np.iinfo(x.dtype).min
    return _reduce(x, flat, np.array(lowest, x.dtype), lax.max, config)


def avg_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    count_include_pad: bool = True,
) -> jax.Array:
    """Take the average of every window; the autodiff twin of `jaxcnn.avg_pool`."""
    flat, config = pool_input(x, window_shape, strides, padding)
    zero = np.zeros((), x.dtype)
    sums = _reduce(x, flat, zero, lax.add, config)
    if count_include_pad:
        return sums / np.array(np.prod(config.window), x.dtype)
    return sums / _reduce(x, jnp.ones_like(flat), zero, lax.add, config)


def global_avg_pool(x: jax.Array, *, spatial_rank: int | None = None) -> jax.Array:
    """Average over all positions; the autodiff twin of `jaxcnn.global_avg_pool`."""
    rank = x.ndim - 2 if spatial_rank is None else spatial_rank
    return jnp.mean(x, tuple(range(x.ndim - 1 - rank, x.ndim - 1)))


def _reduce(x: jax.Array, flat: jax.Array, initial: np.ndarray, combine: Any, config: PoolConfig) -> jax.Array:
    window, strides = (1, *config.window, 1), (1, *config.strides, 1)
    y = lax.reduce_window(flat, initial, combine, window, strides, [(0, 0), *config.padding, (0, 0)])
    return y.reshape(*x.shape[: -len(config.window) - 1], *y.shape[1:])
