"""Normalisation of each position by itself, over its channels.

Layer norm, with mean and variance over the M channels of a position:

    mean = sum_c x / M,  var = sum_c (x - mean)^2 / M,  r = (var + epsilon)^(-1/2)
    y = (x - mean) r scale + bias

Derivation: that of `jaxcnn.ops.batch_norms`, for this set. With g = dL/dy and u = g scale,

    dx    = r (u - sum_c u / M - (x - mean) r^2 sum_c u (x - mean) / M)
    dscale[c] = sum g (x - mean) r,  dbias[c] = sum g    over all but the channels

RMS norm leaves the mean out: y = x r scale, r = (sum_c x^2 / M + epsilon)^(-1/2). As dr/dx = -x r^3 / M,

    dx = r (u - x r^2 sum_c u x / M),  dscale[c] = sum g x r

How mean and r are computed so that they are right for all of float32's range, see `jaxcnn.ops._statistics`.

Residuals: x, scale and the mask, which exist anyway. dx and dscale each compute mean and r again: XLA's CPU compiler
makes one loop of a sum and of all it is made of, unless two results share a part, which it then writes out. So a
barrier stands between what has the same x - mean.

References: Ba, Kiros and Hinton 2016, "Layer normalization", arXiv:1607.06450; Zhang and Sennrich 2019, "Root mean
square layer normalization", arXiv:1910.07467.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._axes import as_mask
from jaxcnn.ops._dtypes import channel_row, widen
from jaxcnn.ops._norm import all_but_last, canonical_arrays, canonical_epsilon
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import unmasked
from jaxcnn.ops._statistics import NormConfig, centred, inverse_root_mean_square, shared, unit_of

Residuals = tuple[jax.Array, jax.Array, jax.Array | None]


def layer_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    epsilon: float = 1e-6,
) -> jax.Array:
    """Normalise the channels of every position.

    `rms_norm` is the sibling that subtracts no mean; `batch_norm` normalises each channel over the batch.

    Math:
      y = (x - mean) / sqrt(var + epsilon) * scale + bias, mean and var over the last axis.
      VJP: dx = r (u - mean(u) - (x - mean) r^2 mean(u (x - mean))), with u = g scale, r = 1 / sqrt(var + epsilon);
      dscale = sum of g (x - mean) r, dbias = sum of g, over all leading axes.

    Args:
      x: `[..., C]`, floating.
      scale: `[C]` or None for ones, in the dtype of x or a narrower one.
      bias: `[C]` or None for zeros, in the dtype of x or a narrower one.
      where: bool, broadcastable to x: which elements the statistics are of; None is all.
      epsilon: a positive Python number; it is static.

    Returns:
      An array of the shape and dtype of x. Elements outside `where` are normalised by the statistics of the others, as
      in flax; where there are no others, mean and variance are 0.

    Gradient:
      Smooth.

    Raises:
      TypeError: a dtype is not floating, or scale or bias is wider than x, or where is not bool.
      ValueError: the shapes do not fit, or there is nothing to average.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.layer_norm(jnp.array([1.0, 3.0]), epsilon=1e-9))
      [-1.  1.]

    References:
      Ba, Kiros and Hinton 2016, arXiv:1607.06450.
    """
    x, scale, bias = canonical_arrays(x, ("scale", scale, 1.0), ("bias", bias, 0.0))
    return _compiled_layer_norm(x, scale, bias, as_mask(where, x.shape), canonical_epsilon(epsilon, x.dtype))


def _layer_norm_impl(
    x: jax.Array, scale: jax.Array, bias: jax.Array, where: jax.Array | None, epsilon: float
) -> jax.Array:
    normal, _ = _divided(_centred(x, where), where, _unit(x, epsilon), epsilon)
    return (normal * channel_row(widen(scale), x) + channel_row(widen(bias), x)).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _layer_norm(x: jax.Array, scale: jax.Array, bias: jax.Array, where: jax.Array | None, epsilon: float) -> jax.Array:
    return _layer_norm_impl(x, scale, bias, where, epsilon)


def _layer_norm_fwd(
    x: jax.Array, scale: jax.Array, bias: jax.Array, where: jax.Array | None, epsilon: float
) -> tuple[jax.Array, Residuals]:
    # x, scale and where: the operands themselves.
    return _layer_norm_impl(x, scale, bias, where, epsilon), (x, scale, where)


def _layer_norm_bwd(epsilon: float, residuals: Residuals, g: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, None]:
    x, scale, where = residuals
    first_x, first_g, first_scale, first_unit = lax.optimization_barrier((x, g, scale, _unit(x, epsilon)))
    second_x, second_g, second_unit = lax.optimization_barrier((first_x, first_g, first_unit))
    dx = _layer_norm_dx(first_x, first_g, first_scale, first_unit, where, epsilon)
    dscale = _dscale(_centred(second_x, where), second_g, second_unit, where, epsilon)
    dbias = jnp.sum(widen(g), all_but_last(g))
    return dx.astype(x.dtype), dscale.astype(scale.dtype), dbias.astype(scale.dtype), None


def _layer_norm_dx(
    x: jax.Array, g: jax.Array, scale: jax.Array, unit: jax.Array | None, where: jax.Array | None, epsilon: float
) -> jax.Array:
    normal, r = _divided(_centred(x, where), where, unit, epsilon)
    u = widen(g) * channel_row(widen(scale), x)
    of_u, of_u_normal = (_shared_by_channels(v, where) for v in (u, u * normal))
    return r * (u - unmasked(where, normal * of_u_normal + of_u))


def _dscale(
    numbers: jax.Array, g: jax.Array, unit: jax.Array | None, where: jax.Array | None, epsilon: float
) -> jax.Array:
    """Return the cotangent of the scale, from x or x - mean."""
    return jnp.sum(widen(g) * _divided(numbers, where, unit, epsilon)[0], all_but_last(g))


_layer_norm.defvjp(_layer_norm_fwd, _layer_norm_bwd)
_compiled_layer_norm = compiled(_layer_norm, "layer_norm", static_argnums=(4,))


def _config(x: jax.Array, epsilon: float) -> NormConfig:
    return NormConfig((x.ndim - 1,), 1, epsilon)


def _centred(x: jax.Array, where: jax.Array | None) -> jax.Array:
    """Return x - mean in float32 or wider."""
    return centred(widen(x), where, _config(x, 1.0))


def _unit(x: jax.Array, epsilon: float) -> jax.Array | None:
    """Return the power of two by which numbers like x are multiplied before they are squared."""
    return unit_of(widen(x), _config(x, epsilon))


def _divided(
    numbers: jax.Array, where: jax.Array | None, unit: jax.Array | None, epsilon: float
) -> tuple[jax.Array, jax.Array]:
    """Return numbers * r, and r = 1 / sqrt(their mean square + epsilon)."""
    r = inverse_root_mean_square(numbers, where, unit, _config(numbers, epsilon))
    return numbers * r, r


def _shared_by_channels(x: jax.Array, where: jax.Array | None) -> jax.Array:
    """Return the sum over the channels by the number of those that count."""
    return shared(jnp.sum(x, -1, keepdims=True), x, where, _config(x, 1.0))


def rms_norm(
    x: jax.Array, scale: jax.Array | None = None, *, where: jax.Array | None = None, epsilon: float = 1e-6
) -> jax.Array:
    """Divide the channels of every position by their root mean square.

    `layer_norm` is the sibling that subtracts the mean, too.

    Math:
      y = x r scale, r = 1 / sqrt(mean(x^2) + epsilon), the mean over the last axis.
      VJP: dx = r (u - x r^2 mean(u x)), with u = g scale; dscale = sum of g x r, over all leading axes.

    Args:
      x: `[..., C]`, floating.
      scale: `[C]` or None for ones, in the dtype of x or a narrower one.
      where: bool, broadcastable to x: which elements the statistics are of; None is all.
      epsilon: a positive Python number; it is static.

    Returns:
      An array of the shape and dtype of x. Elements outside `where` are normalised by the statistics of the others, as
      in flax; where there are no others, the mean of x^2 is 0.

    Gradient:
      Smooth.

    Raises:
      TypeError: a dtype is not floating, or scale is wider than x, or where is not bool.
      ValueError: the shapes do not fit, or there is nothing to average.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.rms_norm(jnp.array([2.0, -2.0]), epsilon=1e-9))
      [ 1. -1.]

    References:
      Zhang and Sennrich 2019, arXiv:1910.07467.
    """
    x, scale = canonical_arrays(x, ("scale", scale, 1.0))
    return _compiled_rms_norm(x, scale, as_mask(where, x.shape), canonical_epsilon(epsilon, x.dtype))


def _rms_norm_impl(x: jax.Array, scale: jax.Array, where: jax.Array | None, epsilon: float) -> jax.Array:
    normal, _ = _divided(widen(x), where, _unit(x, epsilon), epsilon)
    return (normal * channel_row(widen(scale), x)).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _rms_norm(x: jax.Array, scale: jax.Array, where: jax.Array | None, epsilon: float) -> jax.Array:
    return _rms_norm_impl(x, scale, where, epsilon)


def _rms_norm_fwd(
    x: jax.Array, scale: jax.Array, where: jax.Array | None, epsilon: float
) -> tuple[jax.Array, Residuals]:
    # x, scale and where: the operands themselves.
    return _rms_norm_impl(x, scale, where, epsilon), (x, scale, where)


def _rms_norm_bwd(epsilon: float, residuals: Residuals, g: jax.Array) -> tuple[jax.Array, jax.Array, None]:
    x, scale, where = residuals
    first_x, first_g, first_scale, first_unit = lax.optimization_barrier((x, g, scale, _unit(x, epsilon)))
    second_x, second_g, second_unit = lax.optimization_barrier((first_x, first_g, first_unit))
    dx = _rms_norm_dx(first_x, first_g, first_scale, first_unit, where, epsilon)
    dscale = _dscale(widen(second_x), second_g, second_unit, where, epsilon)
    return dx.astype(x.dtype), dscale.astype(scale.dtype), None


def _rms_norm_dx(
    x: jax.Array, g: jax.Array, scale: jax.Array, unit: jax.Array | None, where: jax.Array | None, epsilon: float
) -> jax.Array:
    normal, r = _divided(widen(x), where, unit, epsilon)
    u = widen(g) * channel_row(widen(scale), x)
    return r * (u - unmasked(where, normal * _shared_by_channels(u * normal, where)))


_rms_norm.defvjp(_rms_norm_fwd, _rms_norm_bwd)
_compiled_rms_norm = compiled(_rms_norm, "rms_norm", static_argnums=(3,))
