"""The p-norm of every window, differentiated by JAX."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._pools import run_pool
from jaxcnn.ops._window import PaddingLike, PoolConfig
from jaxcnn.reference.average_pooling import window_sums
from jaxcnn.reference.pooling import max_pool


def lp_pool(
    x: jax.Array,
    norm: float,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the p-norm of every window; the autodiff twin of `jaxcnn.lp_pool`."""
    if norm == math.inf:
        options = {"window_dilation": window_dilation, "ceil_mode": ceil_mode}
        # A window that holds nothing but padding has -inf there. jnp.abs has the slope 1 at 0, and the layer 0.
        largest = max_pool(x * jnp.sign(x), window_shape, strides, padding, **options)
        return jnp.where(largest < 0, jnp.zeros_like(largest), largest)

    def pool(x: jax.Array, config: PoolConfig) -> jax.Array:
        sums = window_sums(_power_of_size(x, norm), config)
        empty = sums == 0  # where the root has an infinite derivative
        return jnp.where(empty, jnp.zeros_like(sums), jnp.where(empty, jnp.ones_like(sums), sums) ** (1 / norm))

    return run_pool(pool, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers)


def _power_of_size(x: jax.Array, norm: float) -> jax.Array:
    """Return |x|^norm, with all derivatives 0 at 0 where one of the first two has no value there."""
    if norm >= 2:
        return jnp.abs(x) ** norm
    zero = x == 0
    return jnp.where(zero, jnp.zeros_like(x), jnp.abs(jnp.where(zero, jnp.ones_like(x), x)) ** norm)
