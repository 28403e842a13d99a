"""Transposed convolution: the map that enlarges as a strided convolution reduces.

With low elements of padding before the dilated input, for every output position o and channel c (one index a spatial
axis; c' runs over the input channels of the group of c):

    y[n, o, c] = sum of x[n, i, c'] kernel[k, c', c] over i, k, c' with i * stride = o + k * kernel_dilation - low

so each element of x adds its kernel, turned, to the output. Read by outputs it is a convolution of x with stride - 1
zeros between its elements, and its two gradients are those of `jaxcnn.ops.convolution`: dx is a strided convolution of
g, and dkernel the products of x and g tap by tap.

Padding. A convolution of an array of O elements gives I = (O + low + high - K_eff) // stride + 1; this layer goes back
from I to O, and pads the dilated input by K_eff - 1 - low before it and O - I_dil + low behind it, so that it is the
adjoint of that convolution (with `transpose_kernel`, exactly so). "SAME" takes O = I * stride, "VALID" takes
O = (I - 1) * stride + max(K_eff, stride); other O with the same I can be asked for.

References: Zeiler et al. 2010, "Deconvolutional networks"; Dumoulin and Visin 2016, "A guide to convolution arithmetic
for deep learning", arXiv:1603.07285.
"""

from typing import Any

import jax

from jaxcnn.algorithms._sizes import require_static
from jaxcnn.ops._dtypes import as_floating
from jaxcnn.ops._layout import conv_layout, transpose
from jaxcnn.ops._window import (
    Ints,
    PaddingLike,
    Pairs,
    canonical_int,
    canonical_ints,
    canonical_padding,
    dilated_size,
    is_empty,
)
from jaxcnn.ops.convolution import conv


