"""Resampling by `jnp.take`, and by products with a dense matrix as in `jax.image`, differentiated by JAX."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def upsample_nearest(x: jax.Array, scale_factor: Any = None, *, size: Any = None) -> jax.Array:
    """Resample by repeating the nearest element; the autodiff twin of `jaxcnn.upsample_nearest`."""
    for axis, outputs, scale in _axes(x, scale_factor, size):
        if outputs % x.shape[axis] == 0 and scale == outputs / x.shape[axis]:
            x = jnp.repeat(x, outputs // x.shape[axis], axis)
        else:
            exact = scale == outputs / x.shape[axis]
            o = np.arange(outputs)
            positions = o * x.shape[axis] // outputs if exact else np.floor(o / scale)
            x = jnp.take(x, np.minimum(positions, x.shape[axis] - 1).astype(np.int32), axis)
    return x


def upsample_linear(
    x: jax.Array, scale_factor: Any = None, *, size: Any = None, align_corners: bool = False
) -> jax.Array:
    """Resample by linear interpolation; the autodiff twin of `jaxcnn.upsample_linear`."""
    for axis, outputs, scale in _axes(x, scale_factor, size):
        last = x.shape[axis] - 1
        if align_corners:
            position = np.linspace(0, last, outputs)
        else:
            position = np.clip((np.arange(outputs) + 0.5) / scale - 0.5, 0, last)
        matrix = np.maximum(0, 1 - np.abs(position[:, None] - np.arange(last + 1)))
        product = jnp.tensordot(x, jnp.asarray(matrix, x.dtype), (axis, 1), precision="highest")
        x = jnp.moveaxis(product, -1, axis)
    return x


def _axes(x: jax.Array, scale_factor: Any, size: Any) -> list[tuple[int, int, float]]:
    """Return each spatial axis, its new size and its scale."""
    given = size if scale_factor is None else scale_factor
    entries = given if isinstance(given, Sequence) else (given,) * (x.ndim - 2)
    spatial = range(x.ndim - len(entries) - 1, x.ndim - 1)
    if scale_factor is None:
        return [(axis, outputs, outputs / x.shape[axis]) for axis, outputs in zip(spatial, entries, strict=True)]
    return [(axis, math.floor(x.shape[axis] * scale), scale) for axis, scale in zip(spatial, entries, strict=True)]
