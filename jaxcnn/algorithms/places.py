"""Values put to numbered places, of several for one place the last.

A CPU takes the updates of a scatter one after the other, so that the last stays. Other devices take them in any order:
there the number of the last value is found first, by a scatter of maxima, which has the same result in any order, and
the values are gathered by these numbers. On a CPU that takes three times as long.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._mesh import reshape, zeros


def put(values: jax.Array, places: jax.Array, positions: int) -> jax.Array:
    """Return `[N, positions, C]` with every value at its place, and 0 elsewhere.

    Args:
      values: `[N, M, C]`.
      places: `[N, M, C]`, int32, from 0 to positions; what is to have no place has `positions`.
      positions: how many places there are; places times C must be below 2^31.
    """
    examples, number, channels = values.shape
    size = positions * channels
    flat = (examples, number * channels)
    channel = lax.broadcasted_iota(jnp.int32, places.shape, 2)
    y = lax.platform_dependent(
        reshape(values, flat),
        reshape(places * channels + channel, flat),
        cpu=functools.partial(overwrite, size=size),
        default=functools.partial(gather_last, size=size),
    )
    return reshape(y, (examples, positions, channels))


def overwrite(values: jax.Array, places: jax.Array, size: int) -> jax.Array:
    """Return `[N, size]` with the values `[N, M]` at their places, written in order; from `size` on, nowhere."""
    blank = zeros((values.shape[0], size), values.dtype, values)
    return jax.vmap(lambda blank, row, at: blank.at[at].set(row, mode="drop"))(blank, values, places)


def gather_last(values: jax.Array, places: jax.Array, size: int) -> jax.Array:
    """Return the same as `overwrite`, in whatever order a device works."""
    numbers = jnp.arange(1, values.shape[1] + 1, dtype=jnp.int32)
    blank = zeros((values.shape[0], size), jnp.int32, values)
    last = jax.vmap(lambda blank, at: blank.at[at].max(numbers, mode="drop"))(blank, places)
    found = jnp.take_along_axis(values, jnp.maximum(last - 1, jnp.zeros_like(last)), 1, mode="clip")
    return jnp.where(last > 0, found, jnp.zeros_like(found))
