"""Convolution as one `lax.conv_general_dilated`, differentiated by JAX."""

import string
from typing import Any

import jax
from jax import lax

from jaxcnn.ops._dtypes import as_floating, canonical_precision, canonical_preferred
from jaxcnn.ops._layout import conv_layout
from jaxcnn.ops._rule import merge_batch, split_batch
from jaxcnn.ops._window import PaddingLike, continuation, is_empty
from jaxcnn.ops.convolution import conv_config
from jaxcnn.reference.linear import bias_add
from jaxcnn.reference.padding import pad


def conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Any = 1,
    padding: PaddingLike = "SAME",
    input_dilation: Any = 1,
    kernel_dilation: Any = 1,
    feature_group_count: int = 1,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """Convolve; the autodiff twin of `jaxcnn.conv`."""
    x, kernel = as_floating("x", x), as_floating("kernel", kernel)
    layout = None if dimension_numbers is None else conv_layout(dimension_numbers, x.ndim, kernel.ndim)
    if layout is not None:
        x, kernel = x.transpose(layout.x), kernel.transpose(layout.kernel)
    config = conv_config(
        x.shape,
        kernel.shape,
        strides=strides,
        padding=padding,
        input_dilation=input_dilation,
        kernel_dilation=kernel_dilation,
        feature_group_count=feature_group_count,
        precision=canonical_precision(precision),
        preferred_element_type=canonical_preferred(preferred_element_type, x.dtype),
    )
    mode = continuation(padding)
    if mode is not None and not is_empty(x.shape[1 - kernel.ndim :]):
        x, config = pad(x, config.padding, mode), config._replace(padding=((0, 0),) * len(config.padding))
    spatial = string.digits[: len(config.strides)]
    y = lax.conv_general_dilated(
        merge_batch(x, kernel.ndim - 1),
        kernel,
        config.strides,
        config.padding,
        lhs_dilation=config.input_dilation,
        rhs_dilation=config.kernel_dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=config.feature_group_count,
        precision=config.precision,
        preferred_element_type=config.preferred_element_type,
    )
    y = split_batch(y, x, kernel.ndim - 1)
    y = y if bias is None else bias_add(y, bias)
    return y if layout is None else y.transpose(layout.y)
