"""Norms within an example or a kernel in plain JAX, differentiated by JAX."""

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import widen
from jaxcnn.reference._norm import mean_and_variance, normalize


def group_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    num_groups: int = 32,
    spatial_rank: int | None = None,
    where: jax.Array | None = None,
    epsilon: float = 1e-6,
) -> jax.Array:
    """Normalise every group of channels of an example; the autodiff twin of `jaxcnn.group_norm`."""
    rank = max(x.ndim - 2, 0) if spatial_rank is None else spatial_rank
    split = widen(x).reshape(*x.shape[:-1], num_groups, x.shape[-1] // num_groups)
    axes = (*range(x.ndim - 1 - rank, x.ndim - 1), x.ndim)

    def of_channels(statistic: jax.Array) -> jax.Array:
        spread = jnp.broadcast_to(statistic, (*statistic.shape[:-1], split.shape[-1]))
        return spread.reshape(*spread.shape[:-2], x.shape[-1])

    if where is not None:
        where = jnp.broadcast_to(where, x.shape).reshape(split.shape)
    mean, variance = (of_channels(statistic) for statistic in mean_and_variance(split, axes, where))
    return normalize(x, mean, variance, scale, bias, epsilon)


def instance_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    spatial_rank: int | None = None,
    where: jax.Array | None = None,
    epsilon: float = 1e-6,
) -> jax.Array:
    """Normalise every channel of an example; the autodiff twin of `jaxcnn.instance_norm`."""
    return group_norm(x, scale, bias, num_groups=x.shape[-1], spatial_rank=spatial_rank, where=where, epsilon=epsilon)


def weight_standardization(kernel: jax.Array, scale: jax.Array | None = None, *, epsilon: float = 1e-5) -> jax.Array:
    """Normalise all weights of an output channel; the autodiff twin of `jaxcnn.weight_standardization`."""
    wide, axes = widen(kernel), tuple(range(kernel.ndim - 1))
    mean, variance = mean_and_variance(wide, axes, None)
    return normalize(kernel, mean, variance, scale, None, epsilon)
