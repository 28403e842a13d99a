"""Activations that are a polynomial in the middle, and constant or x itself outside: sigmoids without an exponential.

    hard_tanh       y = x on [-1, 1]              dx = g on [-1, 1]             keeps the mask, one byte
    hard_sigmoid    y = (x + 3) / 6 on (-3, 3)    dx = g / 6 on (-3, 3)         keeps the mask, one byte
    hard_silu       y = x hard_sigmoid(x)         dx = g (2 x + 3) / 6 there    keeps x
    sparse_sigmoid  y = (x + 1) / 2 on (-1, 1)    dx = g / 2 on (-1, 1)         keeps 4 times the slope, one byte
    sparse_plus     y = (x + 1)^2 / 4 there       dx = g (x + 1) / 2 there      keeps x

Outside, the first is -1 or 1 (or other bounds), the sigmoids are 0 or 1, with slope 0, and hard_silu and sparse_plus 0
or x, with slope 0 or 1. hard_silu' in the middle, by the product rule: (x + 3) / 6 + x / 6 = (2 x + 3) / 6.

Kinks: the slopes are those of jax.nn. At both of its kinks hard_tanh has 1, hard_sigmoid 0 and sparse_sigmoid 1/4, half
of its slope; hard_silu has the slope of outside. sparse_plus has no kink: it is the integral of sparse_sigmoid. A NaN
stays NaN.

Half precision computes in float32 and is cast once.

References: Collobert 2004 (hard_tanh); Howard et al. 2019, arXiv:1905.02244 (hard_sigmoid, hard_silu); Blondel, Martins
and Niculae 2020, arXiv:1901.02324 (sparse_sigmoid, sparse_plus).
"""

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_floating, as_static_number, widen
from jaxcnn.ops._rule import elementwise


def hard_tanh(x: jax.Array, *, min_val: float = -1.0, max_val: float = 1.0) -> jax.Array:
    """Clip every element to [min_val, max_val].

    The cheap form of `tanh`; `hard_sigmoid` is its sibling from 0 to 1.

    Math:
      y = min(max(x, min_val), max_val). VJP: dx = g where min_val <= x <= max_val, else 0.

    Args:
      x: floating, any shape.
      min_val: the lower bound, a Python number; it is static. -infinity is none.
      max_val: the upper bound, a Python number above min_val; it is static. infinity is none.

    Returns:
      An array of the shape and dtype of x. A NaN stays NaN.

    Gradient:
      1 at x = min_val and x = max_val, as in jax.nn, and at NaN.

    Raises:
      TypeError: x is not floating, or a bound is not a static number.
      ValueError: min_val is not below max_val.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.hard_tanh(jnp.array([-2.0, 0.5, 2.0])))
      [-1.   0.5  1. ]

    References:
      Collobert 2004, "Large scale machine learning".
    """
    x = as_floating("x", x)
    low, high = as_static_number("min_val", min_val, x.dtype), as_static_number("max_val", max_val, x.dtype)
    if not low < high:
        raise ValueError(f"min_val (={min_val!r}) must be below max_val (={max_val!r})")
    return _hard_tanh(x, low, high)


_hard_tanh = elementwise(
    "hard_tanh",
    lambda x, low, high: jnp.where(x > high, high, jnp.where(x < low, low, x)),
    residual=lambda x, y, low, high: ~((x > high) | (x < low)),
    cotangent=lambda middle, g, low, high: jnp.where(middle, g, 0.0),
    static=2,
)


def hard_sigmoid(x: jax.Array) -> jax.Array:
    """Map every element into [0, 1], linearly between -3 and 3.

    The cheap form of `sigmoid`, for networks that are quantised later.

    Math:
      y = min(max(x + 3, 0), 6) / 6. VJP: dx = g / 6 where -3 < x < 3, else 0.

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x. A NaN stays NaN.

    Gradient:
      0 at x = -3 and x = 3, as in jax.nn, and 1/6 at NaN.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.hard_sigmoid(jnp.array([-4.0, 0.0, 1.5, 4.0])))
      [0.   0.5  0.75 1.  ]

    References:
      Howard et al. 2019, "Searching for MobileNetV3", arXiv:1905.02244.
    """
    return _hard_sigmoid(as_floating("x", x))


def _outside(x: jax.Array, bound: float) -> jax.Array:
    return (x <= -bound) | (x >= bound)


def _ramp(x: jax.Array, bound: float) -> jax.Array:
    """Return 0 up to -bound, 1 from bound on, and in between the line that joins them."""
    return jnp.where(x <= -bound, 0.0, jnp.where(x >= bound, 1.0, (x + bound) / (2 * bound)))


_hard_sigmoid = elementwise(
    "hard_sigmoid",
    lambda x: _ramp(widen(x), 3.0).astype(x.dtype),
    residual=lambda x, y: ~_outside(x, 3.0),
    cotangent=lambda middle, g: jnp.where(middle, widen(g) / 6, 0.0).astype(g.dtype),
)


