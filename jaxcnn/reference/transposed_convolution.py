"""Transposed convolution as the adjoint of `lax.conv_general_dilated`, differentiated by JAX."""

import string
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._layout import conv_layout
from jaxcnn.ops._rule import merge_batch, split_batch
from jaxcnn.ops._window import PaddingLike
from jaxcnn.ops.transposed_convolution import transposed_padding
from jaxcnn.reference.linear import bias_add


def conv_transpose(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Any = 1,
    padding: PaddingLike = "SAME",
    kernel_dilation: Any = 1,
    feature_group_count: int = 1,
    output_padding: Any = 0,
    output_shape: Any = None,
    transpose_kernel: bool = False,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """Enlarge x; the autodiff twin of `jaxcnn.conv_transpose`."""
    layout = None if dimension_numbers is None else conv_layout(dimension_numbers, x.ndim, kernel.ndim)
    if layout is not None:
        x, kernel = x.transpose(layout.x), kernel.transpose(layout.kernel)
    rank = kernel.ndim - 2
    spatial = string.digits[:rank]
    if transpose_kernel:
        kernel = jnp.flip(kernel, tuple(range(rank)))
        parts = jnp.split(kernel, feature_group_count, -1)
        kernel = jnp.concatenate([jnp.swapaxes(part, -1, -2) for part in parts], -1)
    strides, dilation, pairs = transposed_padding(
        x.shape, kernel.shape, strides, padding, kernel_dilation, output_padding, output_shape
    )
    y = lax.conv_general_dilated(
        merge_batch(x, rank + 1),
        kernel,
        (1,) * rank,
        pairs,
        strides,
        dilation,
        (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    y = split_batch(y, x, rank + 1)
    y = y if bias is None else bias_add(y, bias)
    return y if layout is None else y.transpose(layout.y)
