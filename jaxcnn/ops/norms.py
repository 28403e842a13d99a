"""Normalisation of each position by itself, over its channels.

Layer norm, with mean and variance over the M channels of a position:

    mean = sum_c x / M,  var = sum_c (x - mean)^2 / M,  r = (var + epsilon)^(-1/2)
    y = (x - mean) r scale + bias

Derivation: that of `jaxcnn.ops.batch_norms`, for this set. With g = dL/dy and u = g scale,

    dx    = r (u - sum_c u / M - (x - mean) r^2 sum_c u (x - mean) / M)
    dscale[c] = sum g (x - mean) r,  dbias[c] = sum g    over all but the channels

RMS norm leaves the mean out: y = x r scale, r = (sum_c x^2 / M + epsilon)^(-1/2). As dr/dx = -x r^3 / M,

    dx = r (u - x r^2 sum_c u x / M),  dscale[c] = sum g x r

Residuals: x and scale, which exist anyway. The statistics are computed again, for dx and for dscale each.

What is written to memory decides the speed. XLA's CPU compiler makes one loop of a sum and of all that comes before it,
or of the elements and all they are made of, unless two results share a part, which it then writes out. So none do here:
a barrier stands between what has the same x - mean. Layer norm's value and gradients take 10 ms that way and 28 with
shared statistics (x 64,32,32,64, 2 cores).

References: Ba, Kiros and Hinton 2016, "Layer normalization", arXiv:1607.06450; Zhang and Sennrich 2019, "Root mean
square layer normalization", arXiv:1910.07467.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._dtypes import channel_row, widen
from jaxcnn.ops._norm import all_but_last, canonical_arrays, canonical_epsilon
from jaxcnn.ops._rule import compiled


def layer_norm(
    x: jax.Array, scale: jax.Array | None = None, bias: jax.Array | None = None, *, epsilon: float = 1e-6
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
      epsilon: a positive Python number; it is static.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth.

    Raises:
      TypeError: a dtype is not floating, or scale or bias is wider than x.
      ValueError: the shapes do not fit, or there is nothing to average.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.layer_norm(jnp.array([1.0, 3.0]), epsilon=1e-9))
      [-1.  1.]

    References:
      Ba, Kiros and Hinton 2016, arXiv:1607.06450.
    """
    x, scale, bias = canonical_arrays(x, ("scale", scale, 1.0), ("bias", bias, 0.0))
    return _compiled_layer_norm(x, scale, bias, canonical_epsilon(epsilon))


