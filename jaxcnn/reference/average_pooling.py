"""Averages and sums over windows by `lax.reduce_window`, differentiated by JAX."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.ops._layout import channels_last
from jaxcnn.ops._pools import run_pool
from jaxcnn.ops._window import PaddingLike, PoolConfig
from jaxcnn.reference.pooling import reduce_windows


def avg_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    count_include_pad: bool = True,
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    divisor_override: float | None = None,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the average of every window; the autodiff twin of `jaxcnn.avg_pool`."""

    def pool(x: jax.Array, config: PoolConfig) -> jax.Array:
        sums = window_sums(x, config)
        if divisor_override is not None:
            return sums / divisor_override
        if count_include_pad and not any(config.beyond):
            return sums / np.array(np.prod(config.window), x.dtype)
        ones, counted = jnp.ones_like(x), config
        if count_include_pad:
            pads = [(low, high - beyond) for (low, high), beyond in zip(config.padding, config.beyond, strict=True)]
            ones = jnp.pad(ones, [(0, 0), *pads, (0, 0)], constant_values=1)
            counted = config._replace(padding=tuple((0, beyond) for beyond in config.beyond))
        return sums / window_sums(ones, counted)

    return run_pool(pool, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers)


def sum_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the sum of every window; the autodiff twin of `jaxcnn.sum_pool`."""
    return run_pool(window_sums, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers)


def global_avg_pool(
    x: jax.Array, *, spatial_rank: int | None = None, dimension_numbers: str | None = None
) -> jax.Array:
    """Average over all positions; the autodiff twin of `jaxcnn.global_avg_pool`."""
    x = channels_last(x, dimension_numbers)
    rank = x.ndim - 2 if spatial_rank is None else spatial_rank
    return jnp.mean(x, tuple(range(x.ndim - 1 - rank, x.ndim - 1)))


def window_sums(x: jax.Array, config: PoolConfig) -> jax.Array:
    """Return the sum of every window of x `[N, *spatial, C]`."""
    return reduce_windows(x, np.zeros((), x.dtype), lax.add, config)
