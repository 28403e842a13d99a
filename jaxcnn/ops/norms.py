"""Normalisation: subtract a mean, divide by a standard deviation, then scale and shift every channel.

With the mean and the variance over a set A of M elements (batch norm: all examples and positions of a channel; layer
norm: all channels of a position),

    mean = sum_A x / M,  var = sum_A (x - mean)^2 / M,  r = (var + epsilon)^(-1/2)
    y = (x - mean) r scale + bias

Derivation. Let g = dL/dy, and u = g scale = dL/d((x - mean) r). x enters directly, through r, and through mean:

    dvar  = sum_A u (x - mean) (-1/2) r^3                as dr/dvar = -r^3 / 2
    dmean = -r sum_A u                                   as sum_A (x - mean) = 0, var does not change with mean
    dx    = u r + (2 / M) (x - mean) dvar + dmean / M
          = r (u - sum_A u / M - (x - mean) r^2 sum_A u (x - mean) / M)
    dscale[c] = sum g (x - mean) r,  dbias[c] = sum g    over all but the channels

In batch norm A is what dscale and dbias sum over, so u's two sums are theirs times scale. Where batch norm's mean and
variance have cotangents of their own, they join dmean and dvar.

The variance is summed in a second pass, from x - mean: E[x^2] - mean^2 would lose all digits where the mean is large
(mean 1e4 and standard deviation 1 in float32 give outputs of standard deviation 160).

Residuals: x and scale, which exist anyway, and in batch norm mean and r, one number a channel. Layer norm computes them
again, for dx and for dscale each.

What is written to memory decides the speed. XLA's CPU compiler makes one loop of a sum and of all that comes before it,
or of the elements and all they are made of, unless two results share a part, which it then writes out. So none do here:
a barrier stands between what has the same x - mean. Layer norm's value and gradients take 10 ms that way and 28 with
shared statistics (x 64,32,32,64, 2 cores). Nor may the backward pass share x - mean with the forward pass, which would
keep it: for batch norm that was a third of the temporaries of ResNet-18's train step.

References: Ioffe and Szegedy 2015, "Batch normalization", arXiv:1502.03167; Ba, Kiros and Hinton 2016, "Layer
normalization", arXiv:1607.06450.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._dtypes import as_channels, as_floating, as_static_number, channel_row, widen
from jaxcnn.ops._rule import compiled


def batch_norm(
    x: jax.Array, scale: jax.Array | None = None, bias: jax.Array | None = None, *, epsilon: float = 1e-5
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normalise every channel by the statistics of the batch, as in training.

    `layer_norm` is the sibling whose result for an example does not depend on the others.

    Math:
      y = (x - mean) / sqrt(var + epsilon) * scale + bias, mean and var over all axes but the last.
      VJP: dx = r (u - mean(u) - (x - mean) r^2 mean(u (x - mean))), with u = g scale, r = 1 / sqrt(var + epsilon);
      dscale = sum of g (x - mean) r, dbias = sum of g; the cotangents of mean and var add theirs to dx.

    Args:
      x: `[..., C]`, floating.
      scale: `[C]` or None for ones, in the dtype of x or a narrower one.
      bias: `[C]` or None for zeros, in the dtype of x or a narrower one.
      epsilon: a positive Python number; it is static.

    Returns:
      y, of the shape and dtype of x; mean and variance, `[C]` in float32 or wider: the variance is that of the batch,
      divided by the number of elements.

    Gradient:
      Smooth. All three results are differentiable.

    Raises:
      TypeError: a dtype is not floating, or scale or bias is wider than x.
      ValueError: the shapes do not fit, or there is nothing to average.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> y, mean, variance = jaxcnn.batch_norm(jnp.array([[1.0], [3.0]]), epsilon=1e-9)
      >>> print(y[:, 0], mean, variance)
      [-1.  1.] [2.] [1.]

    References:
      Ioffe and Szegedy 2015, arXiv:1502.03167.
    """
    x, scale, bias = _canonical(x, scale, bias)
    if math.prod(x.shape[:-1]) == 0:
        raise ValueError(f"x (shape {x.shape}) must hold at least one element a channel")
    return _compiled_batch_norm(x, scale, bias, _canonical_epsilon(epsilon))