def _layer_norm_impl(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
    centred, variance = _statistics(x)
    # Not `scaled`, whose factor would be of the size of x here: XLA makes a slower program of that order.
    normalised = centred * lax.rsqrt(variance + epsilon)
    return (normalised * channel_row(widen(scale), x) + channel_row(widen(bias), x)).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _layer_norm(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
    return _layer_norm_impl(x, scale, bias, epsilon)


def _layer_norm_fwd(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # x and scale: the input and the parameter themselves.
    return _layer_norm_impl(x, scale, bias, epsilon), (x, scale)


def _layer_norm_bwd(
    epsilon: float, residuals: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, scale = residuals
    first_x, first_g, first_scale = lax.optimization_barrier((x, g, scale))
    second_x, second_g = lax.optimization_barrier((first_x, first_g))
    dx = _layer_norm_dx(first_x, first_g, first_scale, epsilon)
    dscale = _layer_norm_dscale(second_x, second_g, epsilon)
    dbias = jnp.sum(widen(g), all_but_last(g))
    return dx.astype(x.dtype), dscale.astype(scale.dtype), dbias.astype(scale.dtype)


def _layer_norm_dx(x: jax.Array, g: jax.Array, scale: jax.Array, epsilon: float) -> jax.Array:
    centred, variance = _statistics(x)
    u, r = widen(g) * channel_row(widen(scale), x), lax.rsqrt(variance + epsilon)
    slope = r * jnp.mean(u * centred, -1, keepdims=True) / (variance + epsilon)
    return r * u - centred * slope - r * jnp.mean(u, -1, keepdims=True)


def _layer_norm_dscale(x: jax.Array, g: jax.Array, epsilon: float) -> jax.Array:
    centred, variance = _statistics(x)
    return jnp.sum(widen(g) * (centred * lax.rsqrt(variance + epsilon)), all_but_last(x))


_layer_norm.defvjp(_layer_norm_fwd, _layer_norm_bwd)
_compiled_layer_norm = compiled(_layer_norm, "layer_norm", static_argnums=(3,))


def _statistics(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return x - mean and the variance over the channels, in float32 or wider."""
    wide = widen(x)
    centred = wide - jnp.mean(wide, -1, keepdims=True)
    return centred, jnp.mean(centred * centred, -1, keepdims=True)


def rms_norm(x: jax.Array, scale: jax.Array | None = None, *, epsilon: float = 1e-6) -> jax.Array:
    """Divide the channels of every position by their root mean square.

    `layer_norm` is the sibling that subtracts the mean, too.

    Math:
      y = x r scale, r = 1 / sqrt(mean(x^2) + epsilon), the mean over the last axis.
      VJP: dx = r (u - x r^2 mean(u x)), with u = g scale; dscale = sum of g x r, over all leading axes.

    Args:
      x: `[..., C]`, floating.
      scale: `[C]` or None for ones, in the dtype of x or a narrower one.
      epsilon: a positive Python number; it is static.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth.

    Raises:
      TypeError: a dtype is not floating, or scale is wider than x.
      ValueError: the shapes do not fit, or there is nothing to average.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.rms_norm(jnp.array([2.0, -2.0]), epsilon=1e-9))
      [ 1. -1.]

    References:
      Zhang and Sennrich 2019, arXiv:1910.07467.
    """
    x, scale = canonical_arrays(x, ("scale", scale, 1.0))
    return _compiled_rms_norm(x, scale, canonical_epsilon(epsilon))


def _mean_square(x: jax.Array) -> jax.Array:
    return jnp.mean(jnp.square(widen(x)), -1, keepdims=True)


def _rms_norm_impl(x: jax.Array, scale: jax.Array, epsilon: float) -> jax.Array:
    return (widen(x) * lax.rsqrt(_mean_square(x) + epsilon) * channel_row(widen(scale), x)).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _rms_norm(x: jax.Array, scale: jax.Array, epsilon: float) -> jax.Array:
    return _rms_norm_impl(x, scale, epsilon)


def _rms_norm_fwd(x: jax.Array, scale: jax.Array, epsilon: float) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # x and scale: the input and the parameter themselves.
    return _rms_norm_impl(x, scale, epsilon), (x, scale)


def _rms_norm_bwd(epsilon: float, residuals: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, scale = residuals
    first_x, first_g = lax.optimization_barrier((x, g))
    second_x, second_g = lax.optimization_barrier((first_x, first_g))
    dx = _rms_norm_dx(first_x, first_g, scale, epsilon)
    dscale = jnp.sum(widen(second_g) * (widen(second_x) * lax.rsqrt(_mean_square(second_x) + epsilon)), all_but_last(x))
    return dx.astype(x.dtype), dscale.astype(scale.dtype)


def _rms_norm_dx(x: jax.Array, g: jax.Array, scale: jax.Array, epsilon: float) -> jax.Array:
    wide, r = widen(x), lax.rsqrt(_mean_square(x) + epsilon)
    u = widen(g) * channel_row(widen(scale), x)
    return r * (u - wide * (r * r * jnp.mean(u * wide, -1, keepdims=True)))


_rms_norm.defvjp(_rms_norm_fwd, _rms_norm_bwd)
_compiled_rms_norm = compiled(_rms_norm, "rms_norm", static_argnums=(2,))
