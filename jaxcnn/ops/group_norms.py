"""Normalisation of channels within an example, or within a kernel.

The rule is that of batch norm, `jaxcnn.ops.batch_norms`, where the derivation stands: only the set over which mean and
variance are taken differs. Group norm takes all positions of an example and the channels of a group; instance norm is
group norm with one channel a group; weight standardisation takes all of a kernel that makes one output channel.

References: Wu and He 2018, "Group normalization", arXiv:1803.08494; Ulyanov, Vedaldi and Lempitsky 2016, "Instance
normalization", arXiv:1607.08022; Qiao et al. 2019, "Weight standardization", arXiv:1903.10520.
"""

import math
from typing import Any

import jax

from jaxcnn.ops._axes import as_mask
from jaxcnn.ops._norm import all_but_last, canonical_arrays, canonical_epsilon
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._statistics import NormConfig
from jaxcnn.ops._window import canonical_int
from jaxcnn.ops.batch_norms import normalize_channels


def group_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    num_groups: int = 32,
    spatial_rank: int | None = None,
    where: jax.Array | None = None,
    epsilon: float = 1e-6,
) -> jax.Array:
    """Normalise every group of channels of an example over its positions.

    `batch_norm` is the sibling for large batches; `instance_norm` has one channel a group.

    Math:
      y = (x - mean) / sqrt(var + epsilon) * scale + bias, mean and var over positions and the channels of a group.
      VJP: dx = r (u - mean(u) - (x - mean) r^2 mean(u (x - mean))), with u = g scale, r = 1 / sqrt(var + epsilon);
      dscale = sum of g (x - mean) r, dbias = sum of g, over all but the channels.

    Args:
      x: `[*batch, *spatial, C]`, floating.
      scale: `[C]` or None for ones, in the dtype of x or a narrower one.
      bias: `[C]` or None for zeros, in the dtype of x or a narrower one.
      num_groups: into how many groups of neighbours the channels are split; it divides C.
      spatial_rank: the number of spatial axes; None takes all but the first axis, the batch, and the channels.
      where: bool, broadcastable to x: which elements the statistics are of; None is all.
      epsilon: a positive Python number; it is static.

    Returns:
      An array of the shape and dtype of x. Elements outside `where` are normalised by the statistics of the others, as
      in flax; where there are no others, mean and variance are 0.

    Gradient:
      Smooth.

    Raises:
      TypeError: a dtype is not floating, or scale or bias is wider than x, or where is not bool.
      ValueError: the shapes do not fit, num_groups does not divide the channels, or a group is one element.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.group_norm(jnp.array([[1.0, 3.0, 5.0, 9.0]]), num_groups=2, epsilon=1e-9))
      [[-1.  1. -1.  1.]]

    References:
      Wu and He 2018, arXiv:1803.08494.
    """
    x, scale, bias = canonical_arrays(x, ("scale", scale, 1.0), ("bias", bias, 0.0))
    groups = canonical_int("num_groups", num_groups)
    if x.shape[-1] % groups:
        raise ValueError(f"num_groups (={groups}) must divide the channels of x (={x.shape[-1]})")
    config = NormConfig(_spatial_axes(x, spatial_rank, 0), groups, canonical_epsilon(epsilon, x.dtype))
    _require_elements(x, config)
    return _compiled_group_norm(x, scale, bias, as_mask(where, x.shape), config)


def instance_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    spatial_rank: int | None = None,
    where: jax.Array | None = None,
    epsilon: float = 1e-6,
) -> jax.Array:
    """Normalise every channel of an example over its positions.

    `group_norm` is the sibling that takes several channels together.

    Math:
      y = (x - mean) / sqrt(var + epsilon) * scale + bias, mean and var over the positions.
      VJP: dx = r (u - mean(u) - (x - mean) r^2 mean(u (x - mean))), with u = g scale, r = 1 / sqrt(var + epsilon);
      dscale = sum of g (x - mean) r, dbias = sum of g, over all but the channels.

    Args:
      x: `[*batch, *spatial, C]`, floating.
      scale: `[C]` or None for ones, in the dtype of x or a narrower one.
      bias: `[C]` or None for zeros, in the dtype of x or a narrower one.
      spatial_rank: the number of spatial axes; None takes all but the first axis, the batch, and the channels.
      where: bool, broadcastable to x: which elements the statistics are of; None is all.
      epsilon: a positive Python number; it is static.

    Returns:
      An array of the shape and dtype of x. Elements outside `where` are normalised by the statistics of the others, as
      in flax; where there are no others, mean and variance are 0.

    Gradient:
      Smooth.

    Raises:
      TypeError: a dtype is not floating, or scale or bias is wider than x, or where is not bool.
      ValueError: the shapes do not fit, x has no spatial axis, or a single position.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.instance_norm(jnp.array([[[1.0], [3.0]]]), epsilon=1e-9).ravel())
      [-1.  1.]

    References:
      Ulyanov, Vedaldi and Lempitsky 2016, arXiv:1607.08022.
    """
    x, scale, bias = canonical_arrays(x, ("scale", scale, 1.0), ("bias", bias, 0.0))
    config = NormConfig(_spatial_axes(x, spatial_rank, 1), x.shape[-1], canonical_epsilon(epsilon, x.dtype))
    _require_elements(x, config)
    return _compiled_instance_norm(x, scale, bias, as_mask(where, x.shape), config)


