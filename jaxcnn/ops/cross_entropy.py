"""Cross entropy of logits with label weights or class numbers, by one rule.

With logits z, label weights l, class weights w (1 where there are none), the smoothing s, and p = softmax(z):

    L = -sum_i q_i log p_i,  q_i = w_i ((1 - s) l_i + s / C),  log p_i = z_i - log sum_j exp(z_j)

Derivation. d log p_i / dz_k = [i = k] - p_k, so with the cotangent g of L

    dz_k = g (p_k sum_i q_i - q_k)          dl_i = -g (1 - s) w_i log p_i

A class number t stands for l_i = [i = t], but no such array is made for the value: L = (1 - s) w_t (-log p_t) and,
where s is not 0, the sum over all classes of (s / C) w_i (-log p_i); sum_i q_i = (1 - s) w_t + (s / C) sum_i w_i. With
neither weights nor smoothing dz_k = g (p_k - [k = t]), the "p minus one-hot" of every tutorial.
A class with q_i = 0 takes no part: 0 log 0 is 0, so that a logit of -inf (a class that is ruled out) costs nothing,
where the product of the two would be nan.
A mean divides by the examples that count, and with class numbers by the sum of their w_t, as in torch. Class weights
are constants: they have no gradient, as in torch.
Residuals: logits, labels and class weights, which exist anyway, and two numbers an example, the largest logit and the
sum of exp(z_j - largest); the probabilities are computed again.

References: Goodfellow, Bengio and Courville 2016, "Deep learning", section 6.2; Szegedy et al. 2015, arXiv:1512.00567
(label smoothing).
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.ops._axes import as_indices, canonical_axes, class_mask, comparable
from jaxcnn.ops._dtypes import accumulation_dtype, as_floating, widen
from jaxcnn.ops._labels import (
    Config,
    Target,
    are_numbers,
    canonical_class_weights,
    canonical_ignore_index,
    canonical_smoothing,
    class_row,
    of_label,
)
from jaxcnn.ops._losses import canonical_reduction, reduced, with_class_labels
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import Softmax, unmasked


class Residuals(NamedTuple):
    """What the backward rule needs: the operands, and two numbers an example."""

    softmax: Softmax
    labels: jax.Array
    class_weights: jax.Array | None


def softmax_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] | None = -1,
    where: jax.Array | None = None,
    *,
    label_smoothing: float = 0.0,
    class_weights: Any = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the cross entropy between the softmax of logits and label weights.

    For one-hot or soft labels; `softmax_cross_entropy_with_integer_labels` is the sibling for class numbers.

    Math:
      L = -sum_i q_i log p_i, p = softmax(logits), q_i = class_weights_i ((1 - s) labels_i + s / C), 0 log 0 = 0.
      VJP: dlogits = g (p sum_i q_i - q), dlabels = -g (1 - s) class_weights log p.

    Args:
      logits: `[*batch, C]`, floating; the classes may stand along any `axis`.
      labels: weights of the classes, of the shape of logits, or 1 along axes to repeat them along (integers not along
        the classes); the sum need not be 1.
      axis: the axis or axes of the classes; None is all.
      where: bool, of the shape of logits or of the result; classes or examples where it is False take no part.
      label_smoothing: s, from 0 to 1: how much of each label is spread over the classes that take part; it is static.
      class_weights: `[C]`, in row-major order of several axes; None is ones.
      reduction: "none", "sum", or "mean", which divides by the number of examples that take part.

    Returns:
      `[*batch]`, the shape of logits without `axis`, or one number; in the dtype of logits (of labels, where that is
      wider). A mean of nothing is nan.

    Gradient:
      Smooth. Where a label of 0 meets a logit of -inf, both gradients are 0. class_weights have none.

    Raises:
      TypeError: logits are not floating, labels or class_weights are complex, or where is not bool.
      ValueError: axis, label_smoothing or reduction is out of range, or an array does not fit the shape of logits.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> logits, labels = jnp.array([-jnp.inf, 0.0, 0.0]), jnp.array([0.0, 1.0, 0.0])
      >>> print(jaxcnn.softmax_cross_entropy(logits, labels).round(4))
      0.6931

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 6.2.
    """
    logits, labels, axes = with_class_labels(as_floating("logits", logits), "labels", labels, axis)
    config = Config(axes, canonical_smoothing(label_smoothing, logits.dtype), canonical_reduction(reduction))
    weights = canonical_class_weights(class_weights, math.prod(logits.shape[a] for a in axes))
    return _compiled_soft(logits, labels, weights, class_mask(where, logits.shape, axes), config)


