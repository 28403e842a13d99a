"""The kernel gradient of a convolution with a dilated input (a transposed convolution), from the side of the input.

Every element of x meets tap t at one output, o = p * input_dilation + low - t * kernel_dilation. So instead of moving
along the dilated input, most of which is zeros, each tap collects the g that the elements of x meet:

    dkernel[t, c', c] = sum_{n, p} x[n, p, c'] g[n, p * input_dilation + low - t * kernel_dilation, c]

which is one matrix product of x with the strided slices of g, side by side.

Cost: N * I * K * C_in * C_out multiplications and additions, where lax does input_dilation times as many along each
axis; the slices are temporaries, K * I / O times the size of g.
"""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jaxcnn.algorithms._products import product
from jaxcnn.algorithms._taps import take_all

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether every element of x meets every tap at most once: there are no strides, in one group."""
    del kernel_shape
    return set(config.strides) == {1} and config.feature_group_count == 1


def dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of the kernel `[*kernel_size, C_in, C_out]`."""
    rank = len(kernel_size)
    # g at p * input_dilation - t * kernel_dilation + low, in the terms of `take`: strides and dilations change places.
    seen_from_x = config._replace(
        strides=config.input_dilation,
        padding=tuple((-low, 0) for low, _ in config.padding),
        input_dilation=(1,) * rank,
        kernel_dilation=tuple(-d for d in config.kernel_dilation),
    )
    met = take_all(g, kernel_size, x.shape[1:-1], seen_from_x)
    positions = range(rank + 1)
    products = product(x, positions, met, positions, config.precision)  # [C_in, taps, C_out]
    return jnp.moveaxis(products, 0, 1).reshape(*kernel_size, x.shape[-1], g.shape[-1])
