"""Convolution of few input channels with a small window: a sum of outer products, one for each number a window reads.

With t for a tap and c' for an input channel,

    y[n, o, c] = sum_{t, c'} x[n, o * stride + t * kernel_dilation - low, c'] kernel[t, c', c]

is for every t and c' one number of x a position times one row of the kernel. No product is written to memory: forward
is one loop over y in which all terms of an element are added. The terms of one line of the window are added first and
then the lines, so that no addition has to wait for all before it.

Cost: N * O * K * C_in * C_out multiplications and additions; the one temporary is x with its padding. A matrix product
would collect K * C_in numbers for each position first, which costs more than multiplying them if they are few. XLA may
repeat the loop in what uses y rather than write y out.
"""

import functools
import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jaxcnn.algorithms._taps import padded, take, taps_of
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
    outputs = conv_output_size(x.shape[1:-1], kernel.shape[:-2], config)
    x, config = padded(x.astype(accumulation_dtype(x.dtype)), config)

    def term(tap: "Ints", c: int) -> jax.Array:
        taken = take(x, tap, outputs, config)
        return taken[..., c : c + 1] * channel_row(kernel[(*tap, c)].astype(x.dtype), taken)

    lines = [
        _total([term((*line, last), c) for last in range(kernel.shape[-3]) for c in range(kernel.shape[-2])])
        for line in taps_of(kernel.shape[:-3])
    ]
    return _total(lines).astype(kernel.dtype)


def _total(terms: list[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.add, terms)