def softmax_cross_entropy_with_integer_labels(
    logits: jax.Array,
    labels: jax.Array,
    axis: int | tuple[int, ...] = -1,
    where: jax.Array | None = None,
    *,
    label_smoothing: float = 0.0,
    class_weights: Any = None,
    ignore_index: int | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the cross entropy between the softmax of logits and class numbers.

    For hard labels, without a one-hot array; `softmax_cross_entropy` is the sibling for label weights.

    Math:
      L = -(1 - s) w_t log p_t - s / C sum_i w_i log p_i, p = softmax(logits), t the label, w the class weights.
      VJP: dlogits = g (p sum_i q_i - q), q_i = w_i ((1 - s) [i = t] + s / C), which is g (p - onehot) where s = 0.

    Args:
      logits: `[*batch, C]`, floating; the classes may stand along any `axis`.
      labels: `[*batch]`, integers in [0, C), or ignore_index.
      axis: the axis of the classes, or several, which then count as one in row-major order.
      where: bool, of the shape of logits or of the result; classes or examples where it is False take no part.
      label_smoothing: s, from 0 to 1: how much of each label is spread over the classes that take part; it is static.
      class_weights: `[C]`; None is ones.
      ignore_index: an int; examples with this label take no part. It is static, and may be a class or none.
      reduction: "none", "sum", or "mean", which divides by the number of examples that take part, or by the sum of
        the weights of their labels.

    Returns:
      `[*batch]`, the shape of logits without `axis`, or one number; in the dtype of logits. A label outside [0, C)
      other than ignore_index gives nan, and so does a mean of nothing.

    Gradient:
      Smooth. Labels and class_weights have none. A label outside [0, C) other than ignore_index gives nan.

    Raises:
      TypeError: logits are not floating, labels or ignore_index not integers, or where is not bool.
      ValueError: axis, label_smoothing or reduction is out of range, or an array does not fit the shape of logits.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.softmax_cross_entropy_with_integer_labels(jnp.zeros((1, 4)), jnp.array([2])).round(4))
      [1.3863]

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 6.2.
    """
    logits, labels = as_floating("logits", logits), as_indices("labels", labels)
    axes = canonical_axes(axis, logits.shape)
    batch = tuple(a for a in range(logits.ndim) if a not in axes)
    batch_shape = tuple(logits.shape[a] for a in batch)
    if labels.shape != batch_shape:
        raise ValueError(f"labels shape (={labels.shape}) must be {batch_shape} for logits of shape {logits.shape}")
    mask = class_mask(where, logits.shape, axes)
    config = Config(
        (len(batch),),
        canonical_smoothing(label_smoothing, logits.dtype),
        canonical_reduction(reduction),
        canonical_ignore_index(ignore_index, labels.dtype),
    )
    classes = tuple(logits.shape[a] for a in axes)
    weights = canonical_class_weights(class_weights, math.prod(classes))
    logits = logits.transpose(*batch, *axes).reshape(*batch_shape, math.prod(classes))
    if mask is not None:
        of_classes = (1,) * len(axes) if all(mask.shape[a] == 1 for a in axes) else classes
        mask = mask.transpose(*batch, *axes)
        mask = jnp.broadcast_to(mask, (*mask.shape[: len(batch)], *of_classes))
        mask = mask.reshape(*mask.shape[: len(batch)], math.prod(of_classes))
    return _compiled_integer(logits, labels, weights, mask, config)


def _loss(
    logits: jax.Array, labels: jax.Array, weights: jax.Array | None, where: jax.Array | None, config: Config
) -> jax.Array:
    """Return the losses, reduced. Classes that have numbers stand along the last axis of logits."""
    if config.ignore_index is not None:
        counted = (labels != np.asarray(config.ignore_index, labels.dtype))[..., None]
        where = counted if where is None else where & counted
    if weights is not None:
        wide = lax.stop_gradient(weights).astype(accumulation_dtype(logits.dtype))
        weights = class_row(wide, logits.shape, config.axes)
    count = None if where is None else jnp.any(where, config.axes)
    if weights is not None and are_numbers(labels):
        count = unmasked(count, of_label(weights, labels))
    loss = _cross_entropy(logits, labels, weights, where, config)
    return reduced(loss, config.reduction, count).astype(logits.dtype)


def _present_log_p(softmax: Softmax, q: jax.Array) -> jax.Array:
    """Return log p, 0 where a class takes no part: masked, or of weight q = 0 beside a logit of -inf."""
    absent = (q == 0) & (softmax.x == -jnp.inf)
    return unmasked(softmax.where, jnp.where(absent, jnp.zeros_like(softmax.log_p), softmax.log_p))


def _only_valid(value: jax.Array, softmax: Softmax, labels: jax.Array, config: Config) -> jax.Array:
    """Return `value` of each example, nan where the label is no class, 0 where no class takes part."""
    if are_numbers(labels):
        numbers = comparable(labels)
        valid = (numbers >= 0) & (numbers < softmax.x.shape[-1])
        value = jnp.where(valid, value, jnp.full_like(value, jnp.nan))
    return value if softmax.where is None else unmasked(jnp.any(softmax.where, config.axes), value)


def _soft_loss(
    logits: jax.Array, labels: jax.Array, weights: jax.Array | None, where: jax.Array | None, config: Config
) -> jax.Array:
    def parts() -> tuple[Softmax, jax.Array]:
        target = Target(Softmax.of(logits, where, config.axes), labels, weights, config)
        return target.softmax, target.weights()[0]

    def of_present() -> jax.Array:
        softmax, q = parts()
        return -jnp.sum(q * _present_log_p(softmax, q), config.axes)

    if where is not None:
        return of_present()
    # Looking for absent classes costs as much as all the rest, and without one there is no 0 times -inf, which is nan.
    softmax, q = parts()
    loss = -jnp.sum(q * softmax.log_p, config.axes)
    return lax.cond(jnp.any(jnp.isnan(loss)), of_present, lambda: loss)


def _integer_loss(
    logits: jax.Array, labels: jax.Array, weights: jax.Array | None, where: jax.Array | None, config: Config
) -> jax.Array:
    softmax = Softmax.of(logits, where, config.axes)
    target = Target(softmax, labels, weights, config)
    label_logit = jnp.take_along_axis(widen(logits), comparable(labels)[..., None], -1, mode="clip")
    loss = jnp.log(softmax.total) - (label_logit - softmax.top)
    loss = (target.share * jnp.where(target.share == 0, jnp.zeros_like(loss), loss))[..., 0]
    if config.smoothing:
        loss -= jnp.sum(target.spread * _present_log_p(softmax, target.spread), config.axes)
    return _only_valid(loss, softmax, labels, config)


def _cross_entropy_impl(
    logits: jax.Array, labels: jax.Array, weights: jax.Array | None, where: jax.Array | None, config: Config
) -> jax.Array:
    of_labels = _integer_loss if are_numbers(labels) else _soft_loss
    return of_labels(logits, labels, weights, where, config)


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _cross_entropy(
    logits: jax.Array, labels: jax.Array, weights: jax.Array | None, where: jax.Array | None, config: Config
) -> jax.Array:
    return _cross_entropy_impl(logits, labels, weights, where, config)


def _cross_entropy_fwd(
    logits: jax.Array, labels: jax.Array, weights: jax.Array | None, where: jax.Array | None, config: Config
) -> tuple[jax.Array, Residuals]:
    loss = _cross_entropy_impl(logits, labels, weights, where, config)
    # The operands, and two numbers an example.
    return loss, Residuals(Softmax.of(logits, where, config.axes), labels, weights)


def _cross_entropy_bwd(
    config: Config, residuals: Residuals, g: jax.Array
) -> tuple[jax.Array, jax.Array | None, None, None]:
    softmax, labels, weights = residuals
    target = Target(softmax, labels, weights, config)
    q, total = target.weights()
    g = jnp.expand_dims(_only_valid(g, softmax, labels, config), config.axes)
    dlogits = (g * (softmax.weights * (total / softmax.total) - q)).astype(softmax.x.dtype)
    if are_numbers(labels):
        return dlogits, None, None, None
    return dlogits, (-g * target.kept * _present_log_p(softmax, q)).astype(labels.dtype), None, None


_cross_entropy.defvjp(_cross_entropy_fwd, _cross_entropy_bwd)
_compiled_soft = compiled(_loss, "softmax_cross_entropy", static_argnums=(4,))
_compiled_integer = compiled(_loss, "softmax_cross_entropy_with_integer_labels", static_argnums=(4,))