def _batch_norm_impl(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    _, mean, variance = _statistics(x, _all_but_last(x))
    mean, variance = lax.optimization_barrier((mean, variance))
    y = _scaled(widen(x) - mean, variance, scale, bias, epsilon).astype(x.dtype)
    return y, mean.reshape(-1), variance.reshape(-1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _batch_norm(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    return _batch_norm_impl(x, scale, bias, epsilon)


def _batch_norm_fwd(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array, jax.Array, jax.Array]]:
    y, mean, variance = _batch_norm_impl(x, scale, bias, epsilon)
    # x and scale: the input and the parameter themselves. mean and 1 / deviation: one number a channel each.
    return (y, mean, variance), (x, scale, mean, lax.rsqrt(variance + epsilon))


def _batch_norm_bwd(
    epsilon: float,
    residuals: tuple[jax.Array, jax.Array, jax.Array, jax.Array],
    cotangents: tuple[jax.Array, jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array, jax.Array]:
    del epsilon
    x, scale, mean, r = residuals
    g, of_mean, of_variance = cotangents
    axes, wide = _all_but_last(x), widen(g)
    elements = math.prod(x.shape[:-1])
    dbias = jnp.sum(wide, axes)
    of_deviation = jnp.sum(wide * (widen(x) - channel_row(_once_there(mean, dbias), x)), axes)
    mean, of_deviation = lax.optimization_barrier((mean, of_deviation))
    centred = widen(x) - channel_row(mean, x)
    steep = widen(scale) * r
    constant = (of_mean - steep * dbias) / elements
    slope = (2 * of_variance - steep * r * r * of_deviation) / elements
    dx = wide * channel_row(steep, x) + centred * channel_row(slope, x) + channel_row(constant, x)
    return dx.astype(x.dtype), (of_deviation * r).astype(scale.dtype), dbias.astype(scale.dtype)


_batch_norm.defvjp(_batch_norm_fwd, _batch_norm_bwd)
_compiled_batch_norm = compiled(_batch_norm, "batch_norm", static_argnums=(3,))


def layer_norm(
    x: jax.Array, scale: jax.Array | None = None, bias: jax.Array | None = None, *, epsilon: float = 1e-6
) -> jax.Array:
    """Normalise the channels of every position.

    `batch_norm` is the sibling that normalises each channel over the batch.

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
    return _compiled_layer_norm(*_canonical(x, scale, bias), _canonical_epsilon(epsilon))


def _layer_norm_impl(x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
    centred, _, variance = _statistics(x, (x.ndim - 1,))
    return _scaled(centred, variance, scale, bias, epsilon).astype(x.dtype)


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
    dbias = jnp.sum(widen(g), _all_but_last(g))
    return dx.astype(x.dtype), dscale.astype(scale.dtype), dbias.astype(scale.dtype)


def _layer_norm_dx(x: jax.Array, g: jax.Array, scale: jax.Array, epsilon: float) -> jax.Array:
    centred, _, variance = _statistics(x, (x.ndim - 1,))
    u, r = widen(g) * channel_row(widen(scale), x), lax.rsqrt(variance + epsilon)
    slope = r * jnp.mean(u * centred, -1, keepdims=True) / (variance + epsilon)
    return r * u - centred * slope - r * jnp.mean(u, -1, keepdims=True)


def _layer_norm_dscale(x: jax.Array, g: jax.Array, epsilon: float) -> jax.Array:
    centred, _, variance = _statistics(x, (x.ndim - 1,))
    return jnp.sum(widen(g) * (centred * lax.rsqrt(variance + epsilon)), _all_but_last(x))


_layer_norm.defvjp(_layer_norm_fwd, _layer_norm_bwd)
_compiled_layer_norm = compiled(_layer_norm, "layer_norm", static_argnums=(3,))


def _statistics(x: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return x - mean, and the mean and the variance over `axes`, kept as axes of size 1, in float32 or wider."""
    wide = widen(x)
    mean = jnp.mean(wide, axes, keepdims=True)
    centred = wide - mean
    return centred, mean, jnp.mean(centred * centred, axes, keepdims=True)


def _scaled(centred: jax.Array, variance: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
    factor = lax.rsqrt(variance + epsilon) * channel_row(widen(scale), centred)
    return centred * factor + channel_row(widen(bias), centred)


def _once_there(x: jax.Array, other: jax.Array) -> jax.Array:
    """Return x, to be had only after `other`, which must not be infinite or nan unless the result may be nan.

    XLA's CPU compiler schedules what it can as early as it can, and drops `lax.optimization_barrier` before: a
    backward pass that recomputes something from residuals alone finds it computed, and kept, in the forward pass.
    """
    return x + 0 * lax.stop_gradient(other)


def _all_but_last(x: jax.Array) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


def _canonical(x: Any, scale: Any, bias: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return x, scale and bias as arrays of one dtype that fit each other."""
    x = as_floating("x", x)
    if x.ndim < 1 or x.shape[-1] == 0:
        raise ValueError(f"x shape (={x.shape}) must be [..., C] with at least one channel")
    given = []
    for name, channels, absent in (("scale", scale, jnp.ones), ("bias", bias, jnp.zeros)):
        given.append(absent(x.shape[-1:], x.dtype) if channels is None else as_channels(name, channels, x))
    return x, *given


def _canonical_epsilon(epsilon: Any) -> float:
    number = as_static_number("epsilon", epsilon)
    if not number > 0:
        raise ValueError(f"epsilon (={epsilon!r}) must be above 0")
    return number