def hard_silu(x: jax.Array) -> jax.Array:
    """Multiply every element by the hard sigmoid of it, also called hard swish.

    The activation of MobileNetV3; `silu` is the smooth one.

    Math:
      y = x hard_sigmoid(x). VJP: dx = 0 where x <= -3, g where x >= 3, else g (2 x + 3) / 6.

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x; 0 at -infinity, where jax.nn has nan.

    Gradient:
      0 at x = -3 and 1 at x = 3, as in jax.nn.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.hard_silu(jnp.array([-4.0, -1.5, 1.0, 4.0])).round(4))
      [ 0.     -0.375   0.6667  4.    ]

    References:
      Howard et al. 2019, "Searching for MobileNetV3", arXiv:1905.02244.
    """
    return _hard_silu(as_floating("x", x))


def _middle(x: jax.Array, bound: float) -> jax.Array:
    """Return x, 0 outside, for what is multiplied there and not selected must be finite."""
    return jnp.where(_outside(x, bound), 0.0, x)


def _hard_silu_impl(x: jax.Array) -> jax.Array:
    wide, middle = widen(x), _middle(widen(x), 3.0)
    return jnp.where(wide <= -3, 0.0, jnp.where(wide >= 3, wide, middle * (middle + 3) / 6)).astype(x.dtype)


def _hard_silu_cotangent(x: jax.Array, g: jax.Array) -> jax.Array:
    wide = widen(x)
    slope = jnp.where(wide <= -3, 0.0, jnp.where(wide >= 3, 1.0, (wide + 1.5) / 3))
    return (widen(g) * slope).astype(g.dtype)


_hard_silu = elementwise("hard_silu", _hard_silu_impl, residual=lambda x, y: x, cotangent=_hard_silu_cotangent)


def sparse_sigmoid(x: jax.Array) -> jax.Array:
    """Map every element into [0, 1], linearly between -1 and 1.

    The sigmoid whose ends are reached; `hard_sigmoid` is the sibling with a flatter slope.

    Math:
      y = min(max(x + 1, 0), 2) / 2. VJP: dx = g / 2 where -1 < x < 1, else 0.

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x. A NaN stays NaN.

    Gradient:
      1/4 at x = -1 and x = 1, as in jax.nn, and 0 at NaN.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.sparse_sigmoid(jnp.array([-2.0, 0.0, 0.5, 2.0])))
      [0.   0.5  0.75 1.  ]

    References:
      Blondel, Martins and Niculae 2020, "Learning with Fenchel-Young losses", arXiv:1901.02324.
    """
    return _sparse_sigmoid(as_floating("x", x))


def _sparse_sigmoid_impl(x: jax.Array) -> jax.Array:
    # The slope of clip is 1/2 at its ends.
    return ((jnp.clip(widen(x), -1.0, 1.0) + 1) / 2).astype(x.dtype)


def _quarters(x: jax.Array) -> jax.Array:
    """Return 4 times the slope of the sparse sigmoid, as uint8."""
    return jnp.where(jnp.abs(x) < 1, 2, jnp.where(jnp.abs(x) == 1, 1, 0)).astype(jnp.uint8)


_sparse_sigmoid = elementwise(
    "sparse_sigmoid",
    _sparse_sigmoid_impl,
    residual=lambda x, y: _quarters(x),
    cotangent=lambda quarters, g: (widen(g) * (quarters.astype(widen(g).dtype) / 4)).astype(g.dtype),
)


def sparse_plus(x: jax.Array) -> jax.Array:
    """Map negative elements towards 0, which -1 reaches, and leave those above 1.

    The sibling of `softplus` that is 0 and x itself away from 0; its slope is `sparse_sigmoid`.

    Math:
      y = 0 where x <= -1, x where x >= 1, else (x + 1)^2 / 4. VJP: dx = g sparse_sigmoid(x).

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Continuous: 0 at x = -1, and 1 at x = 1.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.sparse_plus(jnp.array([-2.0, 0.0, 0.5, 2.0])))
      [0.     0.25   0.5625 2.    ]

    References:
      Blondel, Martins and Niculae 2020, "Learning with Fenchel-Young losses", arXiv:1901.02324.
    """
    return _sparse_plus(as_floating("x", x))


def _sparse_plus_impl(x: jax.Array) -> jax.Array:
    wide, middle = widen(x), _middle(widen(x), 1.0) + 1
    return jnp.where(wide <= -1, 0.0, jnp.where(wide >= 1, wide, middle * middle / 4)).astype(x.dtype)


_sparse_plus = elementwise(
    "sparse_plus",
    _sparse_plus_impl,
    residual=lambda x, y: x,
    cotangent=lambda x, g: (widen(g) * _ramp(widen(x), 1.0)).astype(g.dtype),
)
