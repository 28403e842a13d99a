"""Running averages of statistics in plain JAX, differentiated by JAX."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._dtypes import is_wider, widen


def running_statistics(
    running_mean: jax.Array,
    running_variance: jax.Array,
    mean: jax.Array,
    variance: jax.Array,
    *,
    momentum: float = 0.99,
    count: Any = None,
    axis_name: Any = None,
) -> tuple[jax.Array, jax.Array]:
    """Take the statistics of a step into running averages; the autodiff twin of `jaxcnn.running_statistics`."""
    if count is not None:
        number = jnp.asarray(count).astype(variance.dtype) * (1 if axis_name is None else lax.axis_size(axis_name))
        alone = number < 2
        factor = jnp.where(alone, 1, number / (jnp.where(alone, 2, number) - 1))
        variance = variance * jnp.broadcast_to(factor, variance.shape)

    def mixed(running: jax.Array, step: jax.Array) -> jax.Array:
        old, new = widen(running), jnp.mean(widen(step), tuple(range(step.ndim - 1)))
        dtype = old.dtype if is_wider(old.dtype, new.dtype) else new.dtype
        return (momentum * old.astype(dtype) + (1 - momentum) * new.astype(dtype)).astype(running.dtype)

    return mixed(running_mean, mean), mixed(running_variance, variance)
