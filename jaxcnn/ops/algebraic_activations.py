"""Smooth activations without an exponential, y = f(x): each element depends on its own x alone, so dx = g f'(x).

    soft_sign   y = x / (1 + |x|)            dx = g / (1 + |x|)^2
    squareplus  y = (x + s) / 2              dx = g (1 + x / s) / 2, with s = sqrt(x^2 + b)

soft_sign': above 0, y' = (1 + x - x) / (1 + x)^2, and y is odd. squareplus': s' = x / s.

For x below 0, x + s and 1 + x / s keep no digits. With t = (s + |x|) / 2, whose terms have one sign, (s - |x|) / 2 is
b / (4 t), as (s - |x|) (s + |x|) = b, and s is the sum of the two. So, with v = y / f(0) = 2 y / sqrt(b),

    above 0   y = t            y' = (s + |x|) / (2 s) = t / (t + b / (4 t)) = v^2 / (1 + v^2)
    below 0   y = b / (4 t)    y' = (s - |x|) / (2 s) = y / (y + b / (4 y)) = v^2 / (1 + v^2)

g is multiplied with one factor after the other, none of which is too large or too small where the product is not.

Residuals: soft_sign keeps x, for 1 - |y| keeps no digits of a y near 1 or -1; squareplus y, which the next layer keeps
anyway, or x in half precision, where y is rounded.

Half precision computes in float32 and is cast once.

References: Turian, Bergstra and Bengio 2009 (soft_sign); Barron 2021, arXiv:2112.11687 (squareplus).
"""

import math

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_floating, as_static_number, is_half, widen
from jaxcnn.ops._rule import elementwise


def soft_sign(x: jax.Array) -> jax.Array:
    """Map every element into (-1, 1), towards the ends as 1 / x.

    `tanh` is the sibling that comes close to the ends sooner.

    Math:
      y = x / (1 + |x|). VJP: dx = g / (1 + |x|)^2.

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x; 1 and -1 at the infinities, where jax.nn has nan.

    Gradient:
      Continuous, 1 at x = 0. The second derivative jumps there, from 2 to -2, which it has at 0.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.soft_sign(jnp.array([-jnp.inf, 0.0, 3.0])))
      [-1.    0.    0.75]

    References:
      Turian, Bergstra and Bengio 2009, "Quadratic features and deep architectures for chunking".
    """
    return _soft_sign(as_floating("x", x))


def _soft_sign_impl(x: jax.Array) -> jax.Array:
    wide = widen(x)
    largest = float(jnp.finfo(wide.dtype).max)
    finite = jnp.clip(wide, -largest, largest)  # infinity over infinity would be nan
    return (finite / (1 + jnp.abs(finite))).astype(x.dtype)


def _soft_sign_cotangent(x: jax.Array, g: jax.Array) -> jax.Array:
    root = 1 / (1 + jnp.abs(widen(x)))
    return (widen(g) * root * root).astype(g.dtype)


_soft_sign = elementwise("soft_sign", _soft_sign_impl, residual=lambda x, y: x, cotangent=_soft_sign_cotangent)


def squareplus(x: jax.Array, b: float = 4) -> jax.Array:
    """Map every element to a positive number, like `softplus` but without exponential.

    The larger b is, the rounder is the bend at 0; `relu` is the limit of b = 0.

    Math:
      y = (x + s) / 2, s = sqrt(x^2 + b). VJP: dx = g (1 + x / s) / 2.

    Args:
      x: floating, any shape.
      b: a Python number from 2^-60 to 2^60; it is static.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth; 0 at -infinity and 1 at infinity, where jax.nn has nan.

    Raises:
      TypeError: x is not floating, or b is not a static number.
      ValueError: b is out of range.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.squareplus(jnp.array([-jnp.inf, 0.0, 1.5])))
      [0. 1. 2.]

    References:
      Barron 2021, "Squareplus: a softplus-like algebraic rectifier", arXiv:2112.11687.
    """
    x, b = as_floating("x", x), as_static_number("b", b)
    if not 2.0**-60 <= b <= 2.0**60:
        raise ValueError(f"b (={b!r}) must be from 2^-60 to 2^60; for b = 0 take relu")
    return _squareplus(x, b)


def _wide_squareplus(x: jax.Array, b: float) -> jax.Array:
    size = jnp.where(x < 0, -x, x)  # |x|, and x = 0 has the derivative of x > 0
    near = jnp.minimum(size, 2.0**60)  # beyond, x^2 may be infinite, and s is |x|
    s = jnp.maximum(size, jnp.sqrt(near * near + b))
    t = s / 2 + size / 2
    return jnp.where(x < 0, b / 4 / t, t)


def _squareplus_cotangent(saved: jax.Array, g: jax.Array, b: float) -> jax.Array:
    y = _wide_squareplus(widen(saved), b) if is_half(saved) else saved
    v = jnp.minimum(y * (2 / math.sqrt(b)), 2.0**28)  # beyond, the slope is 1
    below = v < 1
    root, rest = jnp.where(below, v, 1.0), jnp.where(below, 1.0, v)
    return (widen(g) * root * (rest * (v / (1 + v * v)))).astype(g.dtype)


_squareplus = elementwise(
    "squareplus",
    lambda x, b: _wide_squareplus(widen(x), b).astype(x.dtype),
    residual=lambda x, y, b: x if is_half(x) else y,
    cotangent=_squareplus_cotangent,
    static=1,
)
