"""Exponential linear units: linear above 0, an exponential that levels off below.

    y = a x where x > 0, else b (exp(x / d) - 1)

    elu    a = 1       b = alpha          d = 1
    celu   a = 1       b = alpha          d = alpha
    selu   a = scale   b = scale alpha    d = 1             scale and alpha keep mean 0 and variance 1

Derivation. y' = a above 0, and (b / d) exp(x / d) below.

Kink: at x = 0 the slope is that from below, b / d, as in jax.nn; in celu both sides have 1.

Residuals: x. From y the slope would be (y + b) / d, as b exp(x / d) = y + b, which keeps none of its digits of a y near
-b: elu' is 2e-9 at x = -20, and -1 + 1 is 0.

exp(x / d) comes as the two factors of `_exponentials`, for it may be too small for the dtype where g exp(x / d) is not.
Half precision computes in float32 and is cast once.

References: Clevert, Unterthiner and Hochreiter 2015, arXiv:1511.07289 (elu); Barron 2017, arXiv:1704.07483 (celu);
Klambauer et al. 2017, arXiv:1706.02515 (selu).
"""

from fractions import Fraction

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_finite_number, as_floating, widen
from jaxcnn.ops._exponentials import decay_factors, is_small, series_of_expm1
from jaxcnn.ops._rule import elementwise

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def elu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """Let negative elements level off at -alpha.

    `celu` is the sibling without a kink for any alpha, `selu` the one for networks without norms.

    Math:
      y = x where x > 0, else alpha (exp(x) - 1). VJP: dx = g where x > 0, else g alpha exp(x).

    Args:
      x: floating, any shape.
      alpha: a Python number; it is static.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      alpha at x = 0, as in jax.nn.

    Raises:
      TypeError: x is not floating, or alpha is not a static number.
      ValueError: alpha is not finite.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.elu(jnp.array([-jnp.inf, 0.0, 2.0]), 0.5))
      [-0.5  0.   2. ]

    References:
      Clevert, Unterthiner and Hochreiter 2015, "Fast and accurate deep network learning by exponential linear units",
      arXiv:1511.07289.
    """
    x = as_floating("x", x)
    return _elu(x, 1.0, as_finite_number("alpha", alpha, x.dtype), 1.0)


def celu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """Let negative elements level off at -alpha, without a kink.

    `elu` is the sibling whose slope jumps at 0 where alpha is not 1.

    Math:
      y = x where x > 0, else alpha (exp(x / alpha) - 1).
      VJP: dx = g where x > 0, else g exp(x / alpha).

    Args:
      x: floating, any shape.
      alpha: a finite Python number other than 0; it is static.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Continuous, 1 at x = 0.

    Raises:
      TypeError: x is not floating, or alpha is not a static number.
      ValueError: alpha is 0 or not finite.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.celu(jnp.array([-jnp.inf, 0.0, 2.0]), 0.5))
      [-0.5  0.   2. ]

    References:
      Barron 2017, "Continuously differentiable exponential linear units", arXiv:1704.07483.
    """
    x = as_floating("x", x)
    alpha = as_finite_number("alpha", alpha, x.dtype)
    if alpha == 0:
        raise ValueError(f"alpha (={alpha!r}) must not be 0")
    return _celu(x, 1.0, alpha, alpha)


def selu(x: jax.Array) -> jax.Array:
    """Scale elements, and let negative ones level off, so that mean 0 and variance 1 are kept.

    For networks without norms; `elu` is the sibling with its own alpha.

    Math:
      y = scale x where x > 0, else scale alpha (exp(x) - 1), scale = 1.0507..., alpha = 1.6732...
      VJP: dx = scale g where x > 0, else g scale alpha exp(x).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      scale alpha, 1.7580..., at x = 0, as in jax.nn.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print("{:.4f} {:.4f}".format(*jaxcnn.selu(jnp.array([-jnp.inf, 1.0]))))
      -1.7581 1.0507

    References:
      Klambauer, Unterthiner, Mayr and Hochreiter 2017, "Self-normalizing neural networks", arXiv:1706.02515.
    """
    return _selu(as_floating("x", x), _SELU_SCALE, _SELU_SCALE * _SELU_ALPHA, 1.0)


def _below(x: jax.Array) -> jax.Array:
    """Return x where it is not above 0, else 0, for what is not selected must be finite."""
    return jnp.where(x > 0, 0.0, x)


def _impl(x: jax.Array, a: float, b: float, d: float) -> jax.Array:
    wide = widen(x)
    below = _below(wide)
    power = below / abs(d)
    # x (b / d) and not x / d times b, for x / d may be too small for the dtype.
    small, large = below * (b / abs(d)) * series_of_expm1(power), b * (jnp.exp(power) - 1)
    level = jnp.where(is_small(power), small, large)
    if d < 0:  # exp(z) - 1 = -exp(z) (exp(-z) - 1)
        near, far = decay_factors(below, 1 / Fraction(abs(d)))
        level = -level / near / far
    return jnp.where(wide > 0, a * wide, level).astype(x.dtype)


def _cotangent(x: jax.Array, g: jax.Array, a: float, b: float, d: float) -> jax.Array:
    wide, wide_g = widen(x), widen(g)
    near, far = decay_factors(_below(wide), 1 / Fraction(abs(d)))
    level = b / d * wide_g
    return jnp.where(wide > 0, a * wide_g, level * near * far if d > 0 else level / near / far).astype(g.dtype)


_elu, _celu, _selu = (
    elementwise(name, _impl, residual=lambda x, *_: x, cotangent=_cotangent, static=3)
    for name in ("elu", "celu", "selu")
)
