"""Averages and maxima over a given number of bins, one slice a bin, differentiated by JAX.

A maximum is the element that argmax names: `jnp.max` would share its gradient out among equal ones.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.ops._layout import channels_last, from_channels_last
from jaxcnn.reference._maxima import first_maximum


def adaptive_avg_pool(x: jax.Array, output_size: Any, *, dimension_numbers: str | None = None) -> jax.Array:
    """Average over bins; the autodiff twin of `jaxcnn.adaptive_avg_pool`."""
    y = _reduce_bins(jnp.mean, channels_last(x, dimension_numbers), output_size)
    return from_channels_last(y, dimension_numbers)


def adaptive_max_pool(x: jax.Array, output_size: Any, *, dimension_numbers: str | None = None) -> jax.Array:
    """Take the maximum over bins; the autodiff twin of `jaxcnn.adaptive_max_pool`."""
    y = _reduce_bins(first_maximum, channels_last(x, dimension_numbers), output_size)
    return from_channels_last(y, dimension_numbers)


def adaptive_max_pool_with_indices(
    x: jax.Array, output_size: Any, *, dimension_numbers: str | None = None
) -> tuple[jax.Array, jax.Array]:
    """Take the maximum over bins and its position; the autodiff twin of `jaxcnn.adaptive_max_pool_with_indices`.

    The positions are found box by box: where the first maximum, or the first NaN, is in row-major order.
    """
    x = channels_last(x, dimension_numbers)
    rank = len(output_size)
    spatial = x.shape[-rank - 1 : -1]
    sizes = tuple(size if out is None else out for size, out in zip(spatial, output_size, strict=True))
    numbers = np.arange(math.prod(spatial), dtype=np.int32).reshape(spatial)
    found = []
    for box in itertools.product(*(_bounds(*pair) for pair in zip(spatial, sizes, strict=True))):
        inside = tuple(slice(*bound) for bound in box)
        values = x[(..., *inside, slice(None))].reshape(*x.shape[: -rank - 1], -1, x.shape[-1])
        found.append(jnp.asarray(numbers[inside].ravel())[jnp.argmax(values, -2)])
    indices = jnp.stack(found, -2).reshape(*x.shape[: -rank - 1], *sizes, x.shape[-1])
    y = _reduce_bins(first_maximum, x, output_size)
    return from_channels_last(y, dimension_numbers), from_channels_last(indices, dimension_numbers)


def _bounds(size: int, bins: int) -> list[tuple[int, int]]:
    """Return where each bin along an axis starts, and before where it ends."""
    return [(o * size // bins, -(-(o + 1) * size // bins)) for o in range(bins)]


def _reduce_bins(reduce: Callable[..., jax.Array], x: jax.Array, output_size: Any) -> jax.Array:
    first = x.ndim - 1 - len(output_size)
    for axis, bins in reversed(list(enumerate(output_size, start=first))):  # the last axis first: row-major order
        size = x.shape[axis]
        if bins is not None:
            slices = [lax.slice_in_dim(x, *bound, axis=axis) for bound in _bounds(size, bins)]
            x = jnp.stack([reduce(values, axis) for values in slices], axis)
    return x
