"""Focal loss: the binary cross entropy, weighed by how wrong each decision is, one value an element.

    L = a b^gamma c

with p = sigmoid(z), the label y, the cross entropy c = -y log p - (1 - y) log(1 - p), the probability of a mistake
b = (1 - y) p + y (1 - p), and a = alpha y + (1 - alpha) (1 - y), or 1.

Derivation. dc/dz = p - y and dc/dy = -z (see `binary_losses`); db/dz = (1 - 2 y) p (1 - p) and db/dy = 1 - 2 p; so

    dz = g a b^gamma (p - y + gamma c (db/dz) / b)
    dy = g a b^gamma (-z + gamma c (db/dy) / b) + g (2 alpha - 1) b^gamma c

With e = exp(-|z|) and d = 1 - y where z > 0, else y: (1 + e) b = d + (1 - d) e =: m, (db/dz) / b = (1 - 2 y) e / m /
(1 + e), and (db/dy) / b = -(1 - e) / m where z > 0, else (1 - e) / m.

Where d is 0 the decision is the label, and m, c and dc/dz are about e, which may be too small for its dtype. There they
are divided by e, m / e = 1 + d (1 - e) / e with the derivative of m in the label, and b^gamma e = exp(-(gamma + 1) |z|)
(m / e / (1 + e))^gamma has the exponential as two factors (see `_exponentials`). The whole part of gamma, up to 8,
multiplies; only the rest of it takes a logarithm, whose error grows with it.

Residuals: the operands, which exist anyway. Everything is computed in float32 or wider and cast once.

References: Lin et al. 2017, "Focal loss for dense object detection", arXiv:1708.02002.
"""

import math
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.ops._axes import as_mask
from jaxcnn.ops._binary_loss import Denied, binary_loss
from jaxcnn.ops._dtypes import as_floating, as_static_number
from jaxcnn.ops._exp import Factors, exp_factors
from jaxcnn.ops._exponentials import decay_argument, decay_factors, expm1, log1p_over, plus
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
      gamma: a Python number, from 0 to 1e10; it is static.
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
    if not 0 <= power <= _LARGEST:
        raise ValueError(f"gamma (={gamma!r}) must be from 0 to {_LARGEST:g}")
    share = None if alpha is None else as_static_number("alpha", alpha, logits.dtype)
    if share is not None and not 0 <= share <= 1:
        raise ValueError(f"alpha (={alpha!r}) must be from 0 to 1")
    mask, reduction = as_mask(where, logits.shape), canonical_reduction(reduction)
    return _sigmoid_focal_loss(logits, labels, (), mask, reduction, share, power)


_LEAST = {"float32": 2.0**-60, "float64": 2.0**-500}  # of the e by which is divided: its square is a number too
_LARGEST = 1e10  # beyond it the rounding error of gamma log b exceeds what exp makes small
_WHOLE = 8  # the most factors b of b^gamma that are multiplied


class _Terms(NamedTuple):
    """What value and cotangents share. Where d is 0, "in e" means divided by e."""

    denied: Denied
    size: jax.Array  # |z|
    sure: jax.Array  # whether d is 0
    e: jax.Array  # at least so much that it may divide
    less: jax.Array  # 1 - e
    m: jax.Array  # in e
    cost: jax.Array  # the cross entropy, in e
    bounded: jax.Array  # the same, where e and an infinite |z| are multiplied

    @classmethod
    def of(cls, z: jax.Array, y: jax.Array) -> "_Terms":
        denied = Denied.of(z, y, 1 - y)
        d, distance, sure = denied.d, denied.distance, denied.d == 0
        e, less = jnp.maximum(denied.e, _LEAST[z.dtype.name]), -expm1(-distance)
        m = jnp.where(sure, 1 + d * (less / e), d + (1 - d) * denied.e)
        over = log1p_over(denied.e)
        short = jnp.minimum(distance, 1e4)  # beyond it e is 0 in every dtype
        of_sure = over + d * (short / e)
        cost, bounded = (jnp.where(sure, of_sure, denied.e * over + d * each) for each in (distance, short))
        return cls(denied, jnp.where(denied.positive, z, -z), sure, e, less, m, cost, bounded)

    def power(self, gamma: float, with_e: bool, over: int) -> Factors:
        """Return near and far with near * far = b^gamma / (1 + e)^over, and, where d is 0, times e if `with_e`."""
        rate, size = Fraction(gamma) + with_e, jnp.where(self.sure, -self.size, 0.0)
        whole = min(int(gamma), _WHOLE)
        if gamma > whole:
            softplus = self.denied.e * log1p_over(self.denied.e)
            of_rest = (gamma - whole) * (jnp.log(self.m) - softplus)
            near, far = exp_factors(*plus(decay_argument(size, rate), of_rest))
        else:
            near, far = decay_factors(size, rate) if rate else (1.0, jnp.ones_like(size))
        return near, far * jax.lax.integer_pow(self.m, whole) / _power_of_1_plus(self.denied.e, whole + over)

    def slope_of_cost(self, y: jax.Array) -> jax.Array:
        """Return (1 + e) dc/dz, in e."""
        unit, e = jnp.where(self.sure, self.e, 1.0), jnp.where(self.sure, 1.0, self.denied.e)
        return jnp.where(self.denied.positive, (1 - y) / unit - y * e, (1 - y) * e - y / unit)


def _power_of_1_plus(e: jax.Array, n: int) -> jax.Array:
    """Return (1 + e)^n, for e from 0 to 1, by the binomial series: the rounding of one sum or two, and not n."""
    value = jnp.ones_like(e)
    for k in range(n - 1, -1, -1):
        value = math.comb(n, k) + e * value
    return value


def _share(y: jax.Array, alpha: float | None) -> jax.Array | float:
    return 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)


def _focal_impl(z: jax.Array, y: jax.Array, alpha: float | None, gamma: float) -> jax.Array:
    terms = _Terms.of(z, y)
    near, far = terms.power(gamma, with_e=True, over=0)
    return _share(y, alpha) * near * (far * terms.cost)


def _focal_cotangents(
    g: jax.Array, z: jax.Array, y: jax.Array, alpha: float | None, gamma: float
) -> tuple[jax.Array, jax.Array]:
    terms, a = _Terms.of(z, y), _share(y, alpha)
    near, far = terms.power(gamma, with_e=True, over=1)
    ratio = jnp.where(terms.sure, 1.0, terms.denied.e) / terms.m  # e / m
    dz = g * near * (far * (a * (terms.slope_of_cost(y) + gamma * terms.bounded * ((1 - 2 * y) * ratio))))
    near, far = terms.power(gamma, with_e=False, over=0)
    of_b = gamma * terms.less * (terms.cost / terms.m)
    dy = a * (jnp.where(terms.denied.positive, -of_b, of_b) - terms.denied.z)
    if alpha is not None:
        dy = dy + (2 * alpha - 1) * (terms.cost * jnp.where(terms.sure, terms.denied.e, 1.0))
    return dz, g * near * (far * dy)


_sigmoid_focal_loss = binary_loss("sigmoid_focal_loss", _focal_impl, _focal_cotangents, static=2)
