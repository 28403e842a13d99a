"""Focal loss: the binary cross entropy, weighed by how wrong each decision is, one value an element.

    L = a b^gamma c

with p = sigmoid(z), the label y, the cross entropy c = -y log p - (1 - y) log(1 - p), the probability of a mistake
b = (1 - y) p + y (1 - p), and a = alpha y + (1 - alpha) (1 - y), or 1.

Derivation. dc/dz = p - y and dc/dy = -z (see `binary_losses`); db/dz = (1 - 2 y) p (1 - p) and db/dy = 1 - 2 p; so

    dz = g a b^gamma (p - y + gamma c (db/dz) / b)
    dy = g a b^gamma (-z + gamma c (db/dy) / b) + g (2 alpha - 1) b^gamma c

With e = exp(-|z|) and d = 1 - y where z > 0, else y: (1 + e) b = d + (1 - d) e =: m, (db/dz) / b = (1 - 2 y) e / m /
(1 + e), and (db/dy) / b = -(1 - e) / m where z > 0, else (1 - e) / m. b^gamma is exp(gamma log b), where log b is
log m - log(1 + e), or -|z| - log(1 + e) where e is too small for its dtype and d is 0.

Residuals: the operands, which exist anyway. Everything is computed in float32 or wider and cast once.

References: Lin et al. 2017, "Focal loss for dense object detection", arXiv:1708.02002.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.ops._axes import as_mask
from jaxcnn.ops._binary_loss import Denied, binary_loss
from jaxcnn.ops._dtypes import as_floating, as_static_number
from jaxcnn.ops._losses import canonical_reduction, with_labels


def sigmoid_focal_loss(
    logits: jax.Array,
    labels: jax.Array,
    alpha: float | None = None,
    gamma: float = 2.0,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the binary cross entropy times a power of how far each decision is from right.

    For rare positives among many easy negatives, as in detection; gamma = 0 is `sigmoid_binary_cross_entropy`.

    Math:
      L = a b^gamma c, c the binary cross entropy, b = (1 - labels) p + labels (1 - p), p = sigmoid(logits),
      a = alpha labels + (1 - alpha) (1 - labels), or 1.
      VJP: dlogits = g a b^gamma (dc/dlogits + gamma c (1 - 2 labels) p (1 - p) / b), dlabels as in the module's text.

    Args:
      logits: floating, any shape.
      labels: probabilities from 0 to 1, or bools or integers 0 and 1; one number, or of the shape of logits, or 1
        along axes to repeat them along.
      alpha: None, or a Python number from 0 to 1, the weight of positive labels; it is static.
      gamma: a Python number, at least 0; it is static.
      where: bool, broadcastable to logits; elements where it is False take no part.
      reduction: "none", "sum", or "mean", which divides by the number of elements that take part.

    Returns:
      An array of the shape of logits, or one number; in the dtype of logits (of labels, where that is wider).

    Gradient:
      Smooth; that of logits is finite at infinite ones. That of labels is not defined where the loss is infinite.

    Raises:
      TypeError: logits are not floating, labels are complex, where is not bool, or alpha or gamma is not static.
      ValueError: the shapes do not fit, alpha or gamma is out of range, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.sigmoid_focal_loss(jnp.array(0.0), jnp.array(1)).round(4))
      0.1733

    References:
      Lin et al. 2017, arXiv:1708.02002.
    """
    logits, labels = with_labels(as_floating("logits", logits), "labels", labels, number=True)
    power = as_static_number("gamma", gamma, logits.dtype)
    if not 0 <= power < math.inf:
        raise ValueError(f"gamma (={gamma!r}) must be at least 0 and finite")
    share = None if alpha is None else as_static_number("alpha", alpha, logits.dtype)
    if share is not None and not 0 <= share <= 1:
        raise ValueError(f"alpha (={alpha!r}) must be from 0 to 1")
    mask, reduction = as_mask(where, logits.shape), canonical_reduction(reduction)
    return _sigmoid_focal_loss(logits, labels, (), mask, reduction, share, power)


class _Terms(NamedTuple):
    """What value and cotangents share."""

    denied: Denied
    softplus: jax.Array  # log(1 + e)
    m: jax.Array  # 1 where it is too small
    power: jax.Array  # b^gamma
    a: jax.Array | float

    @classmethod
    def of(cls, z: jax.Array, y: jax.Array, alpha: float | None, gamma: float) -> "_Terms":
        denied = Denied.of(z, y, 1 - y)
        softplus = jnp.log1p(denied.e)
        m = denied.d + (1 - denied.d) * denied.e
        tiny = m < jnp.finfo(m.dtype).tiny
        m = jnp.where(tiny, jnp.ones_like(m), m)
        log_b = jnp.where(tiny, -denied.distance, jnp.log(m)) - softplus
        a = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
        return cls(denied, softplus, m, jnp.exp(gamma * log_b), a)

    @property
    def cost(self) -> jax.Array:
        """The cross entropy."""
        return self.softplus + self.denied.d * self.denied.distance


def _focal_impl(z: jax.Array, y: jax.Array, alpha: float | None, gamma: float) -> jax.Array:
    terms = _Terms.of(z, y, alpha, gamma)
    return terms.a * terms.power * terms.cost


def _focal_cotangents(
    g: jax.Array, z: jax.Array, y: jax.Array, alpha: float | None, gamma: float
) -> tuple[jax.Array, jax.Array]:
    terms = _Terms.of(z, y, alpha, gamma)
    denied, e, scaled = terms.denied, terms.denied.e, g * terms.power
    # Beyond 10000 e is 0 in every dtype, but times an infinite distance it would be nan.
    near = terms.softplus + denied.d * jnp.minimum(denied.distance, 1e4)
    dz = denied.slope(y, 1 - y) + gamma * near * ((1 - 2 * y) * e / (terms.m * (1 + e)))
    dy = gamma * terms.cost * (jnp.where(denied.positive, e - 1, 1 - e) / terms.m) - denied.z
    of_alpha = 0.0 if alpha is None else (2 * alpha - 1) * terms.cost
    return scaled * terms.a * dz, scaled * (terms.a * dy + of_alpha)


_sigmoid_focal_loss = binary_loss("sigmoid_focal_loss", _focal_impl, _focal_cotangents, static=2)
