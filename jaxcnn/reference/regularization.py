"""Layers that drop a random part of their input, differentiated by JAX. The mask is that of `jaxcnn.ops`."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops.regularization import keep_mask


def dropout(
    x: jax.Array,
    rate: float,
    *,
    key: jax.Array | None = None,
    deterministic: bool = False,
    broadcast_dims: Sequence[int] = (),
) -> jax.Array:
    """Set random elements to 0; the autodiff twin of `jaxcnn.dropout`."""
    shape = list(x.shape)
    for axis in broadcast_dims:
        shape[axis] = 1
    return _drop(x, rate, tuple(shape), key, deterministic)


def spatial_dropout(
    x: jax.Array,
    rate: float,
    *,
    key: jax.Array | None = None,
    deterministic: bool = False,
    spatial_rank: int | None = None,
) -> jax.Array:
    """Set random channels to 0; the autodiff twin of `jaxcnn.spatial_dropout`."""
    rank = x.ndim - 2 if spatial_rank is None else spatial_rank
    return _drop(x, rate, (*x.shape[: -rank - 1], *(1,) * rank, x.shape[-1]), key, deterministic)


def stochastic_depth(
    x: jax.Array,
    rate: float,
    mode: str,
    *,
    key: jax.Array | None = None,
    deterministic: bool = False,
    batch_rank: int = 1,
) -> jax.Array:
    """Set random examples to 0; the autodiff twin of `jaxcnn.stochastic_depth`."""
    rows = batch_rank if mode == "row" else 0
    return _drop(x, rate, x.shape[:rows] + (1,) * (x.ndim - rows), key, deterministic)


def _drop(x: jax.Array, rate: float, shape: tuple[int, ...], key: Any, deterministic: bool) -> jax.Array:
    if deterministic or rate == 0:
        return x
    if rate == 1:
        return jnp.zeros_like(x)
    return jnp.where(keep_mask(key, rate, shape), x / (1 - rate), jnp.zeros_like(x))
