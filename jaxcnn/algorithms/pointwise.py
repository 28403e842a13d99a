"""Convolution with a window of one element: a matrix product over all pixels at once.

With p for a pixel (image and position) of the output, and x cut to the pixels that the strides visit,

    y[p, c]        = sum_{c'} x[p, c'] kernel[c', c]
    dx[p, c']      = sum_c g[p, c] kernel[c', c]         between the pixels that were visited: 0
    dkernel[c', c] = sum_p x[p, c'] g[p, c]

Cost: N * O * C_in * C_out multiplications and additions in one matrix product each; no temporaries without strides,
with strides one copy of what they visit.
"""

from typing import TYPE_CHECKING

import jax

from jaxcnn.algorithms._products import product
from jaxcnn.algorithms._taps import put, take
from jaxcnn.ops._window import conv_output_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether the window is one element, in one group."""
    return config.feature_group_count == 1 and set(kernel_shape[:-2]) == {1}


def forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return y `[N, *spatial_out, C_out]` for x `[N, *spatial, C_in]`, kernel `[1, ..., 1, C_in, C_out]`."""
    outputs = conv_output_size(x.shape[1:-1], kernel.shape[:-2], config)
    visited = take(x, (0,) * len(outputs), outputs, config)
    y = product(_pixels(visited), 1, kernel.reshape(kernel.shape[-2:]), 0, config.precision)
    return y.reshape(*visited.shape[:-1], kernel.shape[-1])


def dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of x `[N, *input_size, C_in]` for g `[N, *spatial_out, C_out]`."""
    visited = product(_pixels(g), 1, kernel.reshape(kernel.shape[-2:]), 1, config.precision)
    return put(visited.reshape(*g.shape[:-1], kernel.shape[-2]), (0,) * len(input_size), input_size, config)


def dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of the kernel `[1, ..., 1, C_in, C_out]`."""
    visited = take(x, (0,) * len(kernel_size), g.shape[1:-1], config)
    return product(_pixels(visited), 0, _pixels(g), 0, config.precision).reshape(*kernel_size, x.shape[-1], g.shape[-1])


def _pixels(x: jax.Array) -> jax.Array:
    return x.reshape(-1, x.shape[-1])
