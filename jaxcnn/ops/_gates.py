"""The slopes of silu, mish and gelu with tanh, with all of their digits, and the exponential of gelu.

Each is a pair of factors, near and far (see `_exponentials`), whose own derivative, the second one of the activation,
is written out. The derivations of the slopes stand in `gated_activations`.
"""

import math
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._exp import Factors, exp2_factors, exp_factors
from jaxcnn.ops._exponentials import below_0, rounded, squared_1_plus


def _parts(number: Fraction, bits: int) -> tuple[float, float]:
    """Return the number of so many bits that is nearest to a number, and the rest."""
    fraction, exponent = math.frexp(float(number))
    first = math.ldexp(round(math.ldexp(fraction, bits)), exponent - bits)
    return first, float(number - Fraction(first))


# z = _SLOPE (x + _CUBIC x^3), in more digits than float64 has.
_CUBIC = Fraction("0.044715")
_SLOPE = Fraction("1.595769121605730711759784239737527473938")  # sqrt(8 / pi)
_OCTAVES = Fraction("1.442695040888963407359924681001892137427")  # 1 / log 2
_PARTS = {"float32": _parts(_SLOPE, 6), "float64": _parts(_SLOPE, 13)}
# Slope and cubic of u in two parts each; the bits that h and q are rounded by.
_GELU = {
    name: (_parts(_SLOPE * _OCTAVES, bits), _parts(_SLOPE * _CUBIC * _OCTAVES, bits))
    for name, bits in (("float32", 6), ("float64", 13))
}
_END = {"float32": 11.5, "float64": 24.0}  # of |x|: there exp(-|z|) is 0 beside the smallest number
_DROPPED = {"float32": (15, 9), "float64": (34, 25)}


def gate_slope_factors(
    negative: jax.Array,
    near: jax.Array | float,
    far: jax.Array,
    s: jax.Array,
    parts: tuple[jax.Array, jax.Array | float],
) -> Factors:
    """Return the factors of the derivative of x sigmoid(z), where those of e = exp(-|z|) and the sign of z are given.

    With q = sigmoid(-z), p = sigmoid(z), z odd in x, and s = -|x z'|, beside which s + 1 is given in two parts:

        p + x z' p q = p (1 + x z' q) = e (1 + e + s) / (1 + e)^2 below 0, (1 + e - s e) / (1 + e)^2 above

    Its zero is that of 1 + e + s, where s is near -1: that sum has no terms that are rounded before they cancel.
    """
    e = near * far
    top = jnp.where(negative, far * (parts[0] + (parts[1] + e)), 1 + e * (1 - s))
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
    return gate_slope_factors(x < 0, *exp_factors(below), below, (below, 1.0))


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
def gelu_exp_factors(x: jax.Array) -> Factors:
    """Return near <= 1 and far with near * far = exp(-|z|).

    z is 17 at x = 5, and an error of it is one of exp(z): so u = |z| / log 2 comes as a sum. With h the leading digits
    of |x|, so few that h^2 leaves room for those of a coefficient, and l the rest of |x|,

        u = h (slope + cubic h^2) + l (slope + cubic (3 h |x| + l^2))

    q, the leading digits of slope + cubic h^2, has a product with h that has
    no rounding error, and what q leaves is the sum of products that have none and of small ones.
    """
    slope, cubic = _GELU[x.dtype.name]
    of_high, of_q = _DROPPED[x.dtype.name]
    size = jnp.abs(x)
    size = jnp.where(size > _END[x.dtype.name], _END[x.dtype.name], size)
    high = rounded(size, of_high)
    low = size - high
    square = high * high
    q = rounded(sum(cubic) * square + sum(slope), of_q)
    q_rest = (cubic[0] * square - (q - slope[0])) + (cubic[1] * square + slope[1])
    of_low = low * (3 * sum(cubic) * (size * high) + (sum(cubic) * (low * low) + sum(slope)))
    return exp2_factors(-(high * q), -(high * q_rest + of_low))


@gelu_exp_factors.defjvp
def _gelu_exp_factors_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Factors, Factors]:
    (x,), (dx,) = primals, tangents
    near, far = gelu_exp_factors(x)
    slope = float(_SLOPE) + float(3 * _SLOPE * _CUBIC) * (x * x)
    return (near, far), (jnp.zeros_like(near), dx * (far * jnp.where(x < 0, slope, -slope)))


@jax.custom_jvp
def gelu_slope(x: jax.Array) -> Factors:
    """Return near <= 1 and far with near * far = gelu'(x), the one with tanh."""
    size = jnp.abs(x)
    high = rounded(size, _DROPPED[x.dtype.name][0])
    first, rest = _PARTS[x.dtype.name]
    cubic = float(3 * _SLOPE * _CUBIC)
    of_low = (size - high) * (float(_SLOPE) + 3 * cubic * (size * high))
    small = cubic * (high * high) * high + (high * rest + of_low)  # x z' is first h + this, and first h has no error
    return gate_slope_factors(x < 0, *gelu_exp_factors(x), -(high * first) - small, (1 - high * first, -small))


@gelu_slope.defjvp
def _gelu_slope_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Factors, Factors]:
    (x,), (dx,) = primals, tangents
    below = below_0(x)
    cubic = float(3 * _SLOPE * _CUBIC) * (x * x)
    slope = float(_SLOPE) + cubic  # z', and x z'' = 2 cubic
    curvature = gate_curvature(x < 0, *gelu_exp_factors(x), 2 * (slope + cubic), -below * slope * slope)
    return gelu_slope(x), (jnp.zeros_like(x), dx * curvature)
