"""Losses of independent yes-or-no decisions, one value an element: a logit or score z and a label y.

Binary cross entropy, with p = sigmoid(z) and the weight w of positive labels: L = -w y log p - (1 - y) log(1 - p). A
weight of each element multiplies L, and so g; an element of weight 0 takes no part, where the loss is infinite too.

Derivation. d log p / dz = 1 - p and d log(1 - p) / dz = -p, so

    dz = g ((1 - y) p - w y (1 - p))        dy = g (log(1 - p) - w log p)

where log(1 - p) - log p = -z, so that dy = -g z where w is 1. Both logarithms are -log(1 + exp(-|z|)), one less |z|.

Hinge loss: L = max(0, 1 - z y).

Derivation. Where 1 - z y > 0, dz = -g y and dy = -g z. Elsewhere, and at the kink 1 - z y = 0, both are 0.

Residuals: the operands, which exist anyway. Everything is computed in float32 or wider and cast once.

References: Goodfellow, Bengio and Courville 2016, "Deep learning", section 6.2.2; Cortes and Vapnik 1995,
"Support-vector networks".
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._axes import as_mask, of_rank
from jaxcnn.ops._binary_loss import Denied, binary_loss
from jaxcnn.ops._dtypes import as_floating
from jaxcnn.ops._losses import as_real, canonical_reduction, with_labels
from jaxcnn.ops._softmax import unmasked


def sigmoid_binary_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    *,
    pos_weight: Any = None,
    weight: Any = None,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the cross entropy between the sigmoid of each logit and its label.

    For classes that do not exclude each other; `softmax_cross_entropy` is the one for a choice among classes.

    Math:
      L = weight (-pos_weight labels log p - (1 - labels) log(1 - p)), p = sigmoid(logits), 0 log 0 = 0.
      VJP: dlogits = g weight ((1 - labels) p - pos_weight labels (1 - p)),
      dlabels = g weight (log(1 - p) - pos_weight log p).

    Args:
      logits: floating, any shape.
      labels: probabilities from 0 to 1, or bools or integers 0 and 1; one number, or of the shape of logits, or 1
        along axes to repeat them along.
      pos_weight: what positive labels weigh, a number for each class for example, broadcastable to logits; None is 1.
      weight: what each element weighs, broadcastable to logits; None is 1. A mean divides by the number of elements all
        the same, as torch's.
      where: bool, broadcastable to logits; elements where it is False take no part.
      reduction: "none", "sum", or "mean", which divides by the number of elements that take part.

    Returns:
      An array of the shape of logits, or one number; in the dtype of logits (of labels, where that is wider).

    Gradient:
      Smooth; finite at infinite logits, where 0 log 0 has the gradient 0. pos_weight and weight have none.

    Raises:
      TypeError: logits are not floating, labels, pos_weight or weight are complex, or where is not bool.
      ValueError: the shapes do not fit, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.sigmoid_binary_cross_entropy(jnp.array([0.0, jnp.inf]), jnp.array([1, 1])).round(4))
      [0.6931 0.    ]

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 6.2.2.
    """
    logits, labels = with_labels(as_floating("logits", logits), "labels", labels, number=True)
    weights = tuple(
        None if given is None else of_rank(name, as_real(name, given), logits.shape)
        for name, given in (("pos_weight", pos_weight), ("weight", weight))
    )
    mask, reduction = as_mask(where, logits.shape), canonical_reduction(reduction)
    return _sigmoid_binary_cross_entropy(logits, labels, weights, mask, reduction)


def _bce(z: jax.Array, y: jax.Array, pos_weight: jax.Array | None, weight: jax.Array | None) -> jax.Array:
    if weight is not None:
        z, y, weight = _weighed(z, y, weight)
        return weight * _bce(z, y, pos_weight, None)
    yes = y if pos_weight is None else pos_weight.astype(y.dtype) * y
    denied = Denied.of(z, yes, 1 - y)
    softplus = denied.softplus
    if pos_weight is not None:
        softplus = (yes + (1 - y)) * softplus
    return softplus + denied.d * denied.distance


def _weighed(z: jax.Array, y: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return a logit and a label, 0 where their weight is 0, and the weight in their dtype."""
    counted = weight != 0
    return unmasked(counted, z), unmasked(counted, y), weight.astype(z.dtype)


def _bce_cotangents(
    g: jax.Array, z: jax.Array, y: jax.Array, pos_weight: jax.Array | None, weight: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    if weight is not None:
        z, y, weight = _weighed(z, y, weight)
        g = g * weight
    if pos_weight is None:
        denied = Denied.of(z, y, 1 - y)
        return g * denied.slope(y, 1 - y), -g * denied.z
    w = pos_weight.astype(y.dtype)
    denied = Denied.of(z, w * y, 1 - y)
    of_labels = (w - 1) * denied.softplus - jnp.where(denied.positive, denied.distance, -w * denied.distance)
    return g * denied.slope(w * y, 1 - y), g * of_labels


_sigmoid_binary_cross_entropy = binary_loss("sigmoid_binary_cross_entropy", _bce, _bce_cotangents)


def hinge_loss(
    predictor_outputs: jax.Array,
    targets: jax.Array,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take what a score lacks of the margin 1 on the side of its label, which is 1 or -1.

    The loss of support-vector machines; `sigmoid_binary_cross_entropy` is the smooth one, for labels 1 and 0.

    Math:
      L = max(0, 1 - predictor_outputs targets).
      VJP: dpredictor_outputs = -g targets and dtargets = -g predictor_outputs where L > 0, else 0.

    Args:
      predictor_outputs: floating, any shape.
      targets: 1 or -1; one number, or of the shape of predictor_outputs, or 1 along axes to repeat them along.
      where: bool, broadcastable to predictor_outputs; elements where it is False take no part.
      reduction: "none", "sum", or "mean", which divides by the number of elements that take part.

    Returns:
      An array of the shape of predictor_outputs, or one number; in the dtype of predictor_outputs (of targets, where
      that is wider). A NaN stays NaN.

    Gradient:
      0 at the kink predictor_outputs targets = 1, where optax has half the slope.

    Raises:
      TypeError: predictor_outputs are not floating, targets are complex, or where is not bool.
      ValueError: the shapes do not fit, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.hinge_loss(jnp.array([0.25, 3.0, 3.0]), jnp.array([1, 1, -1])))
      [0.75 0.   4.  ]

    References:
      Cortes and Vapnik 1995, "Support-vector networks".
    """
    scores, targets = with_labels(as_floating("predictor_outputs", predictor_outputs), "targets", targets, number=True)
    return _hinge_loss(scores, targets, (), as_mask(where, scores.shape), canonical_reduction(reduction))


def _hinge_impl(z: jax.Array, y: jax.Array) -> jax.Array:
    zero = jnp.zeros_like(z)
    enough = 1 - z * y <= 0  # not at NaN
    z, y = jnp.where(enough, zero, z), jnp.where(enough, zero, y)  # infinity would give nan in the second derivative
    return jnp.where(enough, zero, 1 - z * y)


def _hinge_cotangents(g: jax.Array, z: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    enough = 1 - z * y <= 0
    return jnp.where(enough, jnp.zeros_like(z), -g * y), jnp.where(enough, jnp.zeros_like(z), -g * z)


_hinge_loss = binary_loss("hinge_loss", _hinge_impl, _hinge_cotangents)
