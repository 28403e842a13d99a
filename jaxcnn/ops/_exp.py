"""exp(x) for x <= 0 as two factors with all of their digits, in fewer operations than XLA's own takes on a CPU.

    exp(x) = 2^n exp(f), n the whole number nearest to x / log 2, f = x - n log 2, |f| <= log 2 / 2

log 2 is subtracted in two parts, the first with so few digits that n times it has no rounding error. exp(f) is
1 + f t(f) with a polynomial t, and 2^n is written into the bits of an exponent. Where 2^n is too small for the dtype, a
fixed power of two is taken out of it and stands apart: near is that power or 1, and near * far = exp(x).

An error d of the argument is the factor 1 + d of exp, and the rounding of a product of 50 is 2e-6 in float32. So an
argument that is computed comes as a sum, x and a rest, and the rest is added to f.

t meets (exp(f) - 1) / f at Chebyshev's points, 6 and 12 of them, between -log 2 / 2 and log 2 / 2: in 60 digits, by
mpmath and divided differences. The relative errors of 1 + f t(f) are 4.9e-9 in float32 and 1.1e-19 in float64, where
half a unit in the last place is at least 3e-8 and 6e-17.

References: Cody and Waite 1980, "Software manual for the elementary functions" (the two parts of log 2).
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

Factors = tuple[jax.Array | float, jax.Array]

_LOG_2 = 0.6931471805599453


class _Format(NamedTuple):
    """What exp needs to know of a dtype."""

    integer: str  # the integers of its size
    digits: int  # of its fraction, below the exponent
    bias: int  # of the exponent
    deep: int  # the power of two that is taken out where n is below -deep
    least: float  # exp of less counts as exp of this, which is 0 beside the dtype's smallest number
    log_2: tuple[float, float]  # log 2 in two parts
    series: tuple[float, ...]  # of t, from the coefficient of f^0 on


_FORMATS = {
    "float32": _Format(
        "int32", 23, 127, 64, -130.0, (0.693145751953125, 1.4286068203094173e-06),
        (1.0000000108, 0.50000000135, 0.16666505196, 0.041666464925, 0.0083691556677, 0.0013933649996),
    ),
    "float64": _Format(
        "int64", 52, 1023, 512, -1060.0, (0.6931471805592082, 7.371002565167799e-13),
        (
            1.0, 0.5, 0.1666666666666668082, 0.041666666666666676774, 0.0083333333333195896163,
            0.0013888888888879073994, 0.00019841269890076402829, 0.000024801587336442237861,
            2.7557240887229868596e-6, 2.7557263279088496905e-7, 2.5110049204818659793e-8, 2.0918137737642736429e-9,
        ),
    ),
}  # fmt: skip


def least_argument(dtype: jnp.dtype) -> float:
    """Return an x whose exponential, and that of all below, is 0 beside the smallest number of the dtype."""
    return _FORMATS[dtype.name].least


@jax.custom_jvp
def exp_factors(x: jax.Array, rest: jax.Array | None = None) -> Factors:
    """Return near <= 1 and far with near * far = exp(x + rest), for x <= 0 and a rest that is constant to derivatives.

    far is at most 1, and near is 1 where exp(x + rest) is a number of the dtype that is not very small.
    """
    form = _FORMATS[x.dtype.name]
    return _scaled(*_reduced(jnp.where(x < form.least, form.least, x), rest, form), form)


@exp_factors.defjvp
def _exp_factors_jvp(
    primals: tuple[jax.Array, jax.Array | None], tangents: tuple[jax.Array, jax.Array | None]
) -> tuple[Factors, Factors]:
    near, far = exp_factors(*primals)
    return (near, far), (jnp.zeros_like(near), tangents[0] * far)


def exp2_factors(x: jax.Array, rest: jax.Array) -> Factors:
    """Return near <= 1 and far with near * far = 2^(x + rest), for x <= 0 that needs no bound."""
    form = _FORMATS[x.dtype.name]
    n = jnp.round(x + rest)
    return _scaled(n, ((x - n) + rest) * _LOG_2, form)


def expm1_either_way(x: jax.Array) -> jax.Array:
    """Return exp(x) - 1, for an x of either sign whose exponential is a normal number.

    It is 2^n (exp(f) - 1) + (2^n - 1), of which nothing cancels: where n is 0, the second is 0, and where n is -1, the
    first is at most 0.21.
    """
    form = _FORMATS[x.dtype.name]
    n, f = _reduced(x, None, form)
    power = _power_of_2(n + _base(form), form)
    return power * (f * _series(f, form)) + (power - 1)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def exp_times_power(x: jax.Array, power: int) -> jax.Array:
    """Return 2^power exp(x), for x <= 0, or 0 where that is too small for the dtype."""
    form = _FORMATS[x.dtype.name]
    least = -(form.bias + power) * _LOG_2  # whose exponent's bits are all 0, and so is the number
    n, f = _reduced(jnp.where(x < least, least, x), None, form)
    return (1 + f * _series(f, form)) * _power_of_2(n + (_base(form) + power), form)


@exp_times_power.defjvp
def _exp_times_power_jvp(
    power: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    y = exp_times_power(*primals, power)
    return y, tangents[0] * y


def _reduced(x: jax.Array, rest: jax.Array | None, form: _Format) -> tuple[jax.Array, jax.Array]:
    """Return n and f of x + rest."""
    n = jnp.round((x if rest is None else x + rest) * (1 / _LOG_2))
    f = (x - n * form.log_2[0]) - n * form.log_2[1]
    return n, f if rest is None else f + rest


def _scaled(n: jax.Array, f: jax.Array, form: _Format) -> Factors:
    """Return the factors of 2^n exp(f)."""
    deep, base = n < -form.deep, _base(form)
    power = _power_of_2(n + jnp.where(deep, base + form.deep, base), form)
    return jnp.where(deep, math.ldexp(1.0, -form.deep), 1.0).astype(f.dtype), (1 + f * _series(f, form)) * power


def _series(f: jax.Array, form: _Format) -> jax.Array:
    series = form.series[-1]
    for coefficient in form.series[-2::-1]:
        series = series * f + coefficient
    return jnp.asarray(series)


def _base(form: _Format) -> float:
    """Return the number with which the sum of a whole number has, in its last bits, the exponent of that power of 2."""
    return 1.5 * 2.0**form.digits + form.bias


def _power_of_2(n_and_base: jax.Array, form: _Format) -> jax.Array:
    """Return 2^n. A conversion of n to an integer would take longer, for it looks for what is out of range."""
    bits = jax.lax.bitcast_convert_type(n_and_base, jnp.dtype(form.integer))
    return jax.lax.bitcast_convert_type(bits << form.digits, n_and_base.dtype)
