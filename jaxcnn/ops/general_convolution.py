"""`conv_general_dilated`, with the arguments of `jax.lax.conv_general_dilated` and the rule of `jaxcnn.conv`.

For code that calls lax: flax's `nn.Conv(conv_general_dilated=jaxcnn.conv_general_dilated)` is one line. The axes are
put in their places, batch groups become groups of features, and the convolution is that of `jaxcnn.ops.convolution`,
where its gradients are derived.

With b batch groups, example n of group j meets the output channels of group j only:

    y[n, o, c] = sum_{k, c'} lhs[j N / b + n, o * stride + k * dilation - low, c'] rhs[k, c', c],  j the group of c

which is a convolution with b feature groups of x[n, p, (j, c')] = lhs[j N / b + n, p, c'].
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._dtypes import as_numbers, canonical_precision, canonical_preferred, require_same_dtype
from jaxcnn.ops._layout import Layout, conv_layout, permuted, transpose
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import ConvConfig, PaddingLike, canonical_ints, continuation
from jaxcnn.ops.convolution import conv_config, conv_rearranged


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Any,
    padding: PaddingLike,
    lhs_dilation: Any = None,
    rhs_dilation: Any = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> jax.Array:
    """Convolve, with the arguments of `jax.lax.conv_general_dilated`.

    For code that calls lax; `conv` is the sibling with the arguments of flax.

    Math:
      That of `conv`, x being lhs and kernel rhs. VJP: dlhs and drhs are its dx and dkernel.

    Args:
      lhs: floating or integer, one batch axis, one of the channels, and at least one spatial axis, in the order that
        dimension_numbers say.
      rhs: the kernel, in the dtype of lhs.
      window_strides: an int, or one for each spatial axis.
      padding: "SAME", "SAME_LOWER", "VALID" or any other that `conv` takes, or (low, high) pairs.
      lhs_dilation: as `input_dilation` of `conv`; None is 1.
      rhs_dilation: as `kernel_dilation` of `conv`; None is 1.
      dimension_numbers: three strings such as ("NHWC", "HWIO", "NHWC"), or a `jax.lax.ConvDimensionNumbers`; None is
        ("NCHW", "OIHW", "NCHW") for any number of spatial axes.
      feature_group_count: the number of groups that channels are split into.
      batch_group_count: the number of groups that examples and output channels are split into; one of both is 1.
      precision: as in `jax.lax`; it holds for both gradients too.
      preferred_element_type: the dtype to sum and return in; None is that of lhs.
      out_sharding: None; under a mesh of explicit axes take `jax.lax`.

    Returns:
      The result, of the size that `conv` gives, with its axes where dimension_numbers say.

    Gradient:
      Linear in each operand, so there are no kinks. Integers have none, and are left to lax.

    Raises:
      TypeError: a dtype is neither floating nor an integer one, differs, or narrows, or dimension_numbers have the
        wrong form.
      ValueError: shapes and arguments do not fit each other.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.conv_general_dilated(jnp.ones((1, 3, 8, 8)), jnp.ones((4, 3, 3, 3)), (2, 2), "SAME").shape)
      (1, 4, 4, 4)

    References:
      Dumoulin and Visin 2016, arXiv:1603.07285.
    """
    lhs, rhs = as_numbers("lhs", lhs), as_numbers("rhs", rhs)
    require_same_dtype("rhs", rhs, "lhs", lhs)
    if out_sharding is not None:
        raise ValueError(f"out_sharding (={out_sharding!r}) must be None")
    layout = conv_layout(dimension_numbers, lhs.ndim, rhs.ndim)
    (batch_groups,) = canonical_ints("batch_group_count", batch_group_count, 1)
    (groups,) = canonical_ints("feature_group_count", feature_group_count, 1)
    if batch_groups > 1 and groups > 1:
        raise ValueError(f"one of batch_group_count (={batch_groups}) and feature_group_count (={groups}) must be 1")
    batch, *spatial, channels = permuted(lhs.shape, layout.x)
    if batch % batch_groups:
        raise ValueError(f"batch_group_count (={batch_groups}) must divide the examples of lhs (={batch})")
    kernel_shape = permuted(rhs.shape, layout.kernel)
    if kernel_shape[-1] % batch_groups:
        raise ValueError(f"batch_group_count (={batch_groups}) must divide the output channels (={kernel_shape[-1]})")
    config = conv_config(
        (batch // batch_groups, *spatial, channels * batch_groups),
        kernel_shape,
        strides=window_strides,
        padding=padding,
        input_dilation=1 if lhs_dilation is None else lhs_dilation,
        kernel_dilation=1 if rhs_dilation is None else rhs_dilation,
        feature_group_count=groups * batch_groups,
        precision=canonical_precision(precision),
        preferred_element_type=canonical_preferred(preferred_element_type, lhs.dtype),
    )
    mode = continuation(padding)
    if jnp.issubdtype(lhs.dtype, jnp.integer) and mode is None:
        dilations, counts = (config.input_dilation, config.kernel_dilation), (groups, batch_groups)
        return lax.conv_general_dilated(
            lhs, rhs, config.strides, config.padding, *dilations, dimension_numbers, *counts
        )
    return _compiled(lhs, rhs, config, layout, batch_groups, mode)


def _conv_general_dilated(
    lhs: jax.Array, rhs: jax.Array, config: ConvConfig, layout: Layout, batch_groups: int, mode: str | None
) -> jax.Array:
    if batch_groups > 1:
        lhs = _batch_groups_to_channels(transpose(lhs, layout.x), batch_groups)
        layout = layout._replace(x=tuple(range(lhs.ndim)))
    return conv_rearranged(lhs, rhs, None, config, layout, mode)


def _batch_groups_to_channels(x: jax.Array, groups: int) -> jax.Array:
    """Return `[N / groups, *spatial, groups * C]` of `[N, *spatial, C]`."""
    split = x.reshape(groups, x.shape[0] // groups, *x.shape[1:])
    moved = split.transpose(*range(1, split.ndim - 1), 0, split.ndim - 1)
    return moved.reshape(*moved.shape[:-2], groups * x.shape[-1])


_compiled = compiled(_conv_general_dilated, "conv_general_dilated", static_argnums=(2, 3, 4, 5))
