"""A convolution of images that are smaller than its window, by columns.

What all taps of every window read stands in one row, and all rows times the kernel are one matrix product,

    columns[n, o, t, c'] = x[n, o * stride + t * kernel_dilation - low, c']
    y[n, o, c]           = sum_{t, c'} columns[n, o, t, c'] kernel[t, c', c]

(im2col, of which `col2im` is the way back). XLA's CPU compiler has a fast routine for convolutions only if the operand
has as many positions as the kernel; it computes others one number at a time. Taps that read padding only are left out.

Cost: N * O * K * C_in * C_out multiplications and additions; the columns are temporaries, O * K / I times the size of
x.

References: Chellapilla, Puri and Simard 2006, "High performance convolutional neural networks for document processing".
"""

from typing import TYPE_CHECKING

import jax

from jaxcnn.algorithms._products import product
from jaxcnn.algorithms._taps import between, reading, take_all
from jaxcnn.ops._window import conv_output_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether there is one group."""
    del kernel_shape
    return config.feature_group_count == 1


def forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return y `[N, *spatial_out, C_out]` for x `[N, *spatial, C_in]`, kernel `[*spatial, C_in, C_out]`."""
    outputs = conv_output_size(x.shape[1:-1], kernel.shape[:-2], config)
    first, end, config = reading(kernel.shape[:-2], x.shape[1:-1], outputs, config)
    kernel = between(kernel, first, end)
    columns = take_all(x, kernel.shape[:-2], outputs, config)
    taps_and_channels = (columns.ndim - 2, columns.ndim - 1)
    return product(columns, taps_and_channels, kernel.reshape(-1, *kernel.shape[-2:]), (0, 1), config.precision)
