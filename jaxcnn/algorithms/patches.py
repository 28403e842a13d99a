"""Both gradients of a convolution whose windows lie side by side (stride = kernel, as in patch embeddings).

The padded x is cut into its windows, x[n, o, k, c'] = x[n, o * K + k - low, c']: no element is in two of them, so

    dx[n, o, k, c']  = sum_c g[n, o, c] kernel[k, c', c]
    dkernel[k, c', c] = sum_{n, o} x[n, o, k, c'] g[n, o, c]

are one matrix product each, with an interchange of axes after or before it. lax computes dx as a convolution of g
dilated by K with a window of K: it multiplies K - 1 zeros for each number that counts, along every axis.

Cost: N * O * K * C_in * C_out multiplications and additions; one copy of x as a temporary.
"""

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._mesh import reshape
from jaxcnn.algorithms._products import product

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether windows touch and do not overlap, in one group."""
    ones = (1,) * len(config.strides)
    side_by_side = config.strides == kernel_shape[:-2] and config.kernel_dilation == ones
    return side_by_side and config.input_dilation == ones and config.feature_group_count == 1


def dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of x `[N, *input_size, C_in]` for g `[N, *spatial_out, C_out]`."""
    rank = len(input_size)
    windows = product(g, rank + 1, kernel, rank + 1, config.precision)  # [N, *outputs, *window, C_in]
    order = [axis for a in range(rank) for axis in (1 + a, 1 + rank + a)]
    covered = [o * k for o, k in zip(g.shape[1:-1], kernel.shape[:-2], strict=True)]
    x = reshape(windows.transpose(0, *order, 2 * rank + 1), (g.shape[0], *covered, kernel.shape[-2]))
    widths = [
        (-low, size + low - extent, 0)
        for (low, _), size, extent in zip(config.padding, input_size, covered, strict=True)
    ]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *widths, (0, 0, 0)])


def dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of the kernel `[*kernel_size, C_in, C_out]`."""
    rank, outputs = len(kernel_size), g.shape[1:-1]
    widths = [
        (low, o * k - low - size, 0)
        for (low, _), o, k, size in zip(config.padding, outputs, kernel_size, x.shape[1:-1], strict=True)
    ]
    covered = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *widths, (0, 0, 0)])
    split = [size for pair in zip(outputs, kernel_size, strict=True) for size in pair]
    windows = reshape(covered, (x.shape[0], *split, x.shape[-1]))
    positions = range(rank + 1)
    return product(windows, (0, *range(1, 2 * rank, 2)), g, positions, config.precision)
