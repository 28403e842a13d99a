"""The mean and the deviation of every set of elements that a norm takes together, over all of float32's range.

With the M elements of a set A (those of `where`, if it is given; a set of none counts as M = 1, with the mean 0),

    mean = sum_A x / M,  var = sum_A (x - mean)^2 / M,  factor = (var + epsilon)^(-1/2)

Derivation. As sum_A (x - mean) = 0, with tangents dx,

    dmean = sum_A dx / M,  dvar = 2 sum_A (x - mean) dx / M,  dfactor = -factor^3 sum_A (x - mean) dx / M

The mean is a pair of numbers. A sum of M numbers has a rounding error, which is as large as many deviations where these
are small beside the mean: without more, the norm of a constant, which is 0, becomes error / sqrt(epsilon). The mean of
x - mean is that error, and what remains when it is added is less than a digit of the mean: `rest`, which goes along, so
that x - mean - rest has the digits of a deviation. Nor is var then sum_A (x - mean)^2 / M, but that less rest^2.

Squares leave the range of float32 for deviations beyond 2^64 (1.8e19), and lose digits where they come near 2^-63.
Where var + epsilon is not in the middle of the range, the squares are those of (x - mean) 2^-64 or (x - mean) 2^64:
factor = 2^k (2^2k var + 2^2k epsilon)^(-1/2). Powers of two round nothing.

Both corrections cost passes over x. On a CPU they stand in branches that are taken where a set needs them: where a
mean is more than 8 deviations from 0, and where a variance is out of range. A GPU would have to wait for the condition,
and it computes several sums in one pass: there they are always computed. Under `vmap` one branch is taken for all.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from jaxcnn.ops._softmax import unmasked

FAR = 8  # deviations from 0 to the mean, up to which its rounding error is small beside a deviation
ROOM = 28  # bits between what is safe and the end of the range: for sums, and for the digits of the smallest


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
    mean = average(x, where, config)
    if where is None:
        mean, rest, square = lax.platform_dependent(
            x,
            mean,
            cpu=functools.partial(_corrected_if_needed, config=config),
            default=lambda x, mean: _corrected(x, mean, None, config),
        )
    else:
        mean, rest, square = _corrected(x, mean, where, config)
    factor = _inverse_root(x, where, (mean, rest), square, config)
    return Statistics(mean, rest, factor, _variance(square, rest))


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


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def inverse_root_mean_square(x: jax.Array, where: jax.Array | None, config: NormConfig) -> jax.Array:
    """Return 1 / sqrt(mean(x^2) + epsilon), for a mean that counts as 0; as `statistics` otherwise."""
    square = average(jnp.square(x), where, config)
    return _inverse_root(x, where, (), square, config)


@inverse_root_mean_square.defjvp
def _tangent(
    config: NormConfig, primals: tuple[jax.Array, jax.Array | None], tangents: tuple[jax.Array, object]
) -> tuple[jax.Array, jax.Array]:
    (x, where), dx = primals, tangents[0]
    factor = inverse_root_mean_square(x, where, config)
    return factor, -factor * (factor * average(x * factor * dx, where, config))


def is_plain(mean: jax.Array, factor: jax.Array) -> jax.Array:
    """Return whether the mean needs no `rest`, and the variance is in range, everywhere."""
    _, high = safe_range(factor)
    bound = high**0.5
    return everywhere((jnp.abs(mean) * factor <= FAR) & (factor >= 1 / bound) & (factor <= bound))


def unless_plain(plain: jax.Array | None, choices: Sequence[Callable[..., jax.Array]], *arrays: jax.Array) -> jax.Array:
    """Return what the first of two choices makes of arrays on a CPU where `plain` is True, and the second elsewhere."""
    short, corrected = choices
    if plain is None:
        return corrected(*arrays)
    return lax.platform_dependent(
        plain,
        *arrays,
        cpu=lambda plain, *arrays: lax.cond(plain, short, corrected, *arrays),
        default=lambda _, *arrays: corrected(*arrays),
    )


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


def _corrected(
    x: jax.Array, mean: jax.Array, where: jax.Array | None, config: NormConfig
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return a better mean, what is left over, and the mean of the squares of x - mean."""
    mean = mean + average(x - mean, where, config)
    return mean, average(x - mean, where, config), average(jnp.square(x - mean), where, config)


