"""The mean and the deviation of every set of elements that a norm takes together, over all of float32's range.

With the M elements of a set A (those of `where`, if it is given; a set of none counts as M = 1, with the mean 0),

    mean = sum_A x / M,  var = sum_A (x - mean)^2 / M,  factor = (var + epsilon)^(-1/2)

Derivation. As sum_A (x - mean) = 0, with tangents dx,

    dmean = sum_A dx / M,  dvar = 2 sum_A (x - mean) dx / M,  dfactor = -factor^3 sum_A (x - mean) dx / M

The mean is a pair of numbers. A sum of M numbers has a rounding error, which is as large as many deviations where these
are small beside the mean: without more, the norm of a constant, which is 0, becomes error / sqrt(epsilon). So the sums
are those of x - shift, for a number that is no farther from the mean than the elements are: the first one, or the mean
of some. To differentiation it is a constant, for it cancels. What remains when both are added and rounded is `rest`,
which goes along, so that x - mean - rest has the digits of a deviation.

Squares leave the range of float32 for deviations beyond 2^64 (1.8e19). They are those of (x - mean) t, with a power of
two t, which rounds nothing: factor = t (t^2 var + t^2 epsilon)^(-1/2). t is as small as it may be for what is lost at
the lower end of the range to be nothing beside t^2 epsilon, which is known before the program is compiled. Where sums
of squares of numbers up to 1e30 do not fit then, for an epsilon below some 1e-8 or more than 10,000 elements, t is 1
over the largest deviation, which takes a pass over x more. (A sum over the batch counts as one of 10,000: beyond, the
largest number goes down with the root of the count.)
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._mesh import spec_of
from jaxcnn.ops._softmax import unmasked

LARGEST = 1e30  # of the numbers whose squares fit
FEW = 14  # bits of the number of elements in a sum over the batch


class NormConfig(NamedTuple):
    """Everything static about a norm."""

    axes: tuple[int, ...]  # over which there is one sum
    groups: int  # into which the channels are split, where they are not summed; the statistics are those of a group
    epsilon: float


class Statistics(NamedTuple):
    """One number a set, at each of its channels; the axes over which they are summed have the size 1."""

    mean: jax.Array
    rest: jax.Array  # what the mean lost when it was rounded
    factor: jax.Array  # 1 / sqrt(variance + epsilon)
    variance: jax.Array  # infinite where it is out of range; the factor is not 0 then


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def statistics(x: jax.Array, where: jax.Array | None, config: NormConfig) -> Statistics:
    """Return the statistics of x, float32 or wider; of what is True in `where`, of the rank of x."""
    shift = lax.stop_gradient(_shift(x, config) if where is None else average(x, where, config))
    mean, rest = _sum_and_rest(shift, average(x - shift, where, config))
    scale = _scale(x - mean, where, config)
    square = average(jnp.square((x - mean) * scale), where, config)
    variance = _variance(square, rest * scale)
    return Statistics(mean, rest, _factor(variance, scale, config), variance / scale / scale)


@statistics.defjvp
def _tangents(
    config: NormConfig, primals: tuple[jax.Array, jax.Array | None], tangents: tuple[jax.Array, object]
) -> tuple[Statistics, Statistics]:
    (x, where), dx = primals, tangents[0]
    of_x = statistics(x, where, config)
    mean, rest, factor, _ = of_x
    along = average(((x - mean) * factor - rest * factor) * dx, where, config)
    dmean = average(dx, where, config)
    # Factor by factor: its square leaves the range.
    return of_x, Statistics(dmean, jnp.zeros_like(dmean), -factor * (factor * along), 2 * along / factor)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def inverse_root_mean_square(
    x: jax.Array, where: jax.Array | None, unit: jax.Array | None, config: NormConfig
) -> jax.Array:
    """Return 1 / sqrt(mean(x^2) + epsilon), for a mean that counts as 0; as `statistics` otherwise.

    `unit` is that of x. It is an operand so that every loop can have its own: of one that loops share, XLA's CPU
    compiler makes an array of the size of x, which each of them reads.
    """
    scale = _scale(x, where, config)
    return _factor(average(jnp.square(x * (scale if unit is None else unit)), where, config), scale, config)


@inverse_root_mean_square.defjvp
def _tangent(
    config: NormConfig,
    primals: tuple[jax.Array, jax.Array | None, jax.Array | None],
    tangents: tuple[jax.Array, object, object],
) -> tuple[jax.Array, jax.Array]:
    (x, where, unit), dx = primals, tangents[0]
    factor = inverse_root_mean_square(x, where, unit, config)
    return factor, -factor * (factor * average(x * factor * dx, where, config))


def centred(x: jax.Array, where: jax.Array | None, config: NormConfig) -> jax.Array:
    """Return x - mean, with the digits of a deviation, for sets that are not over the whole batch."""
    shift = lax.stop_gradient(_shift(x, config) if where is None else average(x, where, config))
    shifted = x - shift
    return shifted - average(shifted, where, config)


def unit_of(x: jax.Array, config: NormConfig) -> jax.Array | None:
    """Return the power of two by which x is multiplied before it is squared; None where it depends on x."""
    exponent = _static_exponent(x, config)
    return None if exponent is None else jnp.full((), 2.0**exponent, x.dtype)


def _scale(deviations: jax.Array, where: jax.Array | None, config: NormConfig) -> jax.Array | float:
    """Return by what deviations are multiplied before they are squared.

    The least power of two for which squares that are lost are nothing beside those of epsilon; where the squares of
    the largest numbers do not fit then, 1 over the largest deviation of each set.
    """
    exponent, info = _static_exponent(deviations, config), jnp.finfo(deviations.dtype)
    if exponent is not None:
        return 2.0**exponent
    top = jnp.max(jnp.abs(unmasked(where, deviations)), config.axes, keepdims=True)
    top = _of_groups(jnp.max, top, config)
    most = 2.0 ** (int(info.maxexp) // 2 - 1) / math.sqrt(config.epsilon)
    scale = jnp.minimum(1 / top, jnp.full_like(top, min(most, float(info.max))))
    return jnp.where((top > 0) & (top < jnp.inf), scale, jnp.ones_like(top))


def _static_exponent(x: jax.Array, config: NormConfig) -> int | None:
    """Return the least k for which squares of x 2^k that are lost are nothing; None where the largest do not fit."""
    info, number = jnp.finfo(x.dtype), _elements(x, config)
    exponent = -math.floor((math.log2(config.epsilon) - int(info.minexp) - (int(info.nmant) - 3)) / 2)
    counted = isinstance(number, int) and 0 not in config.axes
    room = int(info.maxexp) - (math.log2(max(number, 1)) if counted else FEW)
    return exponent if 2 * (math.log2(LARGEST) + exponent) < room else None


def _elements(x: jax.Array, config: NormConfig) -> int:
    """Return how many elements a set has, or a symbol."""
    number = x.shape[-1] // config.groups if x.ndim - 1 not in config.axes else 1
    for axis in config.axes:
        number = number * x.shape[axis]
    return number


def _factor(variance: jax.Array, scale: jax.Array | float, config: NormConfig) -> jax.Array:
    """Return 1 / sqrt(variance + epsilon), from the variance of elements times `scale`."""
    return lax.rsqrt(variance + config.epsilon * scale * scale) * scale


def _shift(x: jax.Array, config: NormConfig) -> jax.Array:
    """Return a number for every set, at each of its channels, that is about as far from its mean as an element.

    The first element; over the examples, which may be on several devices, the mean of the first positions of all.
    """
    split = spec_of(x)
    over = [axis for axis in config.axes if axis == 0 or split[axis] is not None]
    for axis in config.axes:
        x = x if axis in over else lax.slice_in_dim(x, 0, 1, axis=axis)
    x = jnp.mean(x, over, keepdims=True) if 0 in over else x
    return _of_groups(lambda split, axis, keepdims: lax.slice_in_dim(split, 0, 1, axis=axis), x, config)


def _sum_and_rest(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return a + b, and what it lost when it was rounded."""
    total = a + b
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def average(x: jax.Array, where: jax.Array | None, config: NormConfig) -> jax.Array:
    """Return the mean of every set, at each of its channels."""
    if where is None:
        return _of_groups(jnp.mean, jnp.mean(x, config.axes, keepdims=True), config)
    return shared(jnp.sum(unmasked(where, x), config.axes, keepdims=True), x, where, config)


