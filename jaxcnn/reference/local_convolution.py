"""A convolution without shared weights, by patches and einsum, differentiated by JAX."""

import math
import string
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._dtypes import accumulation_dtype
from jaxcnn.ops._rule import merge_batch, split_batch
from jaxcnn.ops._window import PaddingLike, canonical_ints, canonical_padding, continuation, dilated_size
from jaxcnn.reference.padding import pad


def conv_local(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Any = 1,
    padding: PaddingLike = "SAME",
    kernel_dilation: Any = 1,
    precision: Any = None,
) -> jax.Array:
    """Convolve with a kernel of its own at every position; the autodiff twin of `jaxcnn.conv_local`."""
    rank = (kernel.ndim - 2) // 2
    outputs, window, (c_in, c_out) = kernel.shape[:rank], kernel.shape[rank : 2 * rank], kernel.shape[-2:]
    strides = canonical_ints("strides", strides, rank)
    dilation = canonical_ints("kernel_dilation", kernel_dilation, rank)
    sizes, extents = x.shape[-rank - 1 : -1], tuple(map(dilated_size, window, dilation))
    pairs = canonical_padding(padding, sizes, extents, strides, continued=True)
    mode = continuation(padding)
    if mode is not None:
        x, pairs = pad(x, pairs, mode), ((0, 0),) * rank
    letters = string.digits[:rank]
    numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    flat, wide = merge_batch(x, rank + 1), accumulation_dtype(x.dtype)
    patches = lax.conv_general_dilated_patches(
        flat, window, strides, pairs, rhs_dilation=dilation, dimension_numbers=numbers, precision=lax.Precision.HIGHEST
    )  # channels, and the taps within them
    taps = math.prod(window)
    patches = patches.reshape(flat.shape[0], math.prod(outputs), c_in, taps)
    matrices = kernel.reshape(math.prod(outputs), taps, c_in, c_out)
    y = jnp.einsum("npck,pkco->npo", patches, matrices, precision=precision, preferred_element_type=wide)
    y = split_batch(y.reshape(flat.shape[0], *outputs, c_out).astype(x.dtype), x, rank + 1)
    return y if bias is None else y + jnp.broadcast_to(bias, y.shape)
