"""Gated activations: a number times a gate P between 0 and 1, of the number itself (or, in glu, of another).

    silu   y = x P(x), P = sigmoid(x)                 dx = g (P + x P')              keeps x
    mish   y = x P(x), P = tanh(softplus(x))          dx = g (P + x P')              keeps x
    gelu   y = x P(x), P the normal distribution      dx = g (P + x P')              keeps x
    glu    y = a P(b), P = sigmoid, (a, b) = x        da = g P(b), db = g a P'(b)    keeps x

The product rule gives each. What P and P' are:

    silu   P' = P (1 - P), so P + x P' = P (1 + x (1 - P)), and 1 - P = sigmoid(-x)
    mish   with u = exp(x), tanh(log(1 + u)) = ((1 + u)^2 - 1) / ((1 + u)^2 + 1), so with n = u (u + 2)
           P = n / (n + 2) and, as n' = 2 u (u + 1), P' = 2 n' / (n + 2)^2 = 4 u (u + 1) / (n + 2)^2
    gelu   P = erfc(-x / sqrt 2) / 2, P' = exp(-x^2 / 2) / sqrt(2 pi), as in `_normal`; or, where approximate,
           P = (1 + tanh(z / 2)) / 2 = sigmoid(z), P' = P (1 - P) z', with z = sqrt(8 / pi) (x + 0.044715 x^3)
    glu    as silu, P' = P (1 - P)

No digits are lost. Everything is a fraction of polynomials in e = exp(-|x|) or exp(-|z|), at most 1, in which what
cancels is added before it is rounded: `_gates` has them for silu and gelu, and for mish, whose slope is
u (4 (x + 1) + (4 x + 6) u + 4 u^2 + u^3) / (n + 2)^2. No 1 + t is taken of a tanh t near -1. P comes as two factors,
near and far, which are multiplied one by one: for a very negative x, P(x) is too small for the dtype and x P(x) is not.

Residuals: x. y does not tell x, for the first three turn back near x = -1.

Half precision computes in float32 and is cast once.

References: Hendrycks and Gimpel 2016, arXiv:1606.08415 (gelu, silu); Misra 2019, arXiv:1908.08681 (mish); Dauphin, Fan,
Auli and Grangier 2017, arXiv:1612.08083 (glu).
"""

import operator
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._axes import canonical_axes
from jaxcnn.ops._dtypes import as_floating, widen
from jaxcnn.ops._exp import exp_factors
from jaxcnn.ops._exponentials import below_0, sigmoid_factors, sigmoid_of_exp, sigmoid_slope_factors
from jaxcnn.ops._gates import gelu_exp_factors, gelu_slope, mish_base, mish_slope, silu_slope
from jaxcnn.ops._normal import normal_gate, normal_gate_slope_factors
from jaxcnn.ops._rule import elementwise


def silu(x: jax.Array) -> jax.Array:
    """Multiply every element by the sigmoid of it, also called swish.

    The activation of EfficientNet and YOLO; `hard_silu` is the sibling without exponential.

    Math:
      y = x P, P = sigmoid(x). VJP: dx = g P (1 + x (1 - P)).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth; 0 at -infinity, where jax.nn has nan, and 1 at infinity.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print("{:.4f} {:.4f}".format(*jaxcnn.silu(jnp.array([-jnp.inf, 1.0]))))
      -0.0000 0.7311

    References:
      Hendrycks and Gimpel 2016, arXiv:1606.08415; Ramachandran, Zoph and Le 2017, arXiv:1710.05941.
    """
    return _silu(as_floating("x", x))


_BOUND = 1000.0


def _within(x: jax.Array) -> jax.Array:
    """Return x, or a bound beyond which the gate and its slope are constant: infinity times 0 would be nan."""
    return jnp.clip(x, -_BOUND, _BOUND)


def _silu_impl(x: jax.Array) -> jax.Array:
    wide = widen(x)
    near, far = sigmoid_factors(_within(wide))
    return (jnp.maximum(wide, -_BOUND) * near * far).astype(x.dtype)


def _silu_cotangent(x: jax.Array, g: jax.Array) -> jax.Array:
    near, far = silu_slope(_within(widen(x)))
    return (widen(g) * near * far).astype(g.dtype)


_silu = elementwise("silu", _silu_impl, residual=lambda x, y: x, cotangent=_silu_cotangent)


def mish(x: jax.Array) -> jax.Array:
    """Multiply every element by the tanh of its softplus.

    The activation of YOLOv4; `silu` is much like it.

    Math:
      y = x P, P = tanh(log(1 + u)) = n / (n + 2), u = exp(x), n = u (u + 2).
      VJP: dx = g (P + 4 x u (u + 1) / (n + 2)^2).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth; 0 at -infinity and 1 at infinity, where jax.nn has nan.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print("{:.4f} {:.4f}".format(*jaxcnn.mish(jnp.array([-jnp.inf, 1.0]))))
      -0.0000 0.8651

    References:
      Misra 2019, "Mish: a self regularized non-monotonic activation function", arXiv:1908.08681.
    """
    return _mish(as_floating("x", x))