def weight_standardization(kernel: jax.Array, scale: jax.Array | None = None, *, epsilon: float = 1e-5) -> jax.Array:
    """Normalise all weights that make one output channel.

    For the kernel of a convolution or a dense layer, before it is applied, where `group_norm` follows.

    Math:
      y = (kernel - mean) / sqrt(var + epsilon) * scale, mean and var over all axes but the last.
      VJP: dkernel = r (u - mean(u) - (kernel - mean) r^2 mean(u (kernel - mean))), with u = g scale,
      r = 1 / sqrt(var + epsilon); dscale = sum of g (kernel - mean) r.

    Args:
      kernel: `[*window, C_in / groups, C_out]`, floating.
      scale: `[C_out]`, the gain, or None for ones, in the dtype of the kernel or a narrower one.
      epsilon: a positive Python number; it is static.

    Returns:
      An array of the shape and dtype of the kernel.

    Gradient:
      Smooth.

    Raises:
      TypeError: a dtype is not floating, or scale is wider than the kernel.
      ValueError: the shapes do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.weight_standardization(jnp.array([[1.0], [3.0]]), epsilon=1e-9).ravel())
      [-1.  1.]

    References:
      Qiao et al. 2019, arXiv:1903.10520.
    """
    kernel, scale, bias = canonical_arrays(kernel, ("scale", scale, 1.0), ("bias", None, 0.0), called="kernel")
    if kernel.size == 0 or kernel.ndim < 2:
        raise ValueError(
            f"kernel shape (={kernel.shape}) must be [*window, C_in / groups, C_out], without an empty axis"
        )
    config = NormConfig(all_but_last(kernel), kernel.shape[-1], canonical_epsilon(epsilon, kernel.dtype))
    return _compiled_weight_standardization(kernel, scale, bias, None, config)


def _spatial_axes(x: jax.Array, spatial_rank: Any, least: int) -> tuple[int, ...]:
    """Return the spatial axes of x.

    Raises:
      TypeError: spatial_rank is not an int.
      ValueError: x has no such axes, or they are empty.
    """
    rank = max(x.ndim - 2, 0) if spatial_rank is None else canonical_int("spatial_rank", spatial_rank, 0)
    if not least <= rank <= x.ndim - 1:
        raise ValueError(f"spatial_rank (={rank}) must be {least} to {x.ndim - 1} for x of shape {x.shape}")
    axes = tuple(range(x.ndim - 1 - rank, x.ndim - 1))
    if any(x.shape[a] == 0 for a in axes):
        raise ValueError(f"x shape (={x.shape}) must have no empty axis but batch")
    return axes


def _require_elements(x: jax.Array, config: NormConfig) -> None:
    """Check that more than one element is taken together; where the number is known.

    Raises:
      ValueError: it is one.
    """
    number = math.prod(x.shape[a] for a in config.axes) * (x.shape[-1] // config.groups)
    if isinstance(number, int) and number == 1:
        raise ValueError(
            f"x (shape {x.shape}) must hold more than one element of an example's group of channels "
            f"(groups: {config.groups}), for one alone is its own mean"
        )


def _normalized(
    x: jax.Array, scale: jax.Array, bias: jax.Array, where: jax.Array | None, config: NormConfig
) -> jax.Array:
    results: Any = normalize_channels(x, scale, bias, where, config)
    return results[0]


_compiled_group_norm = compiled(_normalized, "group_norm", static_argnums=(4,))
_compiled_instance_norm = compiled(_normalized, "instance_norm", static_argnums=(4,))
_compiled_weight_standardization = compiled(_normalized, "weight_standardization", static_argnums=(4,))
