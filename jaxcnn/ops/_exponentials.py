"""Exponentials with all of their digits: exp, expm1, tanh and sigmoid of float32 and wider, and products with them.

Two numbers for one. A rule multiplies by exp(x), which may be too small for the dtype and then counts as 0 where the
product is not: in float32 exp(-90) is no normal number, and 90 exp(-90) is one. So exp comes as two factors, near and
far, and v exp(x) is (v near) far. With a constant L, exp(x) = exp(-L) exp(x + L), where x + L has no rounding error.

A long argument. An error d of the argument is the factor 1 + d of exp, and the rounding of a product of 50 is 2e-6 in
float32. So an argument that is computed comes as a sum, x and a rest below its last place, and exp(x + rest) =
exp(x) (1 + rest). `leading` makes products without rounding: x is the sum of its leading and its trailing digits, each
half as many, and a product of two halves fits.

    expm1    2^n (exp(f) - 1) + (2^n - 1) as in `_exp`, of which nothing cancels
    log1p    of e <= 1: with s = e / (2 + e), log((1 + s) / (1 - s)) = 2 s + s r, r = 2 s^2 / 3 + 2 s^4 / 5 + ..., and
             2 s = e - e s, e s = e^2 / 2 - s e^2 / 2, so that e has no rounding error: e - (e^2 / 2 - s (e^2 / 2 + r))
    tanh     m / (m + 2) with m = expm1(2 |x|), and the sign of x
    sigmoid  1 / (1 + exp(-x)); with e = exp(-|x|), its derivative is e / (1 + e)^2 on both sides

XLA's own expm1 and tanh are off by 5.5 and 4.8 units in the last place, in float32 on a CPU, where these are off by 1.4
and 3.2, and 1 - tanh(x)^2 and p (1 - p) keep nothing where tanh or p round to 1. A derivative of these is written out
where the one that follows from the code would multiply by what is too small first, and then by what is large.
"""

import functools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp

from jaxcnn.ops._exp import Factors, exp_factors, exp_times_power, expm1_either_way, least_argument

Sum = tuple[jax.Array, jax.Array | None]  # a number, and what its rounding left over, or None

_LEADING = {"float32": ("uint32", 0xFFFFF000, 12), "float64": ("uint64", 0xFFFFFFFFF8000000, 26)}  # mask, bits
_TERMS = {"float32": 7, "float64": 13}  # of the series of expm1: 0.3^n / (n + 1)! is less than a unit in the last place
_LOGARITHM = {"float32": 6, "float64": 16}  # of log1p: 2 / 3^(2 n + 1) / (2 n + 1) is less than that
_SERIES = 0.3
_LOG_2 = Fraction("0.693147180559945309417232121458176568")
_EXPM1_IS_MINUS_1 = -40.0  # from there on, in every dtype
_TANH_IS_1 = {"float32": 10.0, "float64": 20.0}  # from there on, in that dtype
_COSH = {"float32": 10, "float64": 18}  # the last power of e that is no less than its last place, where |e| is 1


def rounded(x: jax.Array, bits: int) -> jax.Array:
    """Return x with so many of its last bits 0, the number nearest to it, a constant to differentiation."""
    integer = jnp.dtype(f"uint{8 * x.dtype.itemsize}")
    ones = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(x), integer) + jnp.asarray(1 << (bits - 1), integer)
    return jax.lax.bitcast_convert_type(
        ones & jnp.asarray(-(1 << bits) % (1 << 8 * integer.itemsize), integer), x.dtype
    )


def leading(x: jax.Array) -> jax.Array:
    """Return x with the latter half of its digits 0, a constant to differentiation."""
    integer, mask, _ = _LEADING[x.dtype.name]
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(x), jnp.dtype(integer))
    return jax.lax.bitcast_convert_type(bits & jnp.asarray(mask, integer), x.dtype)


