"""Layers that are a convolution, or two, in a certain form: their rules are those of `jaxcnn.ops.convolution`.

A depthwise convolution has as many groups as channels: each channel meets its own kernels, and only those. A separable
convolution is a depthwise one and then a pointwise one, which together have C (K + C_out) weights where a full one has
C K C_out (K taps, one kernel a channel). A weight-standardised convolution normalises its kernel first.

References: Chollet 2017, "Xception", arXiv:1610.02357; Howard et al. 2017, "MobileNets", arXiv:1704.04861; Qiao et al.
2019, "Weight standardization", arXiv:1903.10520; Brock, De and Smith 2021, "Characterizing signal propagation to close
the performance gap in unnormalized ResNets", arXiv:2101.08692.
"""

from typing import Any

import jax

from jaxcnn.ops._dtypes import as_floating
from jaxcnn.ops._window import PaddingLike
from jaxcnn.ops.convolution import conv
from jaxcnn.ops.group_norms import weight_standardization


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
    """Convolve every channel with kernels of its own.

    The step of MobileNet and ConvNeXt that mixes positions; `conv` with a 1x1 kernel is the one that mixes channels.

    Math:
      y[n, o, c m + j] = sum_k x[n, o * strides + k * kernel_dilation - low, c] kernel[k, 0, c m + j] + bias[c m + j],
      j < m, the multiplier. VJP: that of `conv` with feature_group_count = C.

    Args:
      x: `[*batch, *spatial, C]`, floating, with any number of leading batch axes, none included.
      kernel: `[*window, 1, C * m]` with a multiplier m of 1 or more, in the dtype of x.
      bias: `[C * m]` or None, in the dtype of x or of the output.
      strides: an int, or one for each spatial axis.
      padding: as in `conv`.
      kernel_dilation: the distance between the elements that one window reads.
      precision: as in `jax.lax`; it holds for both gradients too.
      preferred_element_type: the dtype to sum and return in; None is that of x.

    Returns:
      `[*batch, *spatial_out, C * m]`, of the size that `conv` gives.

    Gradient:
      Linear in each operand, so there are no kinks.

    Raises:
      TypeError: a dtype is not floating, differs, or narrows.
      ValueError: shapes and arguments do not fit each other.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.depthwise_conv(jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 1, 6))).shape)
      (1, 4, 4, 6)

    References:
      Howard et al. 2017, arXiv:1704.04861.
    """
    x = as_floating("x", x)
    if x.ndim < 1:
        raise ValueError(f"x shape (={x.shape}) must be [*batch, *spatial, C]")
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
    """Convolve every channel with kernels of its own, then mix the channels at each position.

    A cheap stand-in for `conv`; `depthwise_conv` is the first half alone.

    Math:
      y = conv(depthwise_conv(x, depthwise_kernel), pointwise_kernel) + bias. VJP: those of the two, in turn.

    Args:
      x: `[*batch, *spatial, C]`, floating, with any number of leading batch axes, none included.
      depthwise_kernel: `[*window, 1, C * m]` with a multiplier m of 1 or more, in the dtype of x.
      pointwise_kernel: `[*ones, C * m, C_out]`, with a window of one element, in the dtype of x.
      bias: `[C_out]` or None, in the dtype of x.
      strides: an int, or one for each spatial axis.
      padding: as in `conv`.
      kernel_dilation: the distance between the elements that one window reads.
      precision: as in `jax.lax`; it holds for all gradients too.

    Returns:
      `[*batch, *spatial_out, C_out]`, of the size that `conv` gives.

    Gradient:
      Linear in each operand, so there are no kinks.

    Raises:
      TypeError: a dtype is not floating, or differs.
      ValueError: shapes and arguments do not fit each other.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> kernels = jnp.ones((3, 3, 1, 6)), jnp.ones((1, 1, 6, 8))
      >>> print(jaxcnn.separable_conv(jnp.ones((1, 4, 4, 3)), *kernels, strides=2).shape)
      (1, 2, 2, 8)

    References:
      Chollet 2017, arXiv:1610.02357.
    """
    pointwise_kernel = as_floating("pointwise_kernel", pointwise_kernel)
    if any(size != 1 for size in pointwise_kernel.shape[:-2]):
        raise ValueError(f"pointwise_kernel shape (={pointwise_kernel.shape}) must be [*ones, C_in, C_out]")
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
    """Convolve with a kernel whose weights for each output channel have mean 0 and variance 1.

    With `group_norm` in place of `batch_norm`, for small batches; `conv` is the one that takes the kernel as it is.

    Math:
      y = conv(x, (kernel - mean) / sqrt(var + epsilon) * scale) + bias, mean and var over all axes of the kernel but
      the last. VJP: those of `conv` and of `weight_standardization`, in turn.

    Args:
      x: `[*batch, *spatial, C_in]`, floating, with any number of leading batch axes, none included.
      kernel: `[*window, C_in / feature_group_count, C_out]`, in the dtype of x.
      bias: `[C_out]` or None, in the dtype of x or of the output.
      scale: `[C_out]`, the gain, or None for ones, in the dtype of the kernel or a narrower one; 1 / sqrt(fan_in) keeps
        the variance of x.
      strides: an int, or one for each spatial axis.
      padding: as in `conv`.
      kernel_dilation: the distance between the elements that one window reads.
      feature_group_count: the number of groups that channels are split into.
      epsilon: a positive Python number; it is static.
      precision: as in `jax.lax`; it holds for both gradients too.
      preferred_element_type: the dtype to sum and return in; None is that of x.

    Returns:
      `[*batch, *spatial_out, C_out]`, of the size that `conv` gives.

    Gradient:
      Smooth. That of the kernel sums to 0 for each output channel.

    Raises:
      TypeError: a dtype is not floating, differs, or narrows.
      ValueError: shapes and arguments do not fit each other.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> kernel = jnp.array([[1.0], [3.0]]).reshape(2, 1, 1)
      >>> print(jaxcnn.weight_standardized_conv(jnp.array([[5.0], [7.0]]), kernel, padding="VALID", epsilon=1e-9))
      [[2.]]

    References:
      Qiao et al. 2019, arXiv:1903.10520; Brock, De and Smith 2021, arXiv:2101.08692.
    """
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