def conv_transpose(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Any = 1,
    padding: PaddingLike = "SAME",
    kernel_dilation: Any = 1,
    feature_group_count: int = 1,
    output_padding: Any = 0,
    output_shape: Any = None,
    transpose_kernel: bool = False,
    dimension_numbers: Any = None,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """Enlarge x by a transposed convolution, and add a bias.

    `conv` is the sibling that reduces; with `transpose_kernel` this is the adjoint of it.

    Math:
      y[n, o, c] = sum_{k, c'} X[n, o + k * kernel_dilation - low, c'] kernel[k, c', c] + bias[c], X being x with
      strides - 1 zeros between its elements. VJP: dx is the convolution of g, with these strides, with the kernel
      turned and its channels swapped; dkernel the products of X and g tap by tap; dbias the sum of g over all but
      channels.

    Args:
      x: `[*batch, *spatial, C_in]`, floating, with any number of leading batch axes, none included.
      kernel: `[*window, C_in / feature_group_count, C_out]`, in the dtype of x; with transpose_kernel that of the
        convolution whose adjoint this is, `[*window, C_out / feature_group_count, C_in]`.
      bias: `[C_out]` or None, in the dtype of x or of the output.
      strides: an int, or one for each spatial axis: how far apart the elements of x are set.
      padding: "SAME" or "VALID", as above; or an int, ints or (low, high) pairs, which pad (a negative one crops) the
        dilated input, as in flax and lax. Padding p of torch is K_eff - 1 - p here.
      kernel_dilation: the distance between the elements of a window.
      feature_group_count: the number of groups that channels are split into.
      output_padding: how many elements more to compute behind the last, at least 0; an int, or one for each axis.
      output_shape: the spatial size to return, for "SAME" and "VALID" only; a convolution must bring it back to that of
        x. Not together with output_padding.
      transpose_kernel: whether to turn the kernel by 180 degrees and swap its channels first, as torch and keras do.
      dimension_numbers: where the axes of x, kernel and result stand, as in `conv`, with one batch axis; None is as
        written here.
      precision: as in `jax.lax`; it holds for both gradients too.
      preferred_element_type: the dtype to sum and return in; None is that of x.

    Returns:
      `[*batch, *spatial_out, C_out]`: I * strides for "SAME", (I - 1) * strides + max(K_eff, strides) for "VALID",
      I_dil + low + high - K_eff + 1 for pairs, I_dil = (I - 1) * strides + 1; plus output_padding.

    Gradient:
      Linear in each operand, so there are no kinks.

    Raises:
      TypeError: a dtype is not floating, differs, or narrows.
      ValueError: shapes and arguments do not fit each other.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.conv_transpose(jnp.array([[1.0], [3.0]]), jnp.ones((2, 1, 1)), strides=2).ravel())
      [1. 1. 3. 3.]

    References:
      Zeiler et al. 2010; Dumoulin and Visin 2016, arXiv:1603.07285.
    """
    x, kernel = as_floating("x", x), as_floating("kernel", kernel)
    if not isinstance(transpose_kernel, bool):
        raise TypeError(f"transpose_kernel (={transpose_kernel!r}) must be a static bool")
    layout = None if dimension_numbers is None else conv_layout(dimension_numbers, x.ndim, kernel.ndim)
    shown = x.shape, kernel.shape
    if layout is not None:
        x, kernel = transpose(x, layout.x), transpose(kernel, layout.kernel)
    strides, kernel_dilation, pairs = transposed_padding(
        x.shape, kernel.shape, strides, padding, kernel_dilation, output_padding, output_shape, shown
    )
    y = conv(
        x,
        turned_kernel(kernel, feature_group_count) if transpose_kernel else kernel,
        bias,
        padding=pairs,
        input_dilation=strides,
        kernel_dilation=kernel_dilation,
        feature_group_count=feature_group_count,
        precision=precision,
        preferred_element_type=preferred_element_type,
    )
    return y if layout is None else transpose(y, layout.y)


def transposed_padding(
    x_shape: Ints,
    kernel_shape: Ints,
    strides: Any,
    padding: PaddingLike,
    kernel_dilation: Any,
    output_padding: Any,
    output_shape: Any,
    shown: tuple[Ints, Ints] | None = None,
) -> tuple[Ints, Ints, Pairs]:
    """Return strides, kernel dilation and the padding of the dilated input, one entry a spatial axis.

    `shown` are the shapes for errors, where the user's differ.

    Raises:
      TypeError: an argument has the wrong type.
      ValueError: shapes and arguments do not fit each other.
    """
    rank = len(kernel_shape) - 2
    if rank < 1 or len(x_shape) < rank + 1:
        raise ValueError(
            f"kernel shape (={kernel_shape}) must be [*window, C_in / groups, C_out] for x of shape {x_shape}"
        )
    require_static("x", x_shape, range(-rank - 1, 0))
    if is_empty((*kernel_shape, x_shape[-1])):
        x_shape, kernel_shape = shown or (x_shape, kernel_shape)
        raise ValueError(
            f"x shape (={x_shape}) and kernel shape (={kernel_shape}) must have no empty axis but batch and the "
            "positions of x"
        )
    strides = canonical_ints("strides", strides, rank)
    kernel_dilation = canonical_ints("kernel_dilation", kernel_dilation, rank)
    extra = canonical_ints("output_padding", output_padding, rank, minimum=0)
    sizes = x_shape[-rank - 1 : -1]
    windows = tuple(map(dilated_size, kernel_shape[:-2], kernel_dilation))
    if output_shape is not None and (max(extra) > 0 or not isinstance(padding, str)):
        raise ValueError(
            f'output_shape (={output_shape!r}) must be None unless padding (={padding!r}) is "SAME" or "VALID" '
            f"and output_padding (={output_padding!r}) is 0"
        )
    if isinstance(padding, str):
        pairs = _adjoint_padding(padding.upper(), sizes, windows, strides, output_shape)
    else:
        spread = tuple(map(dilated_size, sizes, strides))
        pairs = canonical_padding(padding, spread, windows, (1,) * rank, may_be_empty=True)
    padded = tuple((low, high + more) for (low, high), more in zip(pairs, extra, strict=True))
    return strides, kernel_dilation, padded


def _adjoint_padding(name: str, sizes: Ints, windows: Ints, strides: Ints, output_shape: Any) -> Pairs:
    """Return the padding of the dilated input that makes the layer the adjoint of a "SAME" or "VALID" convolution."""
    if name not in ("SAME", "VALID"):
        raise ValueError(f'padding (={name!r}) must be "SAME", "VALID", an int, ints or pairs')
    if output_shape is None:
        outputs = tuple(
            size * stride + (max(window - stride, 0) if name == "VALID" and not is_empty((size,)) else 0)
            for size, window, stride in zip(sizes, windows, strides, strict=True)
        )
    else:
        outputs = canonical_ints("output_shape", output_shape, len(sizes))
    forward = canonical_padding(name, outputs, windows, strides, may_be_empty=True)
    pairs = []
    for output, (low, high), size, window, stride in zip(outputs, forward, sizes, windows, strides, strict=True):
        if is_empty((size,)) and is_empty((output,)):
            pairs.append((0, 0))
            continue
        if (output + low + high - window) // stride + 1 != size:
            raise ValueError(
                f"output_shape (={output_shape!r}) must be one that a {name} convolution brings back to {sizes}"
            )
        pairs.append((window - 1 - low, output - dilated_size(size, stride) + low))
    return tuple(pairs)


def turned_kernel(kernel: jax.Array, groups: Any) -> jax.Array:
    """Return the kernel `[*window, C_out / groups, C_in]` turned, and its channels swapped within each group."""
    groups = canonical_int("feature_group_count", groups)
    *window, c_out, c_in = kernel.shape
    if c_in % groups:
        raise ValueError(f"feature_group_count (={groups}) must divide the input channels (={c_in})")
    rank = len(window)
    turned = jax.lax.rev(kernel, range(rank)).reshape(*window, c_out, groups, c_in // groups)
    swapped = turned.transpose(*range(rank), rank + 2, rank + 1, rank)
    return swapped.reshape(*window, c_in // groups, groups * c_out)
