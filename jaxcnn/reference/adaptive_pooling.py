"""Averages and maxima over a given number of bins, one slice a bin, differentiated by JAX.

A maximum shares its gradient out among equal elements, where `jaxcnn.ops` gives it to the first.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._layout import channels_last, from_channels_last


def adaptive_avg_pool(x: jax.Array, output_size: Any, *, dimension_numbers: str | None = None) -> jax.Array:
    """Average over bins; the autodiff twin of `jaxcnn.adaptive_avg_pool`."""
    y = _reduce_bins(jnp.mean, channels_last(x, dimension_numbers), output_size)
    return from_channels_last(y, dimension_numbers)


def adaptive_max_pool(x: jax.Array, output_size: Any, *, dimension_numbers: str | None = None) -> jax.Array:
    """Take the maximum over bins; the autodiff twin of `jaxcnn.adaptive_max_pool`."""
    y = _reduce_bins(jnp.max, channels_last(x, dimension_numbers), output_size)
    return from_channels_last(y, dimension_numbers)


def _reduce_bins(reduce: Callable[..., jax.Array], x: jax.Array, output_size: Any) -> jax.Array:
    for axis, bins in enumerate(output_size, start=x.ndim - 1 - len(output_size)):
        size = x.shape[axis]
        if bins is not None:
            bounds = [(o * size // bins, -(-(o + 1) * size // bins)) for o in range(bins)]
            x = jnp.stack([reduce(lax.slice_in_dim(x, *bound, axis=axis), axis) for bound in bounds], axis)
    return x
