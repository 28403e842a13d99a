"""Smooth activations made of one exponential, y = f(x): each element depends on its own x alone, so dx = g f'(x).

    sigmoid      y = 1 / (1 + exp(-x))     dx = g y (1 - y)          keeps y, or x in half precision
    tanh         y = tanh(x)               dx = g (1 - y) (1 + y)    keeps y, or x in half precision
    softplus     y = log(1 + exp(x))       dx = g sigmoid(x)         keeps x
    log_sigmoid  y = -log(1 + exp(-x))     dx = g sigmoid(-x)        keeps x

sigmoid': with e = exp(-x), y' = e / (1 + e)^2 = y (e / (1 + e)) = y (1 - y). tanh': y = sinh / cosh, so
y' = (cosh^2 - sinh^2) / cosh^2 = 1 - y^2; as tanh(x) = 2 sigmoid(2 x) - 1, it is 4 sigmoid'(2 x) too. softplus' =
exp(x) / (1 + exp(x)) = sigmoid(x), and log_sigmoid(x) = -softplus(-x).

Residuals: y, which the next layer keeps anyway. In half precision y is rounded, and 1 - y, of a y near 1, keeps none of
its digits; there x is kept, of the same size, and the derivative computed from it: sigmoid' is even in x, and so it is
e / (1 + e)^2 with e = exp(-|x|). softplus keeps x in every dtype, for from y it would take an exponential too.

Half precision computes in float32 and is cast once.

References: LeCun et al. 1998 (tanh); Dugas et al. 2000 (softplus).
"""

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_floating, is_half, widen
from jaxcnn.ops._exponentials import sigmoid_factors, sigmoid_slope_factors
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
      Smooth. In float32 and wider it is computed from y, so that it ends where y rounds to 1.

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


def _y_or_x(x: jax.Array, y: jax.Array) -> jax.Array:
    return x if is_half(x) else y


def _sigmoid_cotangent(saved: jax.Array, g: jax.Array) -> jax.Array:
    if not is_half(saved):
        return g * saved * (1 - saved)
    near, far = sigmoid_slope_factors(widen(saved), half=True)
    return (widen(g) * near * far).astype(g.dtype)


_sigmoid = elementwise(
    "sigmoid", lambda x: jax.lax.logistic(widen(x)).astype(x.dtype), residual=_y_or_x, cotangent=_sigmoid_cotangent
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
      Smooth. In float32 and wider it is computed from y, so that it ends where y rounds to 1 or -1.

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


def _tanh_cotangent(saved: jax.Array, g: jax.Array) -> jax.Array:
    if not is_half(saved):
        return g * (1 - saved) * (1 + saved)
    near, far = sigmoid_slope_factors(2 * widen(saved), half=True)
    return (widen(g) * (2 * near) * (2 * far)).astype(g.dtype)


_tanh = elementwise(
    "tanh", lambda x: jax.lax.tanh(widen(x)).astype(x.dtype), residual=_y_or_x, cotangent=_tanh_cotangent
)


def softplus(x: jax.Array) -> jax.Array:
    """Map every element to a positive number, the smooth form of `relu`.

    For scales and variances, which must be positive; `squareplus` is the sibling without exponential.

    Math:
      y = log(1 + exp(x)). VJP: dx = g sigmoid(x).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.softplus(jnp.array([-200.0, 0.0, 200.0])).round(4))
      [  0.       0.6931 200.    ]

    References:
      Dugas, Bengio, Bélisle, Nadeau and Garcia 2000, "Incorporating second-order functional knowledge for better
      option pricing".
    """
    return _softplus(as_floating("x", x))


def _wide_softplus(x: jax.Array) -> jax.Array:
    x = widen(x)
    return jnp.where(x > 0, x, 0.0) + jnp.log1p(jnp.exp(jnp.where(x > 0, -x, x)))


def _times_sigmoid(x: jax.Array, g: jax.Array) -> jax.Array:
    near, far = sigmoid_factors(widen(x), is_half(x))
    return (widen(g) * near * far).astype(g.dtype)


_softplus = elementwise(
    "softplus",
    lambda x: _wide_softplus(x).astype(x.dtype),
    residual=lambda x, y: x,
    cotangent=_times_sigmoid,
)


def log_sigmoid(x: jax.Array) -> jax.Array:
    """Take the logarithm of the sigmoid of every element.

    The stable form of log(sigmoid(x)), a log-probability; `log_softmax` is the one for a choice among classes.

    Math:
      y = -log(1 + exp(-x)). VJP: dx = g sigmoid(-x).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.log_sigmoid(jnp.array([-200.0, 0.0, 200.0])).round(4))
      [-200.       -0.6931   -0.    ]

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 3.10.
    """
    return _log_sigmoid(as_floating("x", x))


_log_sigmoid = elementwise(
    "log_sigmoid",
    lambda x: -_wide_softplus(-x).astype(x.dtype),
    residual=lambda x, y: x,
    cotangent=lambda x, g: _times_sigmoid(-x, g),
)
