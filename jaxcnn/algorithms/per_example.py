"""The kernel's gradient of every example apart, as `jax.vmap` of a gradient asks for it, for all examples at once.

With b for the example, s for the taps of all spatial axes but the last, t for those of the last one, and everything
else as in `direct`,

    q[b, n, p, (t, c')]       = x[b, n, p', c'], p' being what output p reads by tap t of the last axis
    dkernel[b, s, (t, c'), c] = sum_{n, o} q[b, n, o read by s, (t, c')] g[b, n, o, c]

a product of matrices for each s and b, of which the left one is a slice of q. JAX itself makes a convolution of as many
groups as there are examples of it.

Cost: B * N * O * K * C_in * C_out multiplications and additions, as the gradient of the whole batch; the temporary q
has as many elements as x times the taps of the last axis. ms of JAX, of this, and of the gradient of the batch: x
32,14,14,32, kernel 5x5 to 64: 22, 8, 5; x 32,16,16,64, kernel 3x3 to 64: 23, 9, 6; x 32,28,28,1, kernel 5x5 to 32: 4,
1, 0.6.
"""

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._taps import of_axes, take, taps_of
from jaxcnn.ops._dtypes import accumulation_dtype

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints


def accepts(config: "ConvConfig") -> bool:
    """Return whether all channels are in one group, and there are no zeros between the elements of x."""
    return config.feature_group_count == 1 and set(config.input_dilation) == {1}


def dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangents of a kernel `[B, *kernel_size, C_in, C_out]`.

    Args:
      x: `[B, N, *spatial, C_in]`, B examples, each of N images.
      g: `[B, N, *spatial_out, C_out]`.
      kernel_size: that of the window.
      config: of the convolution.
    """
    outputs, channels = g.shape[2:-1], (x.shape[-1], g.shape[-1])
    last, others = of_axes(config, slice(-1, None)), of_axes(config, slice(0, -1))
    taken = [take(x, tap, outputs[-1:], last, first_axis=x.ndim - 2) for tap in taps_of(kernel_size[-1:])]
    q = jnp.concatenate(taken, -1)
    rows = g.reshape(g.shape[0], math.prod(g.shape[1:-1]), channels[1])
    products = []
    for tap in taps_of(kernel_size[:-1]):
        columns = take(q, tap, outputs[:-1], others, first_axis=2).reshape(*rows.shape[:2], q.shape[-1])
        products.append(
            lax.dot_general(
                columns,
                rows,
                (((1,), (1,)), ((0,), (0,))),
                precision=config.precision,
                preferred_element_type=accumulation_dtype(g.dtype),
            ).astype(g.dtype)
        )
    return jnp.stack(products, 1).reshape(x.shape[0], *kernel_size, *channels)
