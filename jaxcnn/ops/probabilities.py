"""Softmax and its logarithm, along one axis or several.

Softmax, y_i = exp(x_i) / sum_j exp(x_j). With s = sum_j exp(x_j), dy_i/dx_k = y_i [i = k] - exp(x_i) exp(x_k) / s^2
= y_i ([i = k] - y_k), so

    dx_k = sum_i g_i y_i ([i = k] - y_k) = y_k (g_k - sum_i g_i y_i)                               keeps y

Log-softmax, y_i = x_i - log s. dy_i/dx_k = [i = k] - exp(x_k) / s, so

    dx_k = g_k - p_k sum_i g_i,  p_k = exp(x_k) / s                    keeps x, and two numbers a row: max x and log s

Both subtract the maximum first, which changes neither value nor derivative and keeps exp in range.

Half precision computes in float32 and is cast once; log-softmax keeps x because exp of a y that was rounded would be
off by some per cent where y is large (at y = -11 the last place of bfloat16 is 1/16). A mask (where) takes elements
out of the sums.

References: Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.ops._axes import as_mask, canonical_axes, log_normalise
from jaxcnn.ops._dtypes import as_floating, widen
from jaxcnn.ops._rule import compiled


class LogSoftmaxResiduals(NamedTuple):
    """What the backward rule of log_softmax needs."""

    x: jax.Array
    where: jax.Array | None
    top: jax.Array  # the largest element, size 1 along the axes
    log_sum: jax.Array  # the logarithm of sum exp(x - top), size 1 along the axes


def softmax(x: jax.Array, axis: int | tuple[int, ...] = -1, where: jax.Array | None = None) -> jax.Array:
    """Turn logits into probabilities that sum to 1 along an axis.

    For the probabilities themselves. For their logarithm use `log_softmax`, for training the losses, which take
    logits: both keep the digits that log(softmax(x)) loses.

    Math:
      y_i = exp(x_i) / sum_j exp(x_j). VJP: dx_k = y_k (g_k - sum_i g_i y_i).

    Args:
      x: floating, any shape.
      axis: the axis or axes over which the probabilities sum to 1.
      where: bool, broadcastable to x; elements where it is False count as -inf. None takes all.

    Returns:
      An array of the shape and dtype of x, 0 where `where` is False.

    Gradient:
      Smooth; 0 where `where` is False. A slice of nothing but -inf gives nan, as in jax.nn.

    Raises:
      TypeError: x is not floating, or where is not bool.
      ValueError: axis is out of range or given twice, or where does not broadcast to x.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.softmax(jnp.array([2.0, 2.0, -jnp.inf])))
      [0.5 0.5 0. ]

    References:
      Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
    """
    x = as_floating("x", x)
    return _compiled_softmax(x, as_mask(where, x.shape), canonical_axes(axis, x.shape))


def log_softmax(x: jax.Array, axis: int | tuple[int, ...] = -1, where: jax.Array | None = None) -> jax.Array:
    """Turn logits into log-probabilities along an axis.

    The stable form of log(softmax(x)); the cross entropies contain it.

    Math:
      y_i = x_i - log(sum_j exp(x_j)). VJP: dx_k = g_k - softmax(x)_k sum_i g_i.

    Args:
      x: floating, any shape.
      axis: the axis or axes over which the probabilities sum to 1.
      where: bool, broadcastable to x; elements where it is False count as -inf. None takes all.

    Returns:
      An array of the shape and dtype of x, -inf where `where` is False.

    Gradient:
      Smooth; 0 where `where` is False. A slice of nothing but -inf gives nan, as in jax.nn.

    Raises:
      TypeError: x is not floating, or where is not bool.
      ValueError: axis is out of range or given twice, or where does not broadcast to x.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.log_softmax(jnp.array([0.0, -jnp.inf])))
      [  0. -inf]

    References:
      Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
    """
    x = as_floating("x", x)
    return _compiled_log_softmax(x, as_mask(where, x.shape), canonical_axes(axis, x.shape))


def _softmax_impl(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> jax.Array:
    shifted, _, _ = log_normalise(x, where, axes)
    weights = jnp.exp(shifted)
    y = (weights / jnp.sum(weights, axes, keepdims=True)).astype(x.dtype)
    return y if where is None else jnp.where(where, y, jnp.zeros_like(y))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _softmax(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> jax.Array:
    return _softmax_impl(x, where, axes)


def _softmax_fwd(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    y = _softmax_impl(x, where, axes)
    return y, y  # the output, which exists anyway


def _softmax_bwd(axes: tuple[int, ...], y: jax.Array, g: jax.Array) -> tuple[jax.Array, None]:
    wide_y, wide_g = widen(y), widen(g)
    return (wide_y * (wide_g - jnp.sum(wide_g * wide_y, axes, keepdims=True))).astype(g.dtype), None


_softmax.defvjp(_softmax_fwd, _softmax_bwd)
_compiled_softmax = compiled(_softmax, "softmax", static_argnums=(2,))


def _log_softmax_impl(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> jax.Array:
    shifted, _, log_sum = log_normalise(x, where, axes)
    y = (shifted - log_sum).astype(x.dtype)
    return y if where is None else jnp.where(where, y, jnp.full_like(y, -jnp.inf))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _log_softmax(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> jax.Array:
    return _log_softmax_impl(x, where, axes)


def _log_softmax_fwd(
    x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]
) -> tuple[jax.Array, LogSoftmaxResiduals]:
    # x and the caller's mask, which exist anyway, and the two statistics of each row.
    _, top, log_sum = log_normalise(x, where, axes)
    return _log_softmax_impl(x, where, axes), LogSoftmaxResiduals(x, where, top, log_sum)


def _log_softmax_bwd(axes: tuple[int, ...], residuals: LogSoftmaxResiduals, g: jax.Array) -> tuple[jax.Array, None]:
    x, where, top, log_sum = residuals
    wide_g, p = widen(g), jnp.exp(widen(x) - top - log_sum)
    if where is not None:
        wide_g, p = (jnp.where(where, a, jnp.zeros_like(a)) for a in (wide_g, p))
    return (wide_g - p * jnp.sum(wide_g, axes, keepdims=True)).astype(g.dtype), None


_log_softmax.defvjp(_log_softmax_fwd, _log_softmax_bwd)
_compiled_log_softmax = compiled(_log_softmax, "log_softmax", static_argnums=(2,))
