"""Softmax and its logarithm, along one axis or several.

Softmax, y_i = exp(x_i) / sum_j exp(x_j). With s = sum_j exp(x_j), dy_i/dx_k = y_i [i = k] - exp(x_i) exp(x_k) / s^2
= y_i ([i = k] - y_k), so

    dx_k = sum_i g_i y_i ([i = k] - y_k) = y_k (g_k - sum_i g_i y_i)

Log-softmax, y_i = x_i - log s. dy_i/dx_k = [i = k] - exp(x_k) / s, so

    dx_k = g_k - (exp(x_k) / s) sum_i g_i

Both subtract the maximum first, which changes neither value nor derivative and keeps exp in range.

Residuals: x, and two numbers a row, its maximum and s; exp(x_k) is computed again, or once for both passes where they
meet in one program. y is not kept: in half precision it is rounded (at y = -11 the last place of a bfloat16 logarithm
is 1/16, some per cent of its exp), and a division in each element would come before each product of the backward pass.

Half precision computes in float32 and is cast once. A mask (where) takes elements out of the sums.

References: Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
"""

import functools

import jax
import jax.numpy as jnp

from jaxcnn.algorithms._mesh import split_like
from jaxcnn.ops._axes import as_mask, canonical_axes
from jaxcnn.ops._dtypes import as_floating, widen
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import Softmax, unmasked


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
    parts = Softmax.of(x, where, axes)
    return (parts.weights / parts.total).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _softmax(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> jax.Array:
    return _softmax_impl(x, where, axes)


def _softmax_fwd(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> tuple[jax.Array, Softmax]:
    # x itself, and two numbers a row: not y, see above.
    return _softmax_impl(x, where, axes), Softmax.of(x, where, axes)


def _softmax_bwd(axes: tuple[int, ...], residuals: Softmax, g: jax.Array) -> tuple[jax.Array, None]:
    weights, total, wide_g = residuals.weights, residuals.total, unmasked(residuals.where, widen(g))
    common = jnp.sum(wide_g * weights, axes, keepdims=True) / (total * total)
    return (weights * (wide_g / total - common)).astype(g.dtype), None


_softmax.defvjp(_softmax_fwd, _softmax_bwd)
_compiled_softmax = compiled(_softmax, "softmax", static_argnums=(2,))


def _log_softmax_impl(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> jax.Array:
    y = Softmax.of(x, where, axes).log_p.astype(x.dtype)
    return y if where is None else jnp.where(split_like(where, y), y, jnp.full_like(y, -jnp.inf))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _log_softmax(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> jax.Array:
    return _log_softmax_impl(x, where, axes)


def _log_softmax_fwd(x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> tuple[jax.Array, Softmax]:
    # x itself, and two numbers a row: not y, see above.
    return _log_softmax_impl(x, where, axes), Softmax.of(x, where, axes)


def _log_softmax_bwd(axes: tuple[int, ...], residuals: Softmax, g: jax.Array) -> tuple[jax.Array, None]:
    wide_g = unmasked(residuals.where, widen(g))
    common = -jnp.sum(wide_g, axes, keepdims=True) / residuals.total
    return (wide_g + common * residuals.weights).astype(g.dtype), None


_log_softmax.defvjp(_log_softmax_fwd, _log_softmax_bwd)
_compiled_log_softmax = compiled(_log_softmax, "log_softmax", static_argnums=(2,))
