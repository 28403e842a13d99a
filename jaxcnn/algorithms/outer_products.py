"""Convolution of few input channels with a small window: a sum of outer products, one for each number a window reads.

With t for a tap and c' for an input channel,

    y[n, o, c] = sum_{t, c'} x[n, o * stride + t * kernel_dilation - low, c'] kernel[t, c', c]

is for every t and c' one number of x a position times one row of the kernel. No product is written to memory: forward
is one loop over y in which all terms of an element are added.

Cost: N * O * K * C_in * C_out multiplications and additions; the one temporary is x with its padding. A matrix product
would collect K * C_in numbers for each position first, which costs more than multiplying them if they are few.
"""

import functools
import math
from typing import TYPE_CHECKING

import jax
from jax import lax

from jaxcnn.algorithms._once import once
from jaxcnn.algorithms._taps import padded, sum_over, take
from jaxcnn.ops._dtypes import accumulation_dtype, channel_row
from jaxcnn.ops._window import conv_output_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints

MOST_TERMS = 49  # that are written out; the compiled loop of more is slower than a matrix product


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether there is one group, and a window reads few numbers."""
    return config.feature_group_count == 1 and math.prod(kernel_shape[:-1]) <= MOST_TERMS


def forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return y `[N, *spatial_out, C_out]` for x `[N, *spatial, C_in]`, kernel `[*spatial, C_in, C_out]`."""
    return once(lambda x, kernel: _forward(x, kernel, config), x, kernel)


def _forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    outputs = conv_output_size(x.shape[1:-1], kernel.shape[:-2], config)
    x, config = padded(x.astype(accumulation_dtype(x.dtype)), config)

    def products(tap: "Ints") -> jax.Array:
        taken, rows = take(x, tap, outputs, config), kernel[tap].astype(x.dtype)
        terms = [
            lax.slice_in_dim(taken, c, c + 1, axis=-1) * channel_row(lax.index_in_dim(rows, c), taken)
            for c in range(x.shape[-1])
        ]
        return functools.reduce(lax.add, terms)

    return sum_over(kernel.shape[:-2], products).astype(kernel.dtype)
