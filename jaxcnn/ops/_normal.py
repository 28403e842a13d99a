"""The normal distribution function P, and the derivative of x P(x), with all of their digits.

With a = |x|, E = exp(-a^2 / 2) and c = 1 / sqrt(2 pi), the density is P'(x) = c E, and on the left side

    P(-a) = E R(a)                      R(a) = exp(a^2 / 2) erfc(a / sqrt 2) / 2
    P(-a) - a P'(-a) = E (r - a) S(a)   S(a) = (R(a) - a c) / (r - a), r = 0.7517... the zero of the derivative

and on the right side 1 less that, as P(a) = 1 - P(-a). R and S are positive, and free of exponentials. Both are
polynomials of t = (a - k) / (a + k), which is -1 at a = 0 and 1 at infinity: (a + k) R(a), and S(a) itself. k is 4, but
for R in float32 1.5, which takes more terms and leaves smaller roundings.

The coefficients are those of the polynomials that meet the functions at Chebyshev's points, between a = 0 and the end
of the dtype, 14.5 and 40: in 60 digits, by mpmath, `erfc(a / sqrt(2)) * exp(a**2 / 2) / 2` and the points
t_i = middle + half cos(pi (2 i + 1) / (2 n)), n numbers, by divided differences. The relative errors of the
polynomials are 1.9e-8 and 1.8e-8 in float32, 4e-18 and 1.2e-17 in float64, where half a unit in the last place is at
least 3e-8 and 6e-17.

a^2 / 2 is 50 at a = 10, and its rounding would be an error of 2e-6 of E, so it is computed as a sum: with h the leading
digits of a, h^2 has no rounding error, and a^2 = h^2 + (a - h) (a + h).

References: Shepherd and Laframboise 1981, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity".
"""

import math

import jax
import jax.numpy as jnp

from jaxcnn.ops._exp import Factors, exp_factors
from jaxcnn.ops._exponentials import leading, summed

_CENTRE_OF_R, _CENTRE_OF_S = {"float32": 1.5, "float64": 4.0}, 4.0  # k
_DENSITY = 1 / math.sqrt(2 * math.pi)
_ZERO = 0.7517915246935645  # r
_ZERO_LEADING = 0.75  # the rest of r is added apart, so that r - a has the digits of a number beside r
_ZERO_REST = 0.0017915246935644574579
_END = {"float32": 14.5, "float64": 40.0}

# Coefficients of t^0, t^1, ...
_R = {
    "float32": (
        0.6173419999, -0.1950994764, -0.05749543922, 0.01789657866, 0.01763970105, 0.003987055129,
        -0.002430160811, -0.00270501433, -0.001050125404, 0.0002400860168, 0.0004712795941, 0.0001580315175,
    ),
    "float64": (
        0.755285130415751493, -0.607896641971892106, 0.387137400742214517, -0.186521857959657457,
        0.0603965748909376923, -0.00754018896671938139, -0.00347969236741291395, 0.00163081845746974651,
        0.000133344312559213887, -0.000231094934130640638, -1.90825897279095748e-6, 0.0000351446806707556193,
        7.16666139231045816e-7, -5.92015616147450802e-6, -6.29689683809299745e-7, 1.02152050129090711e-6,
        2.71780994834500022e-7, -1.54927132388732691e-7, -8.53699135334260777e-8, 1.32610923300199004e-8,
        1.95877274444461667e-8, 1.91769526535015218e-9, -2.51137292869416609e-9, -7.22767492035044944e-10,
    ),
}  # fmt: skip
_S = {
    "float32": (
        0.4622112484, -0.10336597, 0.06046260947, -0.02808180746, 0.009509464499,
        -0.001795778015, -0.0001766343706, 0.0001907331008, 1.847853672e-5,
    ),
    "float64": (
        0.462211244049575306, -0.103365898521956871, 0.0604629367678504325, -0.0280833599530536818,
        0.0095049503751257978, -0.00178826054107223533, -0.00015461331332665324, 0.000185775772354358217,
        -0.0000174772100176260805, -0.0000180349205446545399, 3.53887929070040164e-6, 2.21664616888195134e-6,
        -4.92108530208217519e-7, -3.49077510512860495e-7, 5.2312474992329937e-8, 6.26787549661264363e-8,
        -7.35425999237847987e-10, -1.06322381399093171e-8, -1.62523492909168249e-9, 1.18529567088596673e-9,
        3.75705367972326645e-10, -1.44861687564079141e-13,
    ),
}  # fmt: skip


def _size(x: jax.Array) -> jax.Array:
    """Return |x|, or the end beyond which E is 0."""
    return jnp.minimum(jnp.abs(x), _END[x.dtype.name])


def _gauss(a: jax.Array) -> Factors:
    """Return near and far with near * far = exp(-a^2 / 2)."""
    high = leading(a)
    return exp_factors(*summed(high * high * -0.5, (a - high) * (a + high) * -0.5))


def _share_and_t(a: jax.Array, k: float) -> tuple[jax.Array, jax.Array]:
    """Return 1 / (a + k), and t, to which the rounding of a + k adds little where a is small."""
    share = 1 / (a + k)
    return share, 2 * (a * share) - 1


def _polynomial(coefficients: tuple[float, ...], t: jax.Array) -> jax.Array:
    value = jnp.full_like(t, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * t + coefficient
    return value


@jax.custom_jvp
def normal_gate(x: jax.Array) -> jax.Array:
    """Return x P(x)."""
    a = _size(x)
    near, far = _gauss(a)
    share, t = _share_and_t(a, _CENTRE_OF_R[x.dtype.name])
    below = x < 0
    # a / (a + k) times the polynomial is a R(a), with one rounding less than R(a) times a.
    tail = far * (jnp.where(below, x * share, share) * _polynomial(_R[x.dtype.name], t))
    return jnp.where(below, near * tail, x * (1 - near * tail))


@normal_gate.defjvp
def _normal_gate_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    near, far = normal_gate_slope_factors(x)
    return normal_gate(x), dx * near * far


@jax.custom_jvp
def normal_gate_slope_factors(x: jax.Array) -> Factors:
    """Return near <= 1 and far with near * far = P(x) + x P'(x), the derivative of x P(x)."""
    a = _size(x)
    near, far = _gauss(a)
    _, t = _share_and_t(a, _CENTRE_OF_S)
    tail = far * (((_ZERO_LEADING - a) + _ZERO_REST) * _polynomial(_S[x.dtype.name], t))
    return jnp.where(x < 0, near, 1.0), jnp.where(x < 0, tail, 1 - near * tail)


@normal_gate_slope_factors.defjvp
def _normal_gate_slope_factors_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[Factors, Factors]:
    """Return the second derivative of x P(x) too, P' (2 - x^2)."""
    (x,), (dx,) = primals, tangents
    a = _size(x)
    near, far = _gauss(a)
    curvature = jnp.where(x < 0, 1.0, near) * (far * ((2 - a * a) * _DENSITY))
    return normal_gate_slope_factors(x), (jnp.zeros_like(x), dx * curvature)
