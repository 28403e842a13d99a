"""`conv_general_dilated`, with the arguments of `jax.lax.conv_general_dilated` and the rule of `jaxcnn.conv`.

For code that calls lax: flax's `nn.Conv(conv_general_dilated=jaxcnn.conv_general_dilated)` is one line. The axes are
put in their places, batch groups become groups of features, and the convolution is that of `jaxcnn.ops.convolution`,
where its gradients are derived.

With b batch groups, example n of group j meets the output channels of group j only:

    y[n, o, c] = sum_{k, c'} lhs[j N / b + n, o * stride + k * dilation - low, c'] rhs[k, c', c],  j the group of c

which is a convolution with b feature groups of x[n, p, (j, c')] = lhs[j N / b + n, p, c'].
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.ops._dtypes import as_array, canonical_precision, canonical_preferred
from jaxcnn.ops._layout import Layout, conv_layout, permuted, transpose
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import ConvConfig
from jaxcnn.ops.convolution import conv_config, conv_rearranged

_WITH_RULE = tuple(map(jnp.dtype, (jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64)))


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Any,
    padding: Any,
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

    For code that calls lax; `conv` is the sibling with the arguments of flax. It takes what lax takes, gives what lax
    gives, and refuses what lax refuses, with lax's errors. Where there is no rule of ours, lax computes: integers,
    complex numbers and bools, no spatial axis, an empty axis or result, and out_sharding.

    Math:
      That of `conv`, x being lhs and kernel rhs. VJP: dlhs and drhs are its dx and dkernel.

    Args:
      lhs: one batch axis, one of the channels, and any number of spatial axes, in the order that dimension_numbers say.
      rhs: the kernel, in the dtype of lhs.
      window_strides: an int for each spatial axis.
      padding: "SAME", "SAME_LOWER", "VALID", or a (low, high) pair for each spatial axis; a negative one crops.
      lhs_dilation: as `input_dilation` of `conv`, an int for each spatial axis; None is 1.
      rhs_dilation: as `kernel_dilation` of `conv`, an int for each spatial axis; None is 1.
      dimension_numbers: three strings such as ("NHWC", "HWIO", "NHWC"), or a `jax.lax.ConvDimensionNumbers`; None is
        ("NCHW", "OIHW", "NCHW") for any number of spatial axes.
      feature_group_count: the number of groups that channels are split into.
      batch_group_count: the number of groups that examples and output channels are split into; one of both is 1.
      precision: as in `jax.lax`; it holds for both gradients too.
      preferred_element_type: the dtype to sum and return in; None is that of lhs.
      out_sharding: as in `jax.lax`.

    Returns:
      The result of `jax.lax.conv_general_dilated`, in its shape and dtype.

    Gradient:
      Linear in each operand, so there are no kinks. Integers have none.

    Raises:
      TypeError: a dtype or the form of an argument is none that lax takes.
      ValueError: shapes and arguments do not fit each other.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.conv_general_dilated(jnp.ones((1, 3, 8, 8)), jnp.ones((4, 3, 3, 3)), (2, 2), "SAME").shape)
      (1, 4, 4, 4)

    References:
      Dumoulin and Visin 2016, arXiv:1603.07285.
    """
    operands = (window_strides, padding, lhs_dilation, rhs_dilation, dimension_numbers)
    options = (feature_group_count, batch_group_count, precision, preferred_element_type)
    with_rule = None if out_sharding is not None else _canonical(lhs, rhs, *operands, *options)
    if with_rule is None:
        return lax.conv_general_dilated(lhs, rhs, *operands, *options, out_sharding)
    return _compiled(as_array(lhs), as_array(rhs), *with_rule)


def _canonical(lhs: Any, rhs: Any, *arguments: Any) -> tuple[ConvConfig, Layout, int] | None:
    """Return how `conv` computes what these arguments of lax say, and the batch groups; None where it cannot."""
    if not all(isinstance(x, jax.Array | np.ndarray) and x.dtype in _WITH_RULE and x.ndim > 2 for x in (lhs, rhs)):
        return None
    shapes = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in (lhs, rhs))
    if any(map(_is_empty, shapes)):
        return None
    given = tuple(map(_without_lists, arguments))
    try:
        hash(given)
    except TypeError:
        return None
    try:
        return _canonical_hashed(shapes, jnp.result_type(float), given)
    except Exception:  # lax refuses the arguments, whatever error it raises: it shall raise it again, for the caller
        return None


@functools.lru_cache(1024)
def _canonical_hashed(
    shapes: tuple[jax.ShapeDtypeStruct, ...], widest: Any, arguments: tuple[Any, ...]
) -> tuple[ConvConfig, Layout, int] | None:
    """Return what `_canonical` does, `widest` being the floating dtype that JAX is set to."""
    del widest  # for the cache
    program = jax.make_jaxpr(lambda lhs, rhs: lax.conv_general_dilated(lhs, rhs, *arguments))(*shapes)
    if len(program.eqns) != 1 or _is_empty(program.out_avals[0]):
        return None
    return _with_rule(shapes, program.eqns[0].params, arguments[-2])


def _is_empty(array: Any) -> bool:
    """Return whether an axis has no elements; a symbolic size has some."""
    return any(type(size) is int and size < 1 for size in array.shape)


def _without_lists(value: Any) -> Any:
    """Return an argument of lax, made of ints and words, in a form that can be hashed."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    return tuple(map(_without_lists, value)) if isinstance(value, list) or type(value) is tuple else value


def _with_rule(
    shapes: tuple[jax.ShapeDtypeStruct, ...], params: Mapping[str, Any], precision: Any
) -> tuple[ConvConfig, Layout, int] | None:
    """Return how `conv` computes an equation of lax; None where it refuses to."""
    lhs, rhs = shapes
    groups, batch_groups = params["feature_group_count"], params["batch_group_count"]
    layout = conv_layout(params["dimension_numbers"], len(lhs.shape), len(rhs.shape))
    batch, *spatial, channels = permuted(lhs.shape, layout.x)
    try:
        config = conv_config(
            (batch // batch_groups, *spatial, channels * batch_groups),
            permuted(rhs.shape, layout.kernel),
            strides=params["window_strides"],
            padding=params["padding"],
            input_dilation=params["lhs_dilation"],
            kernel_dilation=params["rhs_dilation"],
            feature_group_count=groups * batch_groups,
            precision=canonical_precision(precision),
            preferred_element_type=canonical_preferred(params["preferred_element_type"], lhs.dtype),
        )
    except (TypeError, ValueError):
        return None
    return config, layout, batch_groups


def _conv_general_dilated(
    lhs: jax.Array, rhs: jax.Array, config: ConvConfig, layout: Layout, batch_groups: int
) -> jax.Array:
    if batch_groups > 1:
        lhs = _batch_groups_to_channels(transpose(lhs, layout.x), batch_groups)
        layout = layout._replace(x=tuple(range(lhs.ndim)))
    return conv_rearranged(lhs, rhs, None, config, layout, None)


def _batch_groups_to_channels(x: jax.Array, groups: int) -> jax.Array:
    """Return `[N / groups, *spatial, groups * C]` of `[N, *spatial, C]`."""
    split = x.reshape(groups, x.shape[0] // groups, *x.shape[1:])
    moved = split.transpose(*range(1, split.ndim - 1), 0, split.ndim - 1)
    return moved.reshape(*moved.shape[:-2], groups * x.shape[-1])


_compiled = compiled(_conv_general_dilated, "conv_general_dilated", static_argnums=(2, 3, 4))
