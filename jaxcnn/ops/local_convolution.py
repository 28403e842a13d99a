"""Locally connected layers: a convolution whose every output position has a kernel of its own.

With P[n, o, k, c'] = x[n, o * stride + k * kernel_dilation - low, c'], the patch that position o reads (0 in the
padding),

    y[n, o, c] = sum_{k, c'} P[n, o, k, c'] kernel[o, k, c', c]

Derivation. For each o this is a dense layer of its own, so with g = dL/dy

    dP[n, o, k, c']      = sum_c g[n, o, c] kernel[o, k, c', c]
    dkernel[o, k, c', c] = sum_n P[n, o, k, c'] g[n, o, c]

and dx[n, p, c'] is the sum of dP[n, o, k, c'] over all o and k that read p: every tap's part is put back to where the
tap reads.

Residuals: x and kernel, the two operands, which exist anyway; the patches are taken again.

References: LeCun 1989, "Generalization and network design strategies" (weight sharing and its absence); Taigman et al.
2014, "DeepFace".
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._mesh import product_sharding, reshape
from jaxcnn.algorithms._taps import put_all, take_all
from jaxcnn.ops._dtypes import accumulation_dtype, as_floating, canonical_precision, require_same_dtype, widen
from jaxcnn.ops._rule import compiled, merge_batch, split_batch
from jaxcnn.ops._window import ConvConfig, Ints, PaddingLike, continuation, conv_output_size, is_empty
from jaxcnn.ops.convolution import continued, conv_config
from jaxcnn.ops.linear import bias_add


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
    """Convolve with a kernel of its own at every output position.

    Where weights should not be shared between positions, as in aligned faces; `conv` is the sibling that shares them.

    Math:
      y[n, o, c] = sum_{k, c'} x[n, o * strides + k * kernel_dilation - low, c'] kernel[o, k, c', c] + bias.
      VJP: dkernel[o] = (patches at o)^T g[:, o], and dx collects g[:, o] kernel[o]^T where the patches were read.

    Args:
      x: `[*batch, *spatial, C_in]`, floating, with any number of leading batch axes, none included.
      kernel: `[*spatial_out, *window, C_in, C_out]`, in the dtype of x; its rank gives the spatial rank.
      bias: `[*spatial_out, C_out]`, one for each position, or `[C_out]`, or None; in the dtype of x.
      strides: an int, or one for each spatial axis.
      padding: as in `conv`.
      kernel_dilation: the distance between the elements that one window reads.
      precision: as in `jax.lax`; it holds for both gradients too.

    Returns:
      `[*batch, *spatial_out, C_out]`, of the size that `conv` gives.

    Gradient:
      Linear in each operand, so there are no kinks.

    Raises:
      TypeError: a dtype is not floating, or differs.
      ValueError: shapes and arguments do not fit each other.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> kernel = jnp.array([[1.0, 10.0], [1.0, 10.0]]).reshape(2, 2, 1, 1)
      >>> print(jaxcnn.conv_local(jnp.array([[1.0], [2.0], [3.0]]), kernel, padding="VALID").ravel())
      [21. 32.]

    References:
      Taigman et al. 2014, "DeepFace: closing the gap to human-level performance in face verification".
    """
    x, kernel = as_floating("x", x), as_floating("kernel", kernel)
    require_same_dtype("kernel", kernel, "x", x)
    rank, odd = divmod(kernel.ndim - 2, 2)
    if rank < 1 or odd:
        raise ValueError(f"kernel shape (={kernel.shape}) must be [*spatial_out, *window, C_in, C_out]")
    if is_empty(x.shape[-rank - 1 :]):
        raise ValueError(f"x shape (={x.shape}) must have no empty axis but batch")
    config = conv_config(
        x.shape,
        kernel.shape[rank:],
        strides=strides,
        padding=padding,
        input_dilation=1,
        kernel_dilation=kernel_dilation,
        feature_group_count=1,
        precision=canonical_precision(precision),
        preferred_element_type=None,
    )
    outputs = conv_output_size(x.shape[-rank - 1 : -1], kernel.shape[rank : 2 * rank], config)
    if kernel.shape[:rank] != outputs:
        raise ValueError(f"kernel shape (={kernel.shape}) must begin with the size of the output (={outputs})")
    x, config = continued(x, config, continuation(padding))
    y = split_batch(_compiled_conv_local(merge_batch(x, rank + 1), kernel, config), x, rank + 1)
    if bias is None or jnp.ndim(bias) <= 1:
        return y if bias is None else bias_add(y, bias)
    if jnp.shape(bias) != (*outputs, kernel.shape[-1]):
        raise ValueError(
            f"bias shape (={jnp.shape(bias)}) must be [*spatial_out, C_out] (={(*outputs, kernel.shape[-1])})"
        )
    batch = y.shape[: -rank - 1]
    flat = reshape(y, (*batch, math.prod(y.shape[-rank - 1 :])))
    return reshape(bias_add(flat, as_floating("bias", bias).reshape(-1)), y.shape)


def _patches(x: jax.Array, outputs: Ints, window: Ints, config: ConvConfig) -> jax.Array:
    """Return `[N, positions, taps * C_in]`."""
    taken = take_all(x, window, outputs, config)
    return reshape(taken, (x.shape[0], math.prod(outputs), math.prod(window) * x.shape[-1]))


def _split(kernel: jax.Array) -> tuple[Ints, Ints, jax.Array]:
    """Return the sizes of output and window, and the kernel as `[positions, taps * C_in, C_out]`."""
    rank = (kernel.ndim - 2) // 2
    outputs, window = kernel.shape[:rank], kernel.shape[rank : 2 * rank]
    return outputs, window, kernel.reshape(math.prod(outputs), -1, kernel.shape[-1])


def _product(a: jax.Array, b: jax.Array, dimensions: Any, config: ConvConfig) -> jax.Array:
    """Return a batch of products over positions, summed in float32 or wider."""
    wide = accumulation_dtype(a.dtype)
    split = product_sharding(a, b, dimensions)
    summed = lax.dot_general(
        a, b, dimensions, precision=config.precision, preferred_element_type=wide, out_sharding=split
    )
    return summed.astype(a.dtype)


def _conv_local_impl(x: jax.Array, kernel: jax.Array, config: ConvConfig) -> jax.Array:
    outputs, window, matrices = _split(kernel)
    y = _product(_patches(x, outputs, window, config), matrices, (((2,), (1,)), ((1,), (0,))), config)
    return reshape(y.swapaxes(0, 1), (x.shape[0], *outputs, kernel.shape[-1]))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv_local(x: jax.Array, kernel: jax.Array, config: ConvConfig) -> jax.Array:
    return _conv_local_impl(x, kernel, config)


def _conv_local_fwd(
    x: jax.Array, kernel: jax.Array, config: ConvConfig
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # x, for dkernel: the input itself. kernel, for dx: the parameter itself.
    return _conv_local_impl(x, kernel, config), (x, kernel)


def _conv_local_bwd(
    config: ConvConfig, residuals: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    outputs, window, matrices = _split(kernel)
    rows = reshape(g, (g.shape[0], math.prod(outputs), g.shape[-1]))
    dkernel = _product(_patches(x, outputs, window, config), rows, (((0,), (0,)), ((1,), (1,))), config)
    dpatches = _product(widen(rows), widen(matrices), (((2,), (2,)), ((1,), (0,))), config)
    split = reshape(dpatches.swapaxes(0, 1), (x.shape[0], *outputs, math.prod(window), x.shape[-1]))
    return put_all(split, window, x.shape[1:-1], config).astype(x.dtype), dkernel.reshape(kernel.shape)


_conv_local.defvjp(_conv_local_fwd, _conv_local_bwd)
_compiled_conv_local = compiled(_conv_local, "conv_local", static_argnums=(2,))