def summed(high: jax.Array, low: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return high + low, |low| <= |high|, and what its rounding left over."""
    total = high + low
    return total, (high - total) + low


def plus(number: Sum, other: jax.Array) -> Sum:
    """Return the sum of two numbers of any size (Knuth's two-sum)."""
    x, rest = number
    total = x + other
    of_other = total - x
    low = (x - (total - of_other)) + (other - of_other)
    return total, low if rest is None else low + rest


def times(x: jax.Array, number: Fraction) -> Sum:
    """Return x times a number that is known to more digits than the dtype has."""
    near = leading_of(number, x.dtype.name)
    rest = float(number - Fraction(near))
    if not rest and abs(math.frexp(near)[0]) == 0.5:
        return near * x, None  # a power of 2
    high = leading(x)
    return summed(near * high, near * (x - high) + rest * x)


@functools.lru_cache
def leading_of(number: Fraction, dtype: str) -> float:
    """Return the leading digits of a number, half as many as the dtype has."""
    bits = _LEADING[dtype][2]
    fraction, exponent = math.frexp(float(number))
    return math.ldexp(math.trunc(math.ldexp(fraction, bits)), exponent - bits)


def decay_argument(x: jax.Array, rate: Fraction) -> Sum:
    """Return rate x, for x <= 0, or a number whose exponential is 0 too."""
    least = max(least_argument(x.dtype) / float(rate), float(jnp.finfo(x.dtype).min))
    return times(jnp.where(x < least, least, x), rate)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def decay_factors(x: jax.Array, rate: Fraction) -> Factors:
    """Return near <= 1 and far with near * far = exp(rate x), for x <= 0 and a rate above 0 of any digits."""
    return exp_factors(*decay_argument(x, rate))


@decay_factors.defjvp
def _decay_factors_jvp(
    rate: Fraction, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[Factors, Factors]:
    (x,), (dx,) = primals, tangents
    near, far = decay_factors(x, rate)
    return (near, far), (jnp.zeros_like(near), dx * (float(rate) * far))


def series_of_expm1(x: jax.Array) -> jax.Array:
    """Return (exp(x) - 1) / x where `is_small(x)`, and a finite number elsewhere."""
    near, terms = jnp.where(is_small(x), x, 0.0), _TERMS[x.dtype.name]
    series = jnp.full_like(x, 1 / math.factorial(terms))
    for n in range(terms - 1, 0, -1):
        series = series * near + 1 / math.factorial(n)
    return series


def is_small(x: jax.Array) -> jax.Array:
    """Return whether the difference exp(x) - 1, for x <= 0, would lose digits."""
    return x > -_SERIES


@jax.custom_jvp
def expm1(x: jax.Array) -> jax.Array:
    """Return exp(x) - 1 for x <= 0."""
    return expm1_either_way(jnp.where(x < _EXPM1_IS_MINUS_1, _EXPM1_IS_MINUS_1, x))


@expm1.defjvp
def _expm1_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    return expm1(*primals), tangents[0] * jnp.exp(*primals)


def log1p_over(e: jax.Array) -> jax.Array:
    """Return log(1 + e) / e, for e from 0 to 1, 0 included."""
    share = 1 / (2 + e)
    s = e * share
    square, terms = s * s, _LOGARITHM[e.dtype.name]
    series = jnp.full_like(e, 2 / (2 * terms + 1))
    for n in range(terms - 1, 0, -1):
        series = series * square + 2 / (2 * n + 1)
    return 1 - (e / 2 - share * (e * e / 2 + square * series))


def log_of_cosh(error: jax.Array) -> jax.Array:
    """Return log cosh e: log1p of the series of cosh e - 1 where |e| < 1, else |e| - log 2 + log1p(exp(-2 |e|))."""
    dtype, size = error.dtype.name, jnp.where(error < 0, -error, error)
    small = size < 1
    square = jnp.where(small, error * error, 0.0)
    series = jnp.zeros_like(error)
    for power in range(_COSH[dtype], 0, -2):
        series = (series + 1 / math.factorial(power)) * square
    log_2 = leading_of(_LOG_2, dtype)  # in two parts, for the difference from size has no rounding error near 1
    rest, e = float(_LOG_2 - Fraction(log_2)), jnp.exp(-2 * size)
    argument = jnp.where(small, series, e)  # of log1p, at most 1
    return argument * log1p_over(argument) + jnp.where(small, 0.0, (size - log_2) - rest)


@jax.custom_jvp
def sigmoid(x: jax.Array) -> jax.Array:
    """Return the sigmoid, whose derivative has all of its digits too."""
    return jax.lax.logistic(x)


@sigmoid.defjvp
def _sigmoid_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    return sigmoid(x), dx * sigmoid_slope(x)


@jax.custom_jvp
def tanh(x: jax.Array) -> jax.Array:
    """Return the hyperbolic tangent, whose derivative has all of its digits too."""
    size, end = jnp.abs(x), _TANH_IS_1[x.dtype.name]
    m = expm1_either_way(2 * jnp.where(size > end, end, size))
    return _with_sign(m / (m + 2), x)


def _with_sign(size: jax.Array, x: jax.Array) -> jax.Array:
    """Return a number that is not below 0 with the sign of x, by its bits.

    A division of which two things were made, as by `where`, would be a loop of its own, and its result an array.
    """
    integer = jnp.dtype(_LEADING[x.dtype.name][0])
    sign = jax.lax.bitcast_convert_type(x, integer) & jnp.asarray(1 << 8 * integer.itemsize - 1, integer)
    return jax.lax.bitcast_convert_type(jax.lax.bitcast_convert_type(size, integer) | sign, x.dtype)


@tanh.defjvp
def _tanh_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    return tanh(x), dx * tanh_slope(x)


def below_0(x: jax.Array) -> jax.Array:
    """Return -|x|, whose derivative at 0 is that of x > 0, so that what is smooth in x stays so."""
    return jnp.where(x < 0, x, -x)


def sigmoid_factors(x: jax.Array) -> Factors:
    """Return near <= 1 and far with near * far = sigmoid(x)."""
    return sigmoid_of_exp(x < 0, *exp_factors(below_0(x)))


def sigmoid_of_exp(negative: jax.Array, near: jax.Array | float, far: jax.Array) -> Factors:
    """Return the factors of the sigmoid of z, where those of e = exp(-|z|) and the sign of z are given."""
    return jnp.where(negative, near, 1.0), jnp.where(negative, far, 1.0) / (1 + near * far)


@jax.custom_jvp
def sigmoid_slope_factors(x: jax.Array) -> Factors:
    """Return near <= 1 and far with near * far = sigmoid'(x)."""
    near, far = exp_factors(below_0(x))
    return near, far / squared_1_plus(near * far)


@sigmoid_slope_factors.defjvp
def _sigmoid_slope_factors_jvp(
    primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[Factors, tuple[jax.Array, jax.Array]]:
    """Return the second derivative too, sigmoid' (1 - e) / (1 + e), with the sign of -x."""
    (x,), (dx,) = primals, tangents
    near, far = exp_factors(below_0(x))
    e = near * far
    slope = far / squared_1_plus(e)
    bend = (1 - e) / (1 + e)
    return (near, slope), (jnp.zeros_like(near), dx * (slope * jnp.where(x < 0, bend, -bend)))


@jax.custom_jvp
def sigmoid_slope(x: jax.Array) -> jax.Array:
    """Return the derivative of the sigmoid as one number, 0 where it is too small for the dtype."""
    e = jnp.exp(below_0(x))
    return e / squared_1_plus(e)


@sigmoid_slope.defjvp
def _sigmoid_slope_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    e, slope = jnp.exp(below_0(x)), sigmoid_slope(x)
    bend = (1 - e) / (1 + e)
    return slope, dx * (slope * jnp.where(x < 0, bend, -bend))


@jax.custom_jvp
def tanh_slope(x: jax.Array) -> jax.Array:
    """Return the derivative of tanh, 4 sigmoid'(2 x), 0 where it is too small for the dtype."""
    return _tanh_slope_times_power(x, 0)


def _tanh_slope_times_power(x: jax.Array, power: int) -> jax.Array:
    e = exp_times_power(-2 * jnp.abs(x), 2 + power)
    return e / squared_1_plus(e * 0.5 ** (2 + power))


@tanh_slope.defjvp
def _tanh_slope_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Return the second derivative too, -tanh (2 tanh')."""
    (x,), (dx,) = primals, tangents
    return tanh_slope(x), dx * (-tanh(x) * _tanh_slope_times_power(x, 1))


def squared_1_plus(e: jax.Array) -> jax.Array:
    """Return (1 + e)^2, for e from 0 to 1, with the rounding of one sum."""
    return 1 + e * (2 + e)
