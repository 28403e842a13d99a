"""Maxima with their positions, and values put to positions, differentiated by JAX."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._axes import comparable
from jaxcnn.ops._layout import channels_last, from_channels_last
from jaxcnn.ops._pools import run_pool
from jaxcnn.ops._window import PaddingLike
from jaxcnn.reference.pooling import gathered_extreme


def max_pool_with_indices(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Take the maximum of every window and its position; the autodiff twin of `jaxcnn.max_pool_with_indices`."""
    return run_pool(
        gathered_extreme, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers, False
    )


def max_unpool(
    x: jax.Array, indices: jax.Array, output_size: Any, *, dimension_numbers: str | None = None
) -> jax.Array:
    """Put every value to its place; the autodiff twin of `jaxcnn.max_unpool`.

    Where an index stands more than once, XLA says nothing about which value stays; on a CPU it is the last.
    """
    x, indices = channels_last(x, dimension_numbers), channels_last(indices, dimension_numbers)
    rank = len(output_size)
    batch, channels, positions = x.shape[: -rank - 1], x.shape[-1], math.prod(output_size)
    rows = (math.prod(batch), math.prod(x.shape[-rank - 1 : -1]), channels)
    example, channel = jnp.arange(rows[0])[:, None, None], jnp.arange(channels)[None, None, :]
    places = comparable(indices).reshape(rows)
    places = jnp.where(places < 0, jnp.full_like(places, positions), places)  # JAX would count from the end
    empty = jnp.zeros((rows[0], positions, channels), x.dtype)
    y = empty.at[example, places, channel].set(x.reshape(rows), mode="drop")
    return from_channels_last(y.reshape(*batch, *output_size, channels), dimension_numbers)
