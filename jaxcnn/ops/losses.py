"""Losses: one value an example, no reduction, with the semantics of optax.

Cross entropy of logits z with label weights l: L = -sum_i l_i log p_i, p = softmax(z), log p_i = z_i - log sum_j
exp(z_j).

Derivation. d log p_i / dz_k = [i = k] - p_k, so with the cotangent g of L

    dz_k = g (p_k sum_i l_i - l_k)          dl_i = -g log p_i

and for an integer label t, l_i = [i = t]: L = log sum_j exp(z_j) - z_t and dz_k = g (p_k - [k = t]), the "p minus
one-hot" of every tutorial. A class of weight 0 takes no part: 0 log 0 is 0, so that a logit of -inf (a class that is
ruled out) costs nothing, where the product of the two would be nan.
Residuals: logits and labels, which exist anyway, and two numbers an example, the largest logit and the sum of
exp(z_j - largest); the probabilities are computed again.

Squared error: L = (p - t)^2, dL/dp = 2 (p - t), so dp = 2 g (p - t) and dt = -dp. Residual: the error p - t.

References: Goodfellow, Bengio and Courville 2016, "Deep learning", sections 5.5 and 6.2.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._axes import broadcast_to, canonical_axes, class_mask, one_hot_of
from jaxcnn.ops._dtypes import as_array, as_floating, cast, require_same_dtype, widen
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import Softmax, unmasked

Axes = tuple[int, ...]


class Residuals(NamedTuple):
    """What the backward rules of both cross entropies need: the operands, and two numbers an example."""

    softmax: Softmax
    labels: jax.Array


def softmax_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] = -1,
    where: jax.Array | None = None,
) -> jax.Array:
    """Compute the cross entropy between the softmax of logits and label weights.

    For one-hot or soft labels; `softmax_cross_entropy_with_integer_labels` is the sibling for class numbers.

    Math:
      L = -sum_i labels_i log p_i, p = softmax(logits), 0 log 0 = 0.
      VJP: dlogits = g (p sum_i labels_i - labels), dlabels = -g log p.

    Args:
      logits: `[*batch, C]`, floating; the classes may stand along any `axis`.
      labels: weights of the classes, broadcastable to logits; the sum need not be 1.
      axis: the axis or axes of the classes.
      where: bool, of the shape of logits or of the result; classes or examples where it is False take no part.

    Returns:
      `[*batch]`, the shape of logits without `axis`, in the dtype of logits (of labels, where that is wider).

    Gradient:
      Smooth. Where a label of 0 meets a logit of -inf, both gradients are 0.

    Raises:
      TypeError: logits are not floating, labels are complex, or where is not bool.
      ValueError: axis is out of range, or labels or where do not fit the shape of logits.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> logits, labels = jnp.array([-jnp.inf, 0.0, 0.0]), jnp.array([0.0, 1.0, 0.0])
      >>> print(jaxcnn.softmax_cross_entropy(logits, labels).round(4))
      0.6931

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 6.2.
    """
    logits, labels = as_floating("logits", logits), as_array(labels)
    axes = canonical_axes(axis, logits.shape)
    if jnp.issubdtype(labels.dtype, jnp.complexfloating):
        raise TypeError(f"labels dtype (={labels.dtype}) must be real")
    if not jnp.issubdtype(labels.dtype, jnp.floating):
        labels = cast(labels, logits.dtype)
    dtype = jnp.promote_types(logits.dtype, labels.dtype)
    labels = broadcast_to("labels", labels, logits.shape)
    return _compiled_cross_entropy(
        cast(logits, dtype), cast(labels, dtype), class_mask(where, logits.shape, axes), axes
    )


def _present(softmax: Softmax, labels: jax.Array, value: jax.Array) -> jax.Array:
    """Return `value` `[..., C]`, 0 where a class takes no part: masked, or of weight 0 beside a logit of -inf."""
    absent = (labels == 0) & (softmax.x == -jnp.inf)
    return unmasked(softmax.where, jnp.where(absent, jnp.zeros_like(value), value))


def _cross_entropy_impl(logits: jax.Array, labels: jax.Array, where: jax.Array | None, axes: Axes) -> jax.Array:
    def of_present() -> jax.Array:
        softmax = Softmax.of(logits, where, axes)
        return -jnp.sum(_present(softmax, labels, widen(labels)) * _present(softmax, labels, softmax.log_p), axes)

    if where is not None:
        return of_present().astype(logits.dtype)
    # Looking for absent classes costs as much as all the rest, and without one there is no 0 times -inf, which is nan.
    loss = -jnp.sum(widen(labels) * Softmax.of(logits, where, axes).log_p, axes)
    return lax.cond(jnp.any(jnp.isnan(loss)), of_present, lambda: loss).astype(logits.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _cross_entropy(logits: jax.Array, labels: jax.Array, where: jax.Array | None, axes: Axes) -> jax.Array:
    return _cross_entropy_impl(logits, labels, where, axes)


def _cross_entropy_fwd(
    logits: jax.Array, labels: jax.Array, where: jax.Array | None, axes: Axes
) -> tuple[jax.Array, Residuals]:
    return _cross_entropy_impl(logits, labels, where, axes), Residuals(Softmax.of(logits, where, axes), labels)


def _cross_entropy_bwd(axes: Axes, residuals: Residuals, g: jax.Array) -> tuple[jax.Array, jax.Array, None]:
    softmax, wide_g = residuals.softmax, jnp.expand_dims(widen(g), axes)
    labels = unmasked(softmax.where, widen(residuals.labels))
    dlogits = wide_g * (softmax.weights * (jnp.sum(labels, axes, keepdims=True) / softmax.total) - labels)
    dlabels = -wide_g * _present(softmax, residuals.labels, softmax.log_p)
    return dlogits.astype(g.dtype), dlabels.astype(g.dtype), None


_cross_entropy.defvjp(_cross_entropy_fwd, _cross_entropy_bwd)
_compiled_cross_entropy = compiled(_cross_entropy, "softmax_cross_entropy", static_argnums=(3,))


def softmax_cross_entropy_with_integer_labels(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] = -1,
    where: jax.Array | None = None,
) -> jax.Array:
    """Compute the cross entropy between the softmax of logits and class numbers.

    For hard labels, without a one-hot array; `softmax_cross_entropy` is the sibling for label weights.

    Math:
      L = log sum_j exp(logits_j) - logits_labels. VJP: dlogits = g (p - onehot(labels)), p = softmax(logits).

    Args:
      logits: `[*batch, C]`, floating; the classes may stand along any `axis`.
      labels: `[*batch]`, integers in [0, C).
      axis: the axis of the classes, or several, which then count as one in row-major order.
      where: bool, of the shape of logits or of the result; classes or examples where it is False take no part.

    Returns:
      `[*batch]`, the shape of logits without `axis`, in the dtype of logits. A label outside [0, C) gives nan.

    Gradient:
      Smooth. Labels have none. A label outside [0, C) gives nan.

    Raises:
      TypeError: logits are not floating, labels not integers, or where is not bool.
      ValueError: axis is out of range, or labels or where do not fit the shape of logits.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.softmax_cross_entropy_with_integer_labels(jnp.zeros((1, 4)), jnp.array([2])).round(4))
      [1.3863]

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 6.2.
    """
    logits, labels = as_floating("logits", logits), as_array(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels dtype (={labels.dtype}) must be an integer dtype")
    axes = canonical_axes(axis, logits.shape)
    batch = tuple(a for a in range(logits.ndim) if a not in axes)
    batch_shape = tuple(logits.shape[a] for a in batch)
    if labels.shape != batch_shape:
        raise ValueError(f"labels shape (={labels.shape}) must be {batch_shape} for logits of shape {logits.shape}")
    mask = class_mask(where, logits.shape, axes)
    flat = (*batch_shape, math.prod(logits.shape[a] for a in axes))
    logits = logits.transpose(*batch, *axes).reshape(flat)
    mask = None if mask is None else mask.transpose(*batch, *axes).reshape(flat)
    return _compiled_integer_cross_entropy(logits, labels, mask)


def _only_valid(value: jax.Array, softmax: Softmax, labels: jax.Array) -> jax.Array:
    """Return `value` of each example, nan where the label is no class, 0 where no class takes part."""
    value = jnp.where((labels >= 0) & (labels < softmax.x.shape[-1]), value, jnp.full_like(value, jnp.nan))
    return value if softmax.where is None else unmasked(jnp.any(softmax.where, -1), value)


def _integer_cross_entropy_impl(logits: jax.Array, labels: jax.Array, where: jax.Array | None) -> jax.Array:
    softmax = Softmax.of(logits, where, (-1,))
    label_logit = jnp.take_along_axis(widen(logits), labels[..., None], -1, mode="clip")
    loss = jnp.log(softmax.total) - (label_logit - softmax.top)
    return _only_valid(loss[..., 0], softmax, labels).astype(logits.dtype)


@jax.custom_vjp
def _integer_cross_entropy(logits: jax.Array, labels: jax.Array, where: jax.Array | None) -> jax.Array:
    return _integer_cross_entropy_impl(logits, labels, where)


def _integer_cross_entropy_fwd(
    logits: jax.Array, labels: jax.Array, where: jax.Array | None
) -> tuple[jax.Array, Residuals]:
    return _integer_cross_entropy_impl(logits, labels, where), Residuals(Softmax.of(logits, where, (-1,)), labels)


def _integer_cross_entropy_bwd(residuals: Residuals, g: jax.Array) -> tuple[jax.Array, None, None]:
    softmax, labels = residuals
    wide_g = _only_valid(widen(g), softmax, labels)[..., None]
    of_p = softmax.weights * (wide_g / softmax.total)
    return jnp.where(one_hot_of(labels, of_p.shape[-1]), of_p - wide_g, of_p).astype(g.dtype), None, None


_integer_cross_entropy.defvjp(_integer_cross_entropy_fwd, _integer_cross_entropy_bwd)
_compiled_integer_cross_entropy = compiled(_integer_cross_entropy, "softmax_cross_entropy_with_integer_labels")


def squared_error(predictions: jax.Array, targets: jax.Array | None = None) -> jax.Array:
    """Square the difference between predictions and targets, element by element.

    For regression, without the factor 1/2 of some texts; the cross entropies are for classes.

    Math:
      L = (predictions - targets)^2. VJP: dpredictions = 2 g (predictions - targets), dtargets = -dpredictions.

    Args:
      predictions: floating, any shape.
      targets: of the shape and dtype of predictions; None is 0.

    Returns:
      An array of the shape and dtype of predictions.

    Gradient:
      Smooth.

    Raises:
      TypeError: predictions are not floating, or the dtypes differ.
      ValueError: the shapes differ.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.squared_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])))
      [1. 4.]

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 5.5.
    """
    predictions = as_floating("predictions", predictions)
    targets = jnp.zeros_like(predictions) if targets is None else as_floating("targets", targets)
    require_same_dtype("targets", targets, "predictions", predictions)
    if targets.shape != predictions.shape:
        raise ValueError(f"targets shape (={targets.shape}) must equal predictions shape (={predictions.shape})")
    return _compiled_squared_error(predictions, targets)


def _squared_error_impl(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    error = widen(predictions) - widen(targets)
    return (error * error).astype(predictions.dtype)


@jax.custom_vjp
def _squared_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    return _squared_error_impl(predictions, targets)


def _squared_error_fwd(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    # The error, in float32 or wider: one array for both cotangents.
    return _squared_error_impl(predictions, targets), widen(predictions) - widen(targets)


def _squared_error_bwd(error: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    dpredictions = (2 * widen(g) * error).astype(g.dtype)
    return dpredictions, -dpredictions


_squared_error.defvjp(_squared_error_fwd, _squared_error_bwd)
_compiled_squared_error = compiled(_squared_error, "squared_error")
