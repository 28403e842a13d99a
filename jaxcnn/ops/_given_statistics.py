"""Normalisation of channels by a mean and a variance from elsewhere: of training, or of all devices.

y is an affine map of x. With r = (var + epsilon)^(-1/2), g = dL/dy and u = g scale, sums over all but the channels,

    y = (x - mean) r scale + bias
    dx = u r,  dmean = -sum u r,  dvar = -sum u (x - mean) r^3 / 2,  dscale = sum g (x - mean) r,  dbias = sum g

as dr/dvar = -r^3 / 2. Of the square deviation from such a mean, over the M elements of a channel,

    v = sum (x - mean)^2 / M
    dx = 2 (x - mean) dv / M,  dmean = -sum dx           which is not 0, as the mean is not that of these elements

Devices that share their statistics average their means, then their v, and then normalise by both. The averages stand
between these rules, which hold no collective: JAX knows their adjoints under `vmap`, `shard_map` and `pmap`. There the
mean is that of x - shift, for a constant `shift`, the average of the means, so that it has the digits of a deviation.

Residuals: x, scale, mean and variance, which exist anyway.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._dtypes import channel_row, widen
from jaxcnn.ops._norm import all_but_last, scaled


def _normalize_by_impl(
    x: jax.Array,
    shift: jax.Array | None,
    mean: jax.Array,
    variance: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    epsilon: float,
) -> jax.Array:
    variance_row = channel_row(_in_width_of(x, variance), x)
    return scaled(_centred(x, shift, mean), variance_row, scale, bias, epsilon).astype(x.dtype)


def _in_width_of(x: jax.Array, statistic: jax.Array) -> jax.Array:
    return statistic.astype(widen(x).dtype)


def _centred(x: jax.Array, shift: jax.Array | None, mean: jax.Array) -> jax.Array:
    """Return x - shift - mean."""
    wide = widen(x) if shift is None else widen(x) - channel_row(_in_width_of(x, shift), x)
    return wide - channel_row(_in_width_of(x, mean), x)


@functools.partial(jax.custom_vjp, nondiff_argnums=(6,))
def normalize_by(
    x: jax.Array,
    shift: jax.Array | None,
    mean: jax.Array,
    variance: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    epsilon: float,
) -> jax.Array:
    """Return (x - shift - mean) / sqrt(variance + epsilon) * scale + bias for x `[..., C]` and the rest `[C]`.

    The shift is a constant to differentiation; None is 0.
    """
    return _normalize_by_impl(x, shift, mean, variance, scale, bias, epsilon)


def _normalize_by_fwd(
    x: jax.Array,
    shift: jax.Array | None,
    mean: jax.Array,
    variance: jax.Array,
    scale: jax.Array,
    bias: jax.Array,
    epsilon: float,
) -> tuple[jax.Array, tuple[jax.Array, jax.Array | None, jax.Array, jax.Array, jax.Array]]:
    # The input, the parameter and the statistics themselves.
    y = _normalize_by_impl(x, shift, mean, variance, scale, bias, epsilon)
    return y, (x, shift, mean, variance, scale)


def _normalize_by_bwd(
    epsilon: float, residuals: tuple[jax.Array, jax.Array | None, jax.Array, jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array | None, ...]:
    x, shift, mean, variance, scale = residuals
    wide, r = widen(g), lax.rsqrt(_in_width_of(x, variance) + epsilon)
    first = jnp.sum(wide, all_but_last(x))
    second = jnp.sum(wide * _centred(x, shift, mean), all_but_last(x))
    steep = widen(scale) * r
    dx = wide * channel_row(steep, x)
    dmean, dvariance = -steep * first, -0.5 * steep * r * r * second
    return (
        dx.astype(x.dtype),
        None,
        dmean.astype(mean.dtype),
        dvariance.astype(variance.dtype),
        (second * r).astype(scale.dtype),
        first.astype(scale.dtype),
    )


normalize_by.defvjp(_normalize_by_fwd, _normalize_by_bwd)


@jax.custom_vjp
def square_deviation(x: jax.Array, shift: jax.Array, mean: jax.Array) -> jax.Array:
    """Return the mean of (x - shift - mean)^2 of every channel of x `[..., C]`; the shift is a constant."""
    return _square_deviation_impl(x, shift, mean)


def _square_deviation_impl(x: jax.Array, shift: jax.Array, mean: jax.Array) -> jax.Array:
    return jnp.mean(jnp.square(_centred(x, shift, mean)), all_but_last(x))


def _square_deviation_fwd(
    x: jax.Array, shift: jax.Array, mean: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
    # x: the input itself. shift and mean: one number a channel.
    return _square_deviation_impl(x, shift, mean), (x, shift, mean)


def _square_deviation_bwd(
    residuals: tuple[jax.Array, jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, None, jax.Array]:
    x, shift, mean = residuals
    dx = _centred(x, shift, mean) * channel_row(2 * g / math.prod(x.shape[:-1]), x)
    return dx, None, -jnp.sum(dx, all_but_last(x))


square_deviation.defvjp(_square_deviation_fwd, _square_deviation_bwd)
