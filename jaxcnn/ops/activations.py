"""Elementwise activations, y = f(x): each element depends on its own x alone, so dx = g f'(x).

    relu        y = max(x, 0)               dx = g where x > 0, else 0            keeps the mask x > 0, one byte
    leaky_relu  y = x or negative_slope x   dx = g where x >= 0, else slope g     keeps the mask x >= 0, one byte
    sigmoid     y = 1 / (1 + exp(-x))       dx = g y (1 - y)                      keeps y
    tanh        y = tanh(x)                 dx = g (1 - y) (1 + y)                keeps y

sigmoid': with e = exp(-x), y' = e / (1 + e)^2 = y (e / (1 + e)) = y (1 - y). tanh': y = sinh / cosh, so
y' = (cosh^2 - sinh^2) / cosh^2 = 1 - y^2.

Kinks: relu'(0) = 0 and leaky_relu'(0) = 1, as in jax.nn. A NaN stays NaN; relu' is 0 there and leaky_relu' the slope.
Half precision computes in float32 and is cast once.

References: Nair and Hinton 2010 (relu); Maas, Hannun and Ng 2013 (leaky relu); LeCun et al. 1998 (tanh).
"""

import math

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_floating, widen
from jaxcnn.ops._rule import elementwise


def relu(x: jax.Array) -> jax.Array:
    """Set negative elements to 0.

    The usual activation of a CNN; `leaky_relu` keeps a gradient on the negative side.

    Math:
      y = max(x, 0). VJP: dx = g where x > 0, else 0.

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x. A NaN stays NaN.

    Gradient:
      0 at x = 0, as in jax.nn, and 0 at NaN.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax, jax.numpy as jnp, jaxcnn
      >>> print(jax.grad(lambda x: jaxcnn.relu(x).sum())(jnp.array([-1.0, 0.0, 2.0])))
      [0. 0. 1.]

    References:
      Nair and Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    return _relu(as_floating("x", x))


def _relu_impl(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, jnp.where(jnp.isnan(x), jnp.full_like(x, jnp.nan), jnp.zeros_like(x)))


_relu = elementwise(
    "relu",
    _relu_impl,
    residual=lambda x, y: x > 0,
    cotangent=lambda positive, g: jnp.where(positive, g, jnp.zeros_like(g)),
)


def leaky_relu(x: jax.Array, negative_slope: float = 1e-2) -> jax.Array:
    """Scale negative elements by a small slope.

    `relu` is the sibling with slope 0.

    Math:
      y = x where x >= 0, else negative_slope * x. VJP: dx = g where x >= 0, else negative_slope * g.

    Args:
      x: floating, any shape.
      negative_slope: a Python number; it is static.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      1 at x = 0, as in jax.nn.

    Raises:
      TypeError: x is not floating, or negative_slope is not a static number.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.leaky_relu(jnp.array([-2.0, 0.0, 2.0]), 0.5))
      [-1.  0.  2.]

    References:
      Maas, Hannun and Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    try:
        slope = math.fsum([negative_slope])  # as float(), but no text
    except (TypeError, ValueError):  # a tracer's ConcretizationTypeError is a TypeError
        raise TypeError(f"negative_slope (={negative_slope!r}) must be a static number") from None
    return _leaky_relu(as_floating("x", x), slope)


def _leaky(nonnegative: jax.Array, x: jax.Array, slope: float) -> jax.Array:
    return jnp.where(nonnegative, x, (slope * widen(x)).astype(x.dtype))


_leaky_relu = elementwise(
    "leaky_relu",
    lambda x, slope: _leaky(x >= 0, x, slope),
    residual=lambda x, y, slope: x >= 0,
    cotangent=_leaky,
    static=1,
)


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
