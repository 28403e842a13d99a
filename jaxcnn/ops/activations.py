"""Piecewise linear activations, y = f(x): each element depends on its own x alone, so dx = g f'(x).

    relu        y = max(x, 0)               dx = g where x > 0, else 0            keeps the mask x > 0, one byte
    relu6       y = min(max(x, 0), 6)       dx = g where 0 < x < 6, else 0        keeps y
    leaky_relu  y = x or negative_slope x   dx = g where x >= 0, else slope g     keeps the mask x >= 0, one byte
    prelu       the same, the slope learned: one, or one a channel                keeps x and the slope

prelu is linear in its slope s too: below 0, dy/ds = x, so ds = sum g x over all x < 0 that share it, which runs in
float32 or wider.

Kinks: relu'(0) = 0, relu6' = 0 at both of its kinks, leaky_relu'(0) = prelu'(0) = 1, as in jax.nn and flax. A NaN stays
NaN; relu' and relu6' are 0 there and leaky_relu' and prelu' the slope.

References: Nair and Hinton 2010 (relu); Howard et al. 2017, arXiv:1704.04861 (relu6); Maas, Hannun and Ng 2013 (leaky
relu); He, Zhang, Ren and Sun 2015, arXiv:1502.01852 (prelu).
"""

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import as_channels, as_finite_number, as_floating, channel_row, widen
from jaxcnn.ops._rule import compiled, elementwise


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
    # Its slope at 0 and at NaN is 0, as that of the rule. A selection by x > 0 instead would have XLA keep its mask.
    return jax.nn.relu(x)


_relu = elementwise(
    "relu",
    _relu_impl,
    residual=lambda x, y: x > 0,
    cotangent=lambda positive, g: jnp.where(positive, g, jnp.zeros_like(g)),
)


def relu6(x: jax.Array) -> jax.Array:
    """Set negative elements to 0, and those above 6 to 6.

    The activation of networks that are quantised later, such as MobileNet; `relu` has no upper bound.

    Math:
      y = min(max(x, 0), 6). VJP: dx = g where 0 < x < 6, else 0.

    Args:
      x: floating, any shape.

    Returns:
      An array of the shape and dtype of x. A NaN stays NaN.

    Gradient:
      0 at x = 0 and x = 6, and 0 at NaN.

    Raises:
      TypeError: x is not floating.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.relu6(jnp.array([-1.0, 2.0, 7.0])))
      [0. 2. 6.]

    References:
      Howard et al. 2017, "MobileNets", arXiv:1704.04861.
    """
    return _relu6(as_floating("x", x))


def _inside_relu6(x: jax.Array) -> jax.Array:
    return (x > 0) & (x < 6)


def _relu6_impl(x: jax.Array) -> jax.Array:
    bound = jnp.where(jnp.isnan(x), jnp.full_like(x, jnp.nan), jnp.where(x > 0, jnp.full_like(x, 6), jnp.zeros_like(x)))
    return jnp.where(_inside_relu6(x), x, bound)


_relu6 = elementwise(
    "relu6",
    _relu6_impl,
    residual=lambda x, y: y,
    cotangent=lambda y, g: jnp.where(_inside_relu6(y), g, jnp.zeros_like(g)),
)


def leaky_relu(x: jax.Array, negative_slope: float = 1e-2) -> jax.Array:
    """Scale negative elements by a small slope.

    `relu` is the sibling with slope 0, `prelu` the one whose slope is learned.

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
      ValueError: negative_slope is not finite.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.leaky_relu(jnp.array([-2.0, 0.0, 2.0]), 0.5))
      [-1.  0.  2.]

    References:
      Maas, Hannun and Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    x = as_floating("x", x)
    return _leaky_relu(x, as_finite_number("negative_slope", negative_slope, x.dtype))


def _leaky(nonnegative: jax.Array, x: jax.Array, slope: float | jax.Array) -> jax.Array:
    return jnp.where(nonnegative, x, (slope * widen(x)).astype(x.dtype))


_leaky_relu = elementwise(
    "leaky_relu",
    lambda x, slope: _leaky(x >= 0, x, slope),
    residual=lambda x, y, slope: x >= 0,
    cotangent=_leaky,
    static=1,
)


def prelu(x: jax.Array, negative_slope: jax.Array) -> jax.Array:
    """Scale negative elements by a slope that is learned.

    `leaky_relu` is the sibling whose slope is a fixed number.

    Math:
      y = x where x >= 0, else negative_slope * x.
      VJP: dx = g where x >= 0, else negative_slope * g; dnegative_slope = sum of g x over the negative x it scales.

    Args:
      x: `[..., C]`, floating; any shape where the slope is one number.
      negative_slope: one number, or `[C]`, in the dtype of x or a narrower one.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      1 at x = 0, as in flax (torch has the slope there). dnegative_slope is summed in float32 or wider and cast once.

    Raises:
      TypeError: a dtype is not floating, or that of negative_slope is wider than that of x.
      ValueError: negative_slope is neither one number nor `[C]`.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.prelu(jnp.array([[-2.0, -2.0], [2.0, 2.0]]), jnp.array([0.5, 0.25])))
      [[-1.  -0.5]
       [ 2.   2. ]]

    References:
      He, Zhang, Ren and Sun 2015, "Delving deep into rectifiers", arXiv:1502.01852.
    """
    x = as_floating("x", x)
    return _compiled_prelu(x, as_channels("negative_slope", negative_slope, x, or_number=True))


def _prelu_impl(x: jax.Array, slope: jax.Array) -> jax.Array:
    return _leaky(x >= 0, x, _spread(slope, x))


def _spread(slope: jax.Array, x: jax.Array) -> jax.Array:
    return widen(slope if slope.ndim == 0 else channel_row(slope, x))


@jax.custom_vjp
def _prelu(x: jax.Array, slope: jax.Array) -> jax.Array:
    return _prelu_impl(x, slope)


def _prelu_fwd(x: jax.Array, slope: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # x, for the gradient of the slope: the input itself. slope, for dx: the parameter itself.
    return _prelu_impl(x, slope), (x, slope)


def _prelu_bwd(residuals: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, slope = residuals
    dslope = jnp.sum(widen(g) * _negative_part(widen(x)), tuple(range(x.ndim - slope.ndim)))
    return _leaky(x >= 0, g, _spread(slope, x)), dslope.astype(slope.dtype)


@jax.custom_jvp
def _negative_part(x: jax.Array) -> jax.Array:
    """Return min(x, 0), which XLA computes inside of a sum, where it would write out a selection.

    The zero is negative because XLA shares the other one with the comparisons, and then writes out an array of zeros.
    """
    return jnp.minimum(x, -0.0)


@_negative_part.defjvp
def _negative_part_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    return _negative_part(x), jnp.where(x >= 0, 0, dx)  # at 0 that of minimum is dx / 2


_prelu.defvjp(_prelu_fwd, _prelu_bwd)
_compiled_prelu = compiled(_prelu, "prelu")
