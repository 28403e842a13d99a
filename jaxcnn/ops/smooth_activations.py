"""Smooth elementwise activations, y = f(x): each element depends on its own x alone, so dx = g f'(x).

    sigmoid  y = 1 / (1 + exp(-x))   dx = g y (1 - y)          keeps y
    tanh     y = tanh(x)             dx = g (1 - y) (1 + y)    keeps y
    gelu     y = x P(x)              dx = g (P(x) + x P'(x))   keeps x

sigmoid': with e = exp(-x), y' = e / (1 + e)^2 = y (e / (1 + e)) = y (1 - y). tanh': y = sinh / cosh, so
y' = (cosh^2 - sinh^2) / cosh^2 = 1 - y^2. gelu: P is the normal distribution function, erfc(-x / sqrt 2) / 2, and
P' = exp(-x^2 / 2) / sqrt(2 pi); or P = (1 + t) / 2 with t = tanh(h), h = sqrt(2 / pi) (x + 0.044715 x^3), and
P' = (1 - t^2) h' / 2 with h' = sqrt(2 / pi) (1 + 0.134145 x^2).

Half precision computes in float32 and is cast once.

References: LeCun et al. 1998 (tanh); Hendrycks and Gimpel 2016, arXiv:1606.08415 (gelu).
"""

import math

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_floating, widen
from jaxcnn.ops._rule import elementwise


def sigmoid(x: jax.Array) -> jax.Array:
    """Map every element into (0, 1).

    For gates and independent probabilities; `softmax` is the one for a choice among classes.

    Math:
      y = 1 / (1 + exp(-x)). VJP: dx = g y (1 - y).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth. It is computed from y, so that it ends where y rounds to 1.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.sigmoid(jnp.array([0.0])))
      [0.5]

    References:
      Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
    """
    return _sigmoid(as_floating("x", x))


_sigmoid = elementwise(
    "sigmoid",
    lambda x: jax.lax.logistic(widen(x)).astype(x.dtype),
    residual=lambda x, y: y,
    cotangent=lambda y, g: (widen(g) * widen(y) * (1 - widen(y))).astype(g.dtype),
)


def tanh(x: jax.Array, /) -> jax.Array:
    """Map every element into (-1, 1).

    The sibling of `sigmoid` that is centred at 0.

    Math:
      y = tanh(x). VJP: dx = g (1 - y) (1 + y).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth. It is computed from y, so that it ends where y rounds to 1 or -1.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.tanh(jnp.array([0.0])))
      [0.]

    References:
      LeCun, Bottou, Orr and Müller 1998, "Efficient backprop".
    """
    return _tanh(as_floating("x", x))


_tanh = elementwise(
    "tanh",
    lambda x: jax.lax.tanh(widen(x)).astype(x.dtype),
    residual=lambda x, y: y,
    cotangent=lambda y, g: (widen(g) * (1 - widen(y)) * (1 + widen(y))).astype(g.dtype),
)


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


def _within(x: jax.Array) -> jax.Array:
    """Return x, or +-30 beyond, where P is 0 or 1 and P' is 0 in every dtype: infinity times 0 would be nan."""
    return jnp.clip(x, -30.0, 30.0)


def _gelu_terms(x: jax.Array, approximate: bool) -> tuple[jax.Array, jax.Array]:
    """Return P(x) and P'(x)."""
    x = _within(x)
    if approximate:
        t = jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))
        return (1 + t) / 2, (1 - t * t) * (math.sqrt(2 / math.pi) / 2) * (1 + 0.134145 * x * x)
    return jax.lax.erfc(x * -math.sqrt(0.5)) / 2, jnp.exp(x * x / -2) * math.sqrt(0.5 / math.pi)


def _gelu_impl(x: jax.Array, approximate: bool) -> jax.Array:
    return (jnp.maximum(widen(x), -30.0) * _gelu_terms(widen(x), approximate)[0]).astype(x.dtype)


def _gelu_cotangent(x: jax.Array, g: jax.Array, approximate: bool) -> jax.Array:
    p, slope = _gelu_terms(widen(x), approximate)
    return (widen(g) * (p + _within(widen(x)) * slope)).astype(g.dtype)


_gelu = elementwise(
    "gelu",
    _gelu_impl,
    residual=lambda x, y, approximate: x,
    cotangent=_gelu_cotangent,
    static=1,
)
