"""Smooth activations without an exponential, y = f(x): each element depends on its own x alone, so dx = g f'(x).

    soft_sign   y = x / (1 + |x|)            dx = g / (1 + |x|)^2
    squareplus  y = (x + s) / 2              dx = g (1 + x / s) / 2, with s = sqrt(x^2 + b)

soft_sign': above 0, y' = (1 + x - x) / (1 + x)^2, and y is odd. squareplus': s' = x / s.

For x below 0, x + s and 1 + x / s keep no digits. As (s - |x|) (s + |x|) = b, they are, with t = s + |x|, whose terms
have one sign,

    above 0   y = t / 2          y' = t / (2 s)
    below 0   y = b / (2 t)      y' = b / (2 s t)

and y'' = b / (2 s^3), which the derivative of neither keeps for a large x. y' comes as two factors, near and far, and g
is multiplied with one after the other, for y' may be too small for the dtype where g y' is not.

Residuals: x. Of a y near 1 or -1, 1 - |y| keeps no digits for soft_sign; for squareplus, y' would be v^2 / (1 + v^2)
with v = 2 y / sqrt(b), which doubles the rounding of y.

Half precision computes in float32 and is cast once.

References: Turian, Bergstra and Bengio 2009 (soft_sign); Barron 2021, arXiv:2112.11687 (squareplus).
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_floating, as_static_number, widen
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


def _squareplus_impl(x: jax.Array, b: float) -> jax.Array:
    wide = widen(x)
    size = jnp.where(wide < 0, -wide, wide)  # |x|, and x = 0 has the derivative of x > 0
    near = jnp.minimum(size, 2.0**60)  # beyond, x^2 may be infinite, and s is |x|
    t = jnp.maximum(size, jnp.sqrt(near * near + b)) / 2 + size / 2
    return jnp.where(wide < 0, b / 4 / t, t).astype(x.dtype)


class _Scaled(NamedTuple):
    """X over a power of 2, so that b is from 1 to 4: y' is the same of these."""

    x: jax.Array
    b: float
    power: float
    deep: jax.Array  # where |x| is large: there x is divided once more, and b is no part of s
    shift: float

    @classmethod
    def of(cls, x: jax.Array, b: float) -> "_Scaled":
        power, size = 2.0 ** (math.floor(math.log2(b)) // 2), int(jnp.finfo(x.dtype).maxexp)
        shift = 2.0 ** -(size // 4 + 4)
        end = 2.0 ** (size // 2 - 1) / shift  # beyond it y' is 0 or 1
        x = jnp.clip(x * (1 / power), -end, end)
        deep = jnp.abs(x) > 2.0 ** (size // 2 - 12)
        return cls(jnp.where(deep, x * shift, x), b / power / power, power, deep, shift)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _squareplus_slope(x: jax.Array, b: float) -> tuple[jax.Array, jax.Array]:
    """Return near <= 1 and far with near * far = y'."""
    x, b, _, deep, shift = _Scaled.of(x, b)
    square, below = x * x + b, x < 0
    st = square + jnp.sqrt(square) * jnp.abs(x)  # of which s^2 has no rounding of s
    far = jnp.where(below, b / 2, st / 2) / jnp.where(below, st, square)
    return jnp.where(below & deep, shift * shift, 1.0), far


@_squareplus_slope.defjvp
def _squareplus_slope_jvp(
    b: float, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    (x,), (dx,) = primals, tangents
    scaled = _Scaled.of(x, b)
    square = scaled.x * scaled.x + scaled.b
    curvature = jnp.where(scaled.deep, 0.0, scaled.b / 2 / scaled.power / (square * jnp.sqrt(square)))
    return _squareplus_slope(x, b), (jnp.zeros_like(x), dx * curvature)


def _squareplus_cotangent(x: jax.Array, g: jax.Array, b: float) -> jax.Array:
    near, far = _squareplus_slope(widen(x), b)
    return (widen(g) * near * far).astype(g.dtype)


_squareplus = elementwise(
    "squareplus", _squareplus_impl, residual=lambda x, y, b: x, cotangent=_squareplus_cotangent, static=1
)
