"""Windows as rows, by a convolution with one-hot kernels, and their sum, by its transpose; differentiated by JAX."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._window import PaddingLike, canonical_ints, canonical_padding, dilated_size


def unfold(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
) -> jax.Array:
    """Copy every window into a row; the autodiff twin of `jaxcnn.unfold`."""
    rank = len(window_shape)
    strides = canonical_ints("strides", 1 if strides is None else strides, rank)
    dilation = canonical_ints("window_dilation", window_dilation, rank)
    batch, spatial, channels = x.shape[: -rank - 1], x.shape[-rank - 1 : -1], x.shape[-1]
    pairs = canonical_padding(padding, spatial, tuple(map(dilated_size, window_shape, dilation)), strides)
    images = x.reshape(math.prod(batch), *spatial, channels).transpose(0, rank + 1, *range(1, rank + 1))
    rows = lax.conv_general_dilated_patches(
        images, window_shape, strides, pairs, rhs_dilation=dilation, precision=lax.Precision.HIGHEST
    )
    positions = rows.shape[2:]
    rows = rows.reshape(rows.shape[0], channels, math.prod(window_shape), *positions)
    rows = rows.transpose(0, *range(3, rank + 3), 2, 1)
    return rows.reshape(*batch, *positions, math.prod(window_shape) * channels)


def fold(
    x: jax.Array,
    output_size: Any,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
) -> jax.Array:
    """Add the rows of windows into an image; the autodiff twin of `jaxcnn.fold`."""
    rank = len(window_shape)
    size = canonical_ints("output_size", output_size, rank)
    image = jax.ShapeDtypeStruct((*x.shape[: -rank - 1], *size, x.shape[-1] // math.prod(window_shape)), x.dtype)
    options = {"strides": strides, "padding": padding, "window_dilation": window_dilation}
    rows = functools.partial(unfold, window_shape=window_shape, **options)
    if jnp.issubdtype(x.dtype, jnp.integer):  # JAX's transpose of a function of integers is empty
        of_example = image.shape[-rank - 1 :]
        numbers = rows(1 + jnp.arange(math.prod(of_example)).reshape(of_example))  # 0 where it is padding
        total = jnp.zeros((math.prod(image.shape[: -rank - 1]), 1 + math.prod(of_example)), x.dtype)
        return total.at[:, numbers.ravel()].add(x.reshape(len(total), -1))[:, 1:].reshape(image.shape)
    return jax.linear_transpose(rows, image)(x)[0]
