"""The slopes of silu, mish and gelu with tanh, with all of their digits, and the argument of gelu's exponential.

Each is a pair of factors, near and far (see `_exponentials`), whose own derivative, the second one of the activation,
is written out. The derivations of the slopes stand in `gated_activations`.
"""

from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._exponentials import Factors, below_0, exp_factors, leading, leading_of, squared_1_plus, summed

Pair = tuple[jax.Array, jax.Array]

# z = _SLOPE (x + _CUBIC x^3), in more digits than float64 has.
_CUBIC = Fraction("0.044715")
_SLOPE = Fraction("1.595769121605730711759784239737527473938")  # sqrt(8 / pi)


def gate_slope_factors(
    negative: jax.Array, near: jax.Array | float, far: jax.Array, s: jax.Array, s_and_1: jax.Array
) -> Factors:
    """Return the factors of the derivative of x sigmoid(z), where those of e = exp(-|z|) and the sign of z are given.

    With q = sigmoid(-z) and s = -|x z'|, s + 1 given beside it for its digits, z odd in x, and p = sigmoid(z):

        p + x z' p q = p (1 + x z' q) = e (1 + e + s) / (1 + e)^2 below 0, (1 + e - s e) / (1 + e)^2 above

    Its zero is that of 1 + e + s, where s is near -1: that sum has no terms that are rounded before they cancel.
    """
    e = near * far
    top = jnp.where(negative, far * (s_and_1 + e), 1 + e * (1 - s))
    return jnp.where(negative, near, 1.0), top / squared_1_plus(e)


def gate_curvature(
    negative: jax.Array, near: jax.Array | float, far: jax.Array, twice: jax.Array, square: jax.Array
) -> jax.Array:
    """Return the derivative of the far factor that `gate_slope_factors` gives, the second one of x sigmoid(z).

    It is 2 z' p' + x z'' p' + x z'^2 p'', with p' = e / (1 + e)^2 and p'' = -+p' (1 - e) / (1 + e) on the two sides;
    what is given is 2 z' + x z'' and |x| z'^2.
    """
    e = near * far
    whole = far * ((twice - square * ((1 - e) / (1 + e))) / squared_1_plus(e))
    return whole * jnp.where(negative, 1.0, near)


@jax.custom_jvp
def silu_slope(x: jax.Array) -> Factors:
    """Return near <= 1 and far with near * far = silu'(x)."""
    below = below_0(x)
    return gate_slope_factors(x < 0, *exp_factors(below), below, 1 + below)


@silu_slope.defjvp
def _silu_slope_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Factors, Factors]:
    (x,), (dx,) = primals, tangents
    below = below_0(x)
    curvature = gate_curvature(x < 0, *exp_factors(below), jnp.full_like(x, 2), -below)
    return silu_slope(x), (jnp.zeros_like(x), dx * curvature)


def mish_base(negative: jax.Array, e: jax.Array) -> jax.Array:
    """Return n + 2, above 0 divided by u^2."""
    return jnp.where(negative, 2.0, 1.0) + e * (2 + e * jnp.where(negative, 1.0, 2.0))


def _either_way(negative: jax.Array, e: jax.Array, *coefficients: Any) -> jax.Array:
    """Return a polynomial in u, divided by its highest power of u where x is above 0: there e is 1 / u."""
    value = jnp.zeros_like(e)
    for pair in zip(reversed(coefficients), coefficients, strict=True):
        value = jnp.where(negative, *pair) + e * value
    return value


@jax.custom_jvp
def mish_slope(x: jax.Array) -> Factors:
    """Return near <= 1 and far with near * far = mish'(x)."""
    negative = x < 0
    near, far = exp_factors(below_0(x))
    e = near * far
    top = _either_way(negative, e, 4 * (x + 1), 4 * x + 6, 4.0, 1.0)
    slope = top / _either_way(negative, e, 4.0, 8.0, 8.0, 4.0, 1.0)  # (n + 2)^2
    return jnp.where(negative, near, 1.0), jnp.where(negative, far, 1.0) * slope


@mish_slope.defjvp
def _mish_slope_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Factors, Factors]:
    """Return the second derivative too, 4 u (2 x + 4 + (2 x + 8) u + (6 - 3 x) u^2 + (2 - 2 x) u^3) / (n + 2)^3."""
    (x,), (dx,) = primals, tangents
    negative = x < 0
    near, far = exp_factors(below_0(x))
    e = near * far
    top = _either_way(negative, e, 2 * x + 4, 2 * x + 8, 6 - 3 * x, 2 - 2 * x)
    base = mish_base(negative, e)
    # Above 0 both sides are divided by u^6: u u^3 / u^6 = e^2.
    curvature = jnp.where(negative, 1.0, e) * (far * (4 * top / (base * base * base))) * jnp.where(negative, 1.0, near)
    return mish_slope(x), (jnp.zeros_like(x), dx * curvature)


@jax.custom_jvp
def gelu_argument(x: jax.Array) -> Pair:
    """Return z, and what its rounding left over: z is -17 at x = -5, and an error of it is one of exp(z).

    With h the leading digits of x and s those of h^2, z is x q, q = slope + cubic x^2, and the products of two numbers
    of half as many digits have no rounding error.
    """
    slope, cubic = (leading_of(number, x.dtype.name) for number in (_SLOPE, _SLOPE * _CUBIC))
    slope_rest, cubic_rest = float(_SLOPE - Fraction(slope)), float(_SLOPE * _CUBIC - Fraction(cubic))
    high = leading(x)
    square = high * high
    s = leading(square)
    q = leading(float(_SLOPE * _CUBIC) * s + float(_SLOPE))
    s_rest = (square - s) + (x - high) * (x + high)
    q_rest = ((cubic * s - q) + slope) + (float(_SLOPE * _CUBIC) * s_rest + (cubic_rest * s + slope_rest))
    return summed(high * q, (x - high) * q + x * q_rest)


@gelu_argument.defjvp
def _gelu_argument_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Pair, Pair]:
    (x,), (dx,) = primals, tangents
    slope = float(_SLOPE) + float(3 * _SLOPE * _CUBIC) * (x * x)
    return gelu_argument(x), (slope * dx, jnp.zeros_like(x))


@jax.custom_jvp
def gelu_slope(x: jax.Array) -> Factors:
    """Return near <= 1 and far with near * far = gelu'(x), the one with tanh."""
    below = -jnp.abs(x)
    z, rest = gelu_argument(below)
    cubic = float(2 * _SLOPE * _CUBIC) * (below * below * below)  # x z' = z + 2 _SLOPE _CUBIC x^3
    return gate_slope_factors(x < 0, *exp_factors(z, rest), z + cubic, (1 + z) + (rest + cubic))


@gelu_slope.defjvp
def _gelu_slope_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Factors, Factors]:
    (x,), (dx,) = primals, tangents
    below = below_0(x)
    cubic = float(3 * _SLOPE * _CUBIC) * (x * x)
    slope = float(_SLOPE) + cubic  # z', and x z'' = 2 cubic
    curvature = gate_curvature(x < 0, *exp_factors(*gelu_argument(below)), 2 * (slope + cubic), -below * slope * slope)
    return gelu_slope(x), (jnp.zeros_like(x), dx * curvature)
