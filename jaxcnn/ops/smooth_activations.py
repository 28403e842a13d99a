"""Smooth activations made of one exponential, y = f(x): each element depends on its own x alone, so dx = g f'(x).

    sigmoid      y = 1 / (1 + exp(-x))     dx = g e / (1 + e)^2, e = exp(-|x|)
    tanh         y = tanh(x)               dx = g 4 sigmoid'(2 x)
    softplus     y = log(1 + exp(x))       dx = g sigmoid(x)
    log_sigmoid  y = -log(1 + exp(-x))     dx = g sigmoid(-x)

sigmoid': with e = exp(-x), y' = e / (1 + e)^2, which is even in x, so that |x| may take the place of x. As tanh(x) =
2 sigmoid(2 x) - 1, tanh'(x) = 4 sigmoid'(2 x). softplus' = exp(x) / (1 + exp(x)) = sigmoid(x), and log_sigmoid(x) =
-softplus(-x).

Residuals: x. From y, sigmoid' = y (1 - y) and tanh' = (1 - y) (1 + y), but of a y near 1 the difference keeps none of
its digits: sigmoid'(17) is 4e-8, and 1 - y is 0 in float32.

The exponentials are those of `_exponentials`. Half precision computes in float32 and is cast once; there g is
multiplied with two factors, for 100 exp(-90) is a number, and exp(-90) is none.

References: LeCun et al. 1998 (tanh); Dugas et al. 2000 (softplus).
"""

import jax
import jax.numpy as jnp

from jaxcnn.ops import _exponentials as exponentials
from jaxcnn.ops._dtypes import as_floating, is_half, widen
from jaxcnn.ops._exponentials import log1p_over, sigmoid_factors, sigmoid_slope_factors
from jaxcnn.ops._rule import elementwise


def sigmoid(x: jax.Array) -> jax.Array:
    """Map every element into (0, 1).

    For gates and independent probabilities; `softmax` is the one for a choice among classes.

    Math:
      y = 1 / (1 + exp(-x)). VJP: dx = g e / (1 + e)^2, e = exp(-|x|).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth; it keeps its digits where y rounds to 1.

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


def _sigmoid_cotangent(x: jax.Array, g: jax.Array) -> jax.Array:
    if not is_half(x):
        return g * exponentials.sigmoid_slope(x)
    near, far = sigmoid_slope_factors(widen(x))
    return (widen(g) * near * far).astype(g.dtype)


_sigmoid = elementwise(
    "sigmoid",
    lambda x: exponentials.sigmoid(widen(x)).astype(x.dtype),
    residual=lambda x, y: x,
    cotangent=_sigmoid_cotangent,
)


def tanh(x: jax.Array, /) -> jax.Array:
    """Map every element into (-1, 1).

    The sibling of `sigmoid` that is centred at 0.

    Math:
      y = tanh(x). VJP: dx = g 4 e / (1 + e)^2, e = exp(-2 |x|).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth; it keeps its digits where y rounds to 1 or -1.

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


def _tanh_cotangent(x: jax.Array, g: jax.Array) -> jax.Array:
    if not is_half(x):
        return g * exponentials.tanh_slope(x)
    near, far = sigmoid_slope_factors(2 * widen(x))
    return (widen(g) * near * (4 * far)).astype(g.dtype)


_tanh = elementwise(
    "tanh",
    lambda x: exponentials.tanh(widen(x)).astype(x.dtype),
    residual=lambda x, y: x,
    cotangent=_tanh_cotangent,
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
    e = jnp.exp(jnp.where(x > 0, -x, x))
    return jnp.where(x > 0, x, 0.0) + e * log1p_over(e)


def _times_sigmoid(x: jax.Array, g: jax.Array) -> jax.Array:
    if not is_half(x):
        return g * exponentials.sigmoid(x)
    near, far = sigmoid_factors(widen(x))
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