def _corrected_if_needed(x: jax.Array, mean: jax.Array, config: NormConfig) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the same; where the error is small beside the deviation in all sets, the mean as it is, and 0."""
    square = average(jnp.square(x - mean), None, config)
    near = (mean * mean <= FAR * FAR * square) & (square <= safe_range(square)[1])
    return lax.cond(
        everywhere(near),
        lambda _, mean, square: (mean, mean * 0, square),
        lambda x, mean, _: _corrected(x, mean, None, config),
        x,
        mean,
        square,
    )


def _inverse_root(
    x: jax.Array, where: jax.Array | None, centre: tuple[jax.Array, ...], square: jax.Array, config: NormConfig
) -> jax.Array:
    """Return 1 / sqrt(variance + epsilon).

    Args:
      x: the elements.
      where: which of them count.
      centre: their mean, and what is left over; () for 0.
      square: the mean of the squares of x less that mean.
      config: the sets, and epsilon.
    """
    low, high = safe_range(square)
    half = half_exponent(square)

    def plain(square: jax.Array, x: jax.Array, *centre: jax.Array) -> jax.Array:
        return _at_exponent(0, x, where, centre, config, square)

    def selected(square: jax.Array, x: jax.Array, *centre: jax.Array) -> jax.Array:
        total = square + config.epsilon
        factor = plain(square, x, *centre)
        factor = jnp.where(total > high, _at_exponent(-half, x, where, centre, config), factor)
        if config.epsilon < low:
            factor = jnp.where(total < low, _at_exponent(half, x, where, centre, config), factor)
        return factor

    def selected_if_needed(square: jax.Array, *operands: jax.Array) -> jax.Array:
        total = square + config.epsilon
        return lax.cond(everywhere((total >= low) & (total <= high)), plain, selected, square, *operands)

    if where is not None:
        return selected(square, x, *centre)
    return lax.platform_dependent(square, x, *centre, cpu=selected_if_needed, default=selected)


def _at_exponent(
    exponent: int,
    x: jax.Array,
    where: jax.Array | None,
    centre: tuple[jax.Array, ...],
    config: NormConfig,
    square: jax.Array | None = None,
) -> jax.Array:
    """Return the factor, from squares of elements times 2^exponent; from `square`, their mean, where it is given."""
    scale = 2.0**exponent
    if square is None:
        centred = x - centre[0] if centre else x
        square = average(jnp.square(centred * scale), where, config)
    variance = _variance(square, centre[1] * scale) if centre else square
    factor = lax.rsqrt(variance + config.epsilon * scale * scale)
    return factor if exponent == 0 else factor * scale


def _variance(square: jax.Array, rest: jax.Array) -> jax.Array:
    """Return the variance from the mean of (x - mean)^2 and what is left over of that mean."""
    _, high = safe_range(square)
    return jnp.where(square < high, jnp.maximum(square - rest * rest, jnp.zeros_like(square)), square)


@custom_vmap
def everywhere(flags: jax.Array) -> jax.Array:
    """Return whether all are True; under `vmap` whether all of all are, so that a branch stays a branch."""
    return jnp.all(flags)


@everywhere.def_vmap
def _everywhere_of_many(axis_size: int, in_batched: list[bool], flags: jax.Array) -> tuple[jax.Array, bool]:
    del axis_size, in_batched
    return everywhere(flags), False


def half_exponent(x: jax.Array) -> int:
    """Return k, where 2^k is the square root of the largest number of the dtype."""
    return int(jnp.finfo(x.dtype).maxexp) // 2


def safe_range(x: jax.Array) -> tuple[float, float]:
    """Return between which bounds a sum of squares in the dtype of x has all its digits, whatever its terms."""
    exponent = 2 * half_exponent(x) - ROOM
    return 2.0**-exponent, 2.0**exponent