def shared(row: jax.Array, x: jax.Array, where: jax.Array | None, config: NormConfig) -> jax.Array:
    """Return the sum over every set, at each of its channels, by the number of its elements that count.

    Args:
      row: sums over the axes of the config, which have the size 1.
      x: what was summed.
      where: which elements count.
      config: that of the norm.
    """
    if where is None:
        elements = 1
        for axis in config.axes:
            elements = elements * x.shape[axis]
        return _of_groups(jnp.mean, row, config) / elements
    each = jnp.sum(where & jnp.ones_like(x, bool), config.axes, keepdims=True, dtype=jnp.int32)
    number = _of_groups(jnp.sum, each, config)
    return _of_groups(jnp.sum, row, config) / jnp.maximum(number, jnp.ones_like(number)).astype(row.dtype)


def _of_groups(total: Callable[..., jax.Array], row: jax.Array, config: NormConfig) -> jax.Array:
    """Return the sum or the mean over the channels of each group of `[..., C]`, at each of its channels."""
    *rest, channels = row.shape
    if config.groups == channels:
        return row
    split = row.reshape(*rest, config.groups, channels // config.groups)
    return jnp.broadcast_to(total(split, -1, keepdims=True), split.shape).reshape(row.shape)


def _variance(square: jax.Array, rest: jax.Array) -> jax.Array:
    """Return the variance from the mean of (x - mean)^2 and what is left over of that mean."""
    return jnp.maximum(square - rest * rest, jnp.zeros_like(square))
