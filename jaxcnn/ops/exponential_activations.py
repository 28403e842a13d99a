"""Exponential linear units: linear above 0, an exponential that levels off below.

    y = a x where x > 0, else b (exp(c x) - 1)

    elu    a = 1       b = alpha          c = 1
    celu   a = 1       b = alpha          c = 1 / alpha
    selu   a = scale   b = scale alpha    c = 1             scale and alpha keep mean 0 and variance 1

Derivation. y' = a above 0, and below

    y' = b c exp(c x) = c (y + b)    as b exp(c x) = y + b

Kink: at x = 0 the slope is that from below, b c, as in jax.nn; in celu both sides have 1.

Residuals: y, which the next layer keeps anyway; it tells the side, for y and x have the same sign where b c >= 0. Where
b c < 0, x is kept. So it is in half precision, where y is rounded and y + b, near y = -b, keeps none of its digits.

exp(c x) may be too small for the dtype where g exp(c x) is not, so half precision multiplies by its root twice. It
computes in float32 and is cast once.

References: Clevert, Unterthiner and Hochreiter 2015, arXiv:1511.07289 (elu); Barron 2017, arXiv:1704.07483 (celu);
Klambauer et al. 2017, arXiv:1706.02515 (selu).
"""

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_floating, as_static_number, is_half, widen
from jaxcnn.ops._rule import elementwise

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def elu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """Let negative elements level off at -alpha.

    `celu` is the sibling without a kink for any alpha, `selu` the one for networks without norms.

    Math:
      y = x where x > 0, else alpha (exp(x) - 1). VJP: dx = g where x > 0, else g alpha exp(x) = g (y + alpha).

    Args:
      x: floating, any shape.
      alpha: a Python number; it is static.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      alpha at x = 0, as in jax.nn. In float32 and wider it is computed from y, so that it ends where y rounds to
      -alpha.

    Raises:
      TypeError: x is not floating, or alpha is not a static number.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.elu(jnp.array([-jnp.inf, 0.0, 2.0]), 0.5))
      [-0.5  0.   2. ]

    References:
      Clevert, Unterthiner and Hochreiter 2015, "Fast and accurate deep network learning by exponential linear units",
      arXiv:1511.07289.
    """
    x = as_floating("x", x)
    return _elu(x, 1.0, as_static_number("alpha", alpha, x.dtype), 1.0)


def celu(x: jax.Array, alpha: float = 1.0) -> jax.Array:
    """Let negative elements level off at -alpha, without a kink.

    `elu` is the sibling whose slope jumps at 0 where alpha is not 1.

    Math:
      y = x where x > 0, else alpha (exp(x / alpha) - 1).
      VJP: dx = g where x > 0, else g exp(x / alpha) = g (y / alpha + 1).

    Args:
      x: floating, any shape.
      alpha: a Python number other than 0; it is static.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Continuous, 1 at x = 0. In float32 and wider it is computed from y, so that it ends where y rounds to -alpha.

    Raises:
      TypeError: x is not floating, or alpha is not a static number.
      ValueError: alpha is 0.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.celu(jnp.array([-jnp.inf, 0.0, 2.0]), 0.5))
      [-0.5  0.   2. ]

    References:
      Barron 2017, "Continuously differentiable exponential linear units", arXiv:1704.07483.
    """
    x = as_floating("x", x)
    alpha = as_static_number("alpha", alpha, x.dtype)
    if alpha == 0:
        raise ValueError(f"alpha (={alpha!r}) must not be 0")
    return _celu(x, 1.0, alpha, 1 / alpha)


def selu(x: jax.Array) -> jax.Array:
    """Scale elements, and let negative ones level off, so that mean 0 and variance 1 are kept.

    For networks without norms; `elu` is the sibling with its own alpha.

    Math:
      y = scale x where x > 0, else scale alpha (exp(x) - 1), scale = 1.0507..., alpha = 1.6732...
      VJP: dx = scale g where x > 0, else g scale alpha exp(x) = g (y + scale alpha).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      scale alpha, 1.7580..., at x = 0, as in jax.nn. In float32 and wider it is computed from y, so that it ends where
      y rounds to -scale alpha.

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


def _below(x: jax.Array, c: float) -> jax.Array:
    """Return c x where x is not above 0, else 0, for what is not selected must be finite."""
    return jnp.where(x > 0, 0.0, c * x)


def _impl(x: jax.Array, a: float, b: float, c: float) -> jax.Array:
    wide = widen(x)
    return jnp.where(wide > 0, a * wide, b * jnp.expm1(_below(wide, c))).astype(x.dtype)


def _keeps_x(x: jax.Array, b: float, c: float) -> bool:
    return is_half(x) or b * c < 0


def _residual(x: jax.Array, y: jax.Array, a: float, b: float, c: float) -> jax.Array:
    del a
    return x if _keeps_x(x, b, c) else y


def _cotangent(saved: jax.Array, g: jax.Array, a: float, b: float, c: float) -> jax.Array:
    if not _keeps_x(saved, b, c):
        return jnp.where(saved > 0, a * g, g * (c * (saved + b)))
    wide, wide_g = widen(saved), widen(g)
    root = jnp.exp(_below(wide, c) / 2)
    return jnp.where(wide > 0, a * wide_g, (b * c) * wide_g * root * root).astype(g.dtype)


_elu, _celu, _selu = (elementwise(name, _impl, _residual, _cotangent, static=3) for name in ("elu", "celu", "selu"))
