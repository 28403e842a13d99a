"""Convolution in any number of spatial dimensions, strided, padded, dilated and grouped.

Forward, for every output position o and output channel c (one index a spatial axis; x is zero outside its bounds and
between the elements that input_dilation moves apart; c' runs over the input channels of the group of c):

    y[n, o, c] = sum_{k, c'} x[n, o * stride + k * kernel_dilation - low, c'] kernel[k, c', c] + bias[c]

Derivation. Let g[n, o, c] = dL/dy[n, o, c]. y is linear in each operand, so a cotangent collects every g whose sum
holds the element, times the other factor of that product:

    dx[n, p, c']      = sum_{o, k, c : o * stride + k * kernel_dilation - low = p} g[n, o, c] kernel[k, c', c]
    dkernel[k, c', c] = sum_{n, o} x[n, o * stride + k * kernel_dilation - low, c'] g[n, o, c]
    dbias[c]          = sum_{n, o} g[n, o, c]

In dx, k falls as o rises: it is again a convolution, of g with stride - 1 zeros between its elements, with the kernel
turned by 180 degrees and its channel axes swapped. In dkernel, k rises with the position in x: a convolution of x
with g in which batch and channels change roles, and nothing is turned. The rows of x that no window reached, where
the stride does not divide, get no gradient. The paddings of both follow in `jaxcnn.ops._window`.

Residuals: x and kernel, the two operands, which exist anyway; nothing is copied.

References: LeCun et al. 1998, "Gradient-based learning applied to document recognition"; Dumoulin and Visin 2016,
"A guide to convolution arithmetic for deep learning", arXiv:1603.07285.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.algorithms import choice
from jaxcnn.algorithms._sizes import require_static
from jaxcnn.ops._dtypes import as_floating, canonical_precision, canonical_preferred, require_same_dtype
from jaxcnn.ops._layout import Layout, conv_layout, permuted, transpose
from jaxcnn.ops._rule import compiled, merge_batch, split_batch
from jaxcnn.ops._window import (
    ConvConfig,
    Ints,
    PaddingLike,
    canonical_int,
    canonical_ints,
    canonical_padding,
    continuation,
    conv_output_size,
    dilated_size,
    is_empty,
)
from jaxcnn.ops.linear import bias_add
from jaxcnn.ops.padding import pad


def conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Any = 1,
    padding: PaddingLike = "SAME",
    input_dilation: Any = 1,
    kernel_dilation: Any = 1,
    feature_group_count: int = 1,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """Convolve x with a kernel in 1, 2, 3 or more spatial dimensions, and add a bias.

    The layer of choice for images; `dense` is the one for flat features, `conv_transpose` the one that enlarges, and
    `conv_general_dilated` has the arguments of `jax.lax`.

    Math:
      y[n, o, c] = sum_{k, c'} x[n, o * strides + k * kernel_dilation - low, c'] kernel[k, c', c] + bias[c].
      VJP: dx is the convolution of g, dilated by strides, with the kernel flipped and its channels swapped;
      dkernel is the convolution of x with g, dilated by strides; dbias is the sum of g over all but channels.

    Args:
      x: `[*batch, *spatial, C_in]`, floating, with any number of leading batch axes, none included; batch and spatial
        axes may be empty.
      kernel: `[*window, C_in / feature_group_count, C_out]`, in the dtype of x; its rank gives the spatial rank.
      bias: `[C_out]` or None, in the dtype of x or of the output.
      strides: an int, or one for each spatial axis; at least 1, as the dilations are.
      padding: "SAME", "SAME_LOWER", "VALID", "FULL", "CAUSAL", "REVERSE_CAUSAL", an int, or for each axis an int or a
        (low, high) pair; a negative one crops. It is counted on the dilated input. "CIRCULAR", "REFLECT" and
        "REPLICATE" continue x by `pad`, as far as "SAME" does at stride 1, and take no input_dilation.
      input_dilation: the distance at which the elements of x are set, with zeros between.
      kernel_dilation: the distance between the elements that one window reads.
      feature_group_count: the number of groups that channels are split into; C_in makes it depthwise.
      dimension_numbers: where the axes of x, kernel and result stand, as in `jax.lax`, such as
        ("NCHW", "OIHW", "NCHW"), with one batch axis; None is as written here.
      precision: as in `jax.lax`; it holds for both gradients too.
      preferred_element_type: the dtype to sum and return in; None is that of x (half precision still sums in
        float32).

    Returns:
      `[*batch, *spatial_out, C_out]` with spatial_out = (I_dil + low + high - K_eff) // strides + 1, where
      I_dil = (I - 1) * input_dilation + 1 and K_eff = (K - 1) * kernel_dilation + 1; "SAME" gives
      ceil(I_dil / strides).

    Gradient:
      Linear in each operand, so there are no kinks. Elements that no window reads have the gradient 0.

    Raises:
      TypeError: a dtype is not floating, differs, or narrows.
      ValueError: shapes, groups, strides, paddings or dilations do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> image = jnp.array([[1.0, 0.0], [1.0, 1.0]]).reshape(1, 2, 2, 1)
      >>> kernel = jnp.array([[1.0, -1.0], [1.0, -1.0]]).reshape(2, 2, 1, 1)
      >>> print(jaxcnn.conv(image, kernel, padding="VALID").item())
      1.0

    References:
      LeCun et al. 1998; Dumoulin and Visin 2016, arXiv:1603.07285.
    """
    x, kernel = as_floating("x", x), as_floating("kernel", kernel)
    require_same_dtype("kernel", kernel, "x", x)
    layout = None if dimension_numbers is None else conv_layout(dimension_numbers, x.ndim, kernel.ndim)
    config = conv_config(
        x.shape if layout is None else permuted(x.shape, layout.x),
        kernel.shape if layout is None else permuted(kernel.shape, layout.kernel),
        strides=strides,
        padding=padding,
        input_dilation=input_dilation,
        kernel_dilation=kernel_dilation,
        feature_group_count=feature_group_count,
        precision=canonical_precision(precision),
        preferred_element_type=canonical_preferred(preferred_element_type, x.dtype),
        shown=(x.shape, kernel.shape),
    )
    if bias is not None:
        bias = as_floating("bias", bias)
        channels = kernel.shape[-1 if layout is None else layout.kernel[-1]]
        if bias.shape != (channels,):
            raise ValueError(f"bias shape (={bias.shape}) must be [C] for {channels} output channels")
    mode = continuation(padding)
    if layout is not None or mode is not None or is_empty(x.shape[1 - kernel.ndim :]):
        return _compiled_rearranged(x, kernel, bias, config, layout, mode)
    y = _compiled_conv(merge_batch(x, kernel.ndim - 1), kernel, config)
    y = split_batch(y, x, kernel.ndim - 1)
    return y if bias is None else bias_add(y, bias)


def conv_config(
    x_shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    *,
    strides: Any,
    padding: PaddingLike,
    input_dilation: Any,
    kernel_dilation: Any,
    feature_group_count: int,
    precision: Any,
    preferred_element_type: Any,
    shown: tuple[Ints, Ints] | None = None,
) -> ConvConfig:
    """Return the canonical configuration of a convolution; `shown` are the shapes for errors, where the user's differ.

    Raises:
      TypeError: an argument has the wrong type.
      ValueError: shapes and arguments do not fit each other.
    """
    rank = len(kernel_shape) - 2
    if rank < 1:
        raise ValueError(f"kernel shape (={kernel_shape}) must be [*window, C_in / groups, C_out] with a spatial axis")
    if len(x_shape) < rank + 1:
        raise ValueError(f"x shape (={x_shape}) must end in {rank} spatial axes and the channels, as the kernel's")
    require_static("x", x_shape, range(-rank - 1, 0))
    require_static("kernel", kernel_shape, range(rank + 2))
    if is_empty((*kernel_shape, x_shape[-1])):
        x_shape, kernel_shape = shown or (x_shape, kernel_shape)
        raise ValueError(
            f"x shape (={x_shape}) and kernel shape (={kernel_shape}) must have no empty axis but batch and the "
            "positions of x"
        )
    groups = canonical_int("feature_group_count", feature_group_count)
    c_in, (c_kernel, c_out) = x_shape[-1], kernel_shape[-2:]
    if c_in % groups:
        raise ValueError(f"feature_group_count (={groups}) must divide the input channels (={c_in})")
    if c_out % groups:
        raise ValueError(f"feature_group_count (={groups}) must divide the output channels (={c_out})")
    if c_kernel * groups != c_in:
        raise ValueError(
            f"the kernel's input channels (={c_kernel}) times feature_group_count (={groups}) must equal "
            f"the channels of x (={c_in})"
        )
    strides = canonical_ints("strides", strides, rank)
    input_dilation = canonical_ints("input_dilation", input_dilation, rank)
    kernel_dilation = canonical_ints("kernel_dilation", kernel_dilation, rank)
    sizes = tuple(map(dilated_size, x_shape[-rank - 1 : -1], input_dilation))
    windows = tuple(map(dilated_size, kernel_shape[:-2], kernel_dilation))
    pairs = canonical_padding(padding, sizes, windows, strides, continued=True, may_be_empty=True)
    if continuation(padding) is not None and max(input_dilation) > 1:
        raise ValueError(f"input_dilation (={input_dilation}) must be 1 where padding (={padding!r}) continues x")
    return ConvConfig(strides, pairs, input_dilation, kernel_dilation, groups, precision, preferred_element_type)


def _conv_impl(x: jax.Array, kernel: jax.Array, config: ConvConfig) -> jax.Array:
    if config.preferred_element_type is not None:
        x, kernel = x.astype(config.preferred_element_type), kernel.astype(config.preferred_element_type)
    chosen = choice.choose("forward", config, x.shape, kernel.shape, x.dtype)
    return choice.run("forward", chosen, x, kernel, static=(config,))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _conv(x: jax.Array, kernel: jax.Array, config: ConvConfig) -> jax.Array:
    return _conv_impl(x, kernel, config)


def _conv_fwd(x: jax.Array, kernel: jax.Array, config: ConvConfig) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # x, for dkernel: the input itself. kernel, for dx: the parameter itself.
    return _conv_impl(x, kernel, config), (x, kernel)


def _conv_bwd(config: ConvConfig, residuals: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = residuals
    return _conv_dx(g, kernel, x, config), _conv_dkernel(x, g, kernel, config)


def _conv_dx(g: jax.Array, kernel: jax.Array, x: jax.Array, config: ConvConfig) -> jax.Array:
    """Return dx; of x only shape and dtype are used."""
    chosen = choice.choose("dx", config, x.shape, kernel.shape, g.dtype)
    dx = choice.run("dx", chosen, g, kernel.astype(g.dtype), static=(x.shape[1:-1], config))
    return dx.astype(x.dtype)


def _conv_dkernel(x: jax.Array, g: jax.Array, kernel: jax.Array, config: ConvConfig) -> jax.Array:
    """Return dkernel; of kernel only shape and dtype are used."""
    chosen = choice.choose("dkernel", config, x.shape, kernel.shape, g.dtype)
    dkernel = choice.run("dkernel", chosen, x.astype(g.dtype), g, static=(kernel.shape[:-2], config))
    return dkernel.astype(kernel.dtype)


_conv.defvjp(_conv_fwd, _conv_bwd)
_compiled_conv = compiled(_conv, "conv", static_argnums=(2,))


def continued(x: jax.Array, config: ConvConfig, mode: str | None) -> tuple[jax.Array, ConvConfig]:
    """Return x padded in a mode of `pad`, and the configuration without the padding; both unchanged without a mode."""
    if mode is None:
        return x, config
    return pad(x, config.padding, mode), config._replace(padding=((0, 0),) * len(config.padding))


def _of_nothing(x: jax.Array, kernel: jax.Array, config: ConvConfig) -> jax.Array:
    """Return the convolution of x without positions: no elements, or 0 where windows lie in the padding.

    All sums are empty, and so are those of both gradients: that of the kernel is 0.
    """
    spatial = range(x.ndim - kernel.ndim + 1, x.ndim - 1)
    sizes = conv_output_size(tuple(x.shape[axis] for axis in spatial), kernel.shape[:-2], config)
    y = jnp.sum(x, (*spatial, x.ndim - 1), keepdims=True).astype(config.preferred_element_type or x.dtype)
    return jnp.broadcast_to(y, (*x.shape[: spatial[0]], *(max(size, 0) for size in sizes), kernel.shape[-1]))


def conv_rearranged(
    x: jax.Array, kernel: jax.Array, bias: jax.Array | None, config: ConvConfig, layout: Layout | None, mode: str | None
) -> jax.Array:
    """Return the convolution of arrays whose axes stand elsewhere, likewise, or of x continued by a mode of `pad`."""
    if layout is not None:
        x, kernel = transpose(x, layout.x), transpose(kernel, layout.kernel)
    if is_empty(x.shape[1 - kernel.ndim :]):
        y = _of_nothing(x, kernel, config)
    else:
        x, config = continued(x, config, mode)
        result: Any = _conv(merge_batch(x, kernel.ndim - 1), kernel, config)
        y = split_batch(result, x, kernel.ndim - 1)
    y = y if bias is None else bias_add(y, bias)
    return y if layout is None else transpose(y, layout.y)


_compiled_rearranged = compiled(conv_rearranged, "conv", static_argnums=(3, 4, 5))
