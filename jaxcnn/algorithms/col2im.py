"""The gradient of a convolution of few channels with respect to its input, by columns.

All taps of every window at once are one matrix product, with the few input channels beside the taps,

    columns[t, c', n, o] = sum_c kernel[t, c', c] g[n, o, c]

and dx[n, :, c'] is the sum over t of put_t(columns[t, c']), which sets each element to where tap t reads (Caffe's
col2im, with the images last so that every row of the columns is contiguous). For one or three input channels a
library convolution fills a fraction of its registers. Images that are smaller than the window have none of their own in
XLA's CPU compiler (see `columns`). Taps that read padding only are left out.

Cost: N * O * K * C_in * C_out multiplications and additions, then K additions an element of x; the columns are
temporaries, K times the size of x.

References: Jia et al. 2014, "Caffe: convolutional architecture for fast feature embedding", arXiv:1408.5093.
"""

import functools
import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._mesh import reshape
from jaxcnn.algorithms._products import product
from jaxcnn.algorithms._taps import MOST_TAPS, between, put, put_all, reading, taps_of
from jaxcnn.ops._dtypes import widen

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether there is one group."""
    del kernel_shape
    return config.feature_group_count == 1


def dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of x `[N, *input_size, C_in]` for g `[N, *spatial_out, C_out]`."""
    first, end, config = reading(kernel.shape[:-2], input_size, g.shape[1:-1], config)
    kernel, c_out = between(kernel, first, end), g.shape[-1]
    rows = product(widen(reshape(g, (-1, c_out))), 1, widen(kernel.reshape(-1, c_out)), 1, config.precision)
    if math.prod(kernel.shape[:-2]) > MOST_TAPS:
        taps = reshape(rows, (*g.shape[:-1], math.prod(kernel.shape[:-2]), kernel.shape[-2]))
        return put_all(taps, kernel.shape[:-2], input_size, config).astype(g.dtype)
    columns = reshape(rows.T, (*kernel.shape[:-1], *g.shape[:-1]))  # [*window, C_in, N, *outputs]
    sums = [put(columns[t], t, input_size, config, first_axis=2) for t in taps_of(kernel.shape[:-2])]
    return jnp.moveaxis(functools.reduce(lax.add, sums), 0, -1).astype(g.dtype)
