"""Convolutions of a certain form, differentiated by JAX."""

from typing import Any

import jax

from jaxcnn.ops._window import PaddingLike
from jaxcnn.reference.convolution import conv
from jaxcnn.reference.group_norms import weight_standardization


def depthwise_conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Any = 1,
    padding: PaddingLike = "SAME",
    kernel_dilation: Any = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """Convolve every channel with kernels of its own; the autodiff twin of `jaxcnn.depthwise_conv`."""
    return conv(
        x,
        kernel,
        bias,
        strides=strides,
        padding=padding,
        kernel_dilation=kernel_dilation,
        feature_group_count=x.shape[-1],
        precision=precision,
        preferred_element_type=preferred_element_type,
    )


def separable_conv(
    x: jax.Array,
    depthwise_kernel: jax.Array,
    pointwise_kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Any = 1,
    padding: PaddingLike = "SAME",
    kernel_dilation: Any = 1,
    precision: Any = None,
) -> jax.Array:
    """Convolve every channel, then mix the channels; the autodiff twin of `jaxcnn.separable_conv`."""
    y = depthwise_conv(
        x, depthwise_kernel, strides=strides, padding=padding, kernel_dilation=kernel_dilation, precision=precision
    )
    return conv(y, pointwise_kernel, bias, precision=precision)


def weight_standardized_conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    scale: jax.Array | None = None,
    *,
    strides: Any = 1,
    padding: PaddingLike = "SAME",
    kernel_dilation: Any = 1,
    feature_group_count: int = 1,
    epsilon: float = 1e-5,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """Convolve with a standardised kernel; the autodiff twin of `jaxcnn.weight_standardized_conv`."""
    return conv(
        x,
        weight_standardization(kernel, scale, epsilon=epsilon),
        bias,
        strides=strides,
        padding=padding,
        kernel_dilation=kernel_dilation,
        feature_group_count=feature_group_count,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