def _mish_impl(x: jax.Array) -> jax.Array:
    wide = widen(x)
    within = _within(wide)
    negative = within < 0
    near, far = exp_factors(below_0(within))
    e = near * far
    # Above 0 both sides of the fraction are divided by u^2.
    top = jnp.where(negative, far * (e + 2), 1 + 2 * e)
    gate = top / mish_base(negative, e)
    return (jnp.maximum(wide, -_BOUND) * jnp.where(negative, near, 1.0) * gate).astype(x.dtype)


def _mish_cotangent(x: jax.Array, g: jax.Array) -> jax.Array:
    near, far = mish_slope(_within(widen(x)))
    return (widen(g) * near * far).astype(g.dtype)


_mish = elementwise("mish", _mish_impl, residual=lambda x, y: x, cotangent=_mish_cotangent)


def gelu(x: jax.Array, approximate: bool = True) -> jax.Array:
    """Multiply every element by the normal distribution function of it.

    The smooth activation of ConvNeXt and of transformers; `relu` is cheaper.

    Math:
      y = x P(x), P(x) = erfc(-x / sqrt(2)) / 2, or with tanh as in the module's text where `approximate`.
      VJP: dx = g (P(x) + x P'(x)).

    Args:
      x: floating, any shape.
      approximate: whether to take tanh, as jax.nn does by default; it is static.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth; 0 at -infinity and 1 at infinity, where jax.nn has nan.

    Raises:
      TypeError: x is not floating, or approximate is not a bool.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.gelu(jnp.array([0.0, 10.0])))
      [ 0. 10.]

    References:
      Hendrycks and Gimpel 2016, "Gaussian error linear units", arXiv:1606.08415.
    """
    if not isinstance(approximate, bool):
        raise TypeError(f"approximate (={approximate!r}) must be a static bool")
    return _gelu(as_floating("x", x), approximate)


def _gelu_impl(x: jax.Array, approximate: bool) -> jax.Array:
    wide = widen(x)
    if not approximate:
        return normal_gate(jnp.maximum(wide, -_BOUND)).astype(x.dtype)
    within = _within(wide)
    near, far = sigmoid_of_exp(within < 0, *gelu_exp_factors(within))
    return (jnp.maximum(wide, -_BOUND) * near * far).astype(x.dtype)


def _gelu_cotangent(x: jax.Array, g: jax.Array, approximate: bool) -> jax.Array:
    within = _within(widen(x))
    near, far = gelu_slope(within) if approximate else normal_gate_slope_factors(within)
    return (widen(g) * near * far).astype(g.dtype)


_gelu = elementwise("gelu", _gelu_impl, residual=lambda x, y, approximate: x, cotangent=_gelu_cotangent, static=1)


def glu(x: jax.Array, axis: int = -1) -> jax.Array:
    """Multiply the first half of an axis by the sigmoid of the second half.

    The gate of gated convolutions: give a convolution twice the channels and call this.

    Math:
      y = a P(b), P = sigmoid, (a, b) the halves of x. VJP: da = g P(b), db = g a P(b) (1 - P(b)), dx = (da, db).

    Args:
      x: floating, of an even size along `axis`.
      axis: the axis that is halved; it is static.

    Returns:
      An array in the dtype of x, of half its size along `axis`.

    Gradient:
      Smooth.

    Raises:
      TypeError: x is not floating, or axis is not an int.
      ValueError: axis is out of range, or of an odd size or none.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.glu(jnp.array([2.0, 4.0, 0.0, 100.0])))
      [1. 4.]

    References:
      Dauphin, Fan, Auli and Grangier 2017, "Language modeling with gated convolutional networks", arXiv:1612.08083.
    """
    x = as_floating("x", x)
    return _glu(x, _halved_axis(axis, x.shape))


def _halved_axis(axis: Any, shape: tuple[int, ...]) -> int:
    try:
        (halved,) = canonical_axes(operator.index(axis), shape)
    except TypeError:
        raise TypeError(f"axis (={axis!r}) must be an int") from None
    if shape[halved] % 2:
        raise ValueError(f"axis (={axis!r}) must have an even size, in an array of shape {shape}")
    return halved


def _glu_impl(x: jax.Array, axis: int) -> jax.Array:
    a, b = jnp.split(widen(x), 2, axis)
    near, far = sigmoid_factors(b)
    return (a * near * far).astype(x.dtype)


def _glu_cotangent(x: jax.Array, g: jax.Array, axis: int) -> jax.Array:
    a, b = jnp.split(widen(x), 2, axis)
    wide_g = widen(g)
    near, far = sigmoid_factors(b)
    da = wide_g * near * far
    near, far = sigmoid_slope_factors(b)
    db = wide_g * near * (a * far)
    return jnp.concatenate([da, db], axis).astype(g.dtype)


_glu = elementwise("glu", _glu_impl, residual=lambda x, y, axis: x, cotangent=_glu_cotangent, static=1)
