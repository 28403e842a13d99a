"""Normalisation of channels: subtract a mean, divide by a standard deviation, then scale and shift every channel.

With the mean and the variance over a set A of M elements (batch norm: all examples and positions of a channel; group
and instance norm: all positions of an example, of the channels of a group or of one),

    mean = sum_A x / M,  var = sum_A (x - mean)^2 / M,  r = (var + epsilon)^(-1/2)
    y = (x - mean) r scale + bias

Derivation. Let g = dL/dy, and u = g scale = dL/d((x - mean) r). x enters directly, through r, and through mean:

    dvar  = sum_A u (x - mean) (-1/2) r^3                as dr/dvar = -r^3 / 2
    dmean = -r sum_A u                                   as sum_A (x - mean) = 0, var does not change with mean
    dx    = u r + (2 / M) (x - mean) dvar + dmean / M
          = r (u - sum_A u / M - (x - mean) r^2 sum_A u (x - mean) / M)
    dscale[c] = sum g (x - mean) r,  dbias[c] = sum g    over all but the channels

Both sums over A are sums over channels, as u = g scale, of S1 = sum g and S2 = sum g (x - mean) over positions, which
dbias and dscale need too: one pass over x and g finds them, a second one dx. Cotangents of the mean and the variance
themselves join dmean and dvar.

With statistics that are given (inference) see `jaxcnn.ops._given_statistics`, with those of all devices, which are
averages between two rules, `jaxcnn.ops._synchronised_norm`.

The variance is summed in a second pass, from x - mean: E[x^2] - mean^2 would lose all digits where the mean is large
(mean 1e4 and standard deviation 1 in float32 give outputs of standard deviation 160). How the mean keeps the digits of
a deviation, and which squares leave the range of float32, see `jaxcnn.ops._statistics`.

Residuals: x, scale and the mask, which exist anyway, and three numbers a channel (and example, in group norm): the mean
in two parts, and r.

What is written to memory decides the speed. XLA's CPU compiler makes one loop of a sum and of all that comes before it,
or of the elements and all they are made of, unless two results share a part, which it then writes out. So none do here:
a barrier stands between what has the same x - mean. Nor may the backward pass share x - mean with the forward pass,
which would keep it: that was a third of the temporaries of ResNet-18's train step.

References: Ioffe and Szegedy 2015, "Batch normalization", arXiv:1502.03167.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._mesh import is_split
from jaxcnn.ops._axes import as_mask
from jaxcnn.ops._dtypes import as_floating, channel_row, widen
from jaxcnn.ops._given_statistics import normalize_by
from jaxcnn.ops._norm import all_but_last, canonical_arrays, canonical_epsilon
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import unmasked
from jaxcnn.ops._statistics import NormConfig, Statistics, shared, statistics
from jaxcnn.ops._synchronised_norm import compiled_synchronised

Residuals = tuple[jax.Array, jax.Array, jax.Array | None, jax.Array, jax.Array, jax.Array]


def batch_norm(
    x: jax.Array,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
    *,
    mean: jax.Array | None = None,
    variance: jax.Array | None = None,
    axis_name: Any = None,
    where: jax.Array | None = None,
    epsilon: float = 1e-5,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normalise every channel by the statistics of the batch, as in training, or by those given, as in inference.

    `layer_norm`, `group_norm` and `instance_norm` are the siblings whose result for an example does not depend on the
    others.

    Math:
      y = (x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance over all axes but the last.
      VJP: dx = r (u - mean(u) - (x - mean) r^2 mean(u (x - mean))), with u = g scale, r = 1 / sqrt(var + epsilon);
      dscale = sum of g (x - mean) r, dbias = sum of g; the cotangents of mean and variance add theirs to dx. With
      statistics given, dx = u r, dmean = -sum of u r, dvariance = -sum of u (x - mean) r^3 / 2.

    Args:
      x: `[..., C]`, floating.
      scale: `[C]` or None for ones, in the dtype of x or a narrower one.
      bias: `[C]` or None for zeros, in the dtype of x or a narrower one.
      mean: `[C]`, floating, to take in place of that of the batch; together with variance.
      variance: `[C]`, floating, likewise.
      axis_name: the name of a mapped axis (`shard_map`, `vmap`), or several, over whose devices the statistics are
        averaged too. Under `jit` with a sharded batch they are those of the whole batch anyway.
      where: bool, broadcastable to x: which elements the statistics are of; None is all. It has no say where mean and
        variance are given.
      epsilon: a positive Python number; it is static.

    Returns:
      y, of the shape and dtype of x; mean and variance, `[C]` in float32 or wider: the variance is that of the batch,
      divided by the number of elements. Statistics that were given come back as they are. Elements outside `where` are
      normalised by the statistics of the others, as in flax; where a channel has no others, mean and variance are 0.
      For the running averages of mean and variance see `running_statistics`. A variance beyond the largest number of
      the dtype is infinite, while y is right; with axis_name, such a y is not.

    Gradient:
      Smooth. All three results are differentiable.

    Raises:
      TypeError: a dtype is not floating, or scale or bias is wider than x.
      ValueError: the shapes do not fit, a channel has fewer than two elements, on all devices together (which is for
        statistics given), or only one of mean and variance is given.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> y, mean, variance = jaxcnn.batch_norm(jnp.array([[1.0], [3.0]]), epsilon=1e-9)
      >>> print(y[:, 0], mean, variance)
      [-1.  1.] [2.] [1.]

    References:
      Ioffe and Szegedy 2015, arXiv:1502.03167.
    """
    x, scale, bias = canonical_arrays(x, ("scale", scale, 1.0), ("bias", bias, 0.0))
    where = as_mask(where, x.shape)
    epsilon = canonical_epsilon(epsilon, x.dtype)
    if mean is not None or variance is not None:
        if axis_name is not None:
            raise ValueError(f"axis_name (={axis_name!r}) must be None where mean and variance are given")
        mean, variance = _given("mean", mean, x), _given("variance", variance, x)
        return _compiled_inference(x, mean, variance, scale, bias, epsilon), mean, variance
    axis_name = None if axis_name is None else _canonical_axis_name(axis_name)
    _require_elements(x, axis_name)
    if axis_name is not None:
        return compiled_synchronised(x, scale, bias, where, axis_name, epsilon)
    return _compiled_batch_norm(x, scale, bias, where, NormConfig(all_but_last(x), x.shape[-1], epsilon))


def _require_elements(x: jax.Array, axis_name: Any) -> None:
    """Check that there is more than one element a channel, of all devices; where the number is known.

    Raises:
      ValueError: there is none, or one.
    """
    if math.prod(x.shape[:-1]) == 0:
        raise ValueError(f"x (shape {x.shape}) must hold at least one element a channel")
    number = math.prod(x.shape[:-1]) * (1 if axis_name is None else lax.axis_size(axis_name))
    if isinstance(number, int) and number == 1:
        raise ValueError(
            f"x (shape {x.shape}) must hold more than one element a channel, for one alone is its own mean; "
            "with mean and variance given, it may be one"
        )


def _inference(
    x: jax.Array, mean: jax.Array, variance: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float
) -> jax.Array:
    y: Any = normalize_by(x, None, mean, variance, scale, bias, epsilon)
    return y


def _given(name: str, statistic: Any, x: jax.Array) -> jax.Array:
    if statistic is None:
        raise ValueError(f"{name} (=None) must be given, as mean and variance go together")
    statistic = as_floating(name, statistic)
    if statistic.shape != x.shape[-1:]:
        raise ValueError(f"{name} shape (={statistic.shape}) must be [C] for the last axis of x (shape {x.shape})")
    return statistic


_compiled_inference = compiled(_inference, "batch_norm", static_argnums=(5,))


def _canonical_axis_name(axis_name: Any) -> Any:
    name = tuple(axis_name) if isinstance(axis_name, list) else axis_name
    try:
        lax.axis_size(name)
    except (NameError, TypeError):
        raise ValueError(f"axis_name (={axis_name!r}) must name a mapped axis, of shard_map, vmap or pmap") from None
    return name


def _batch_norm(
    x: jax.Array, scale: jax.Array, bias: jax.Array, where: jax.Array | None, config: NormConfig
) -> tuple[jax.Array, jax.Array, jax.Array]:
    results: Any = normalize_channels(x, scale, bias, where, config)
    y, mean, variance = results
    return y, mean.reshape(-1), variance.reshape(-1)


_compiled_batch_norm = compiled(_batch_norm, "batch_norm", static_argnums=(4,))


def _normalize_impl(
    x: jax.Array, scale: jax.Array, bias: jax.Array, where: jax.Array | None, config: NormConfig
) -> tuple[jax.Array, Statistics]:
    wide = widen(x)
    of_x = Statistics(*lax.optimization_barrier(tuple(statistics(wide, where, config))))
    steep = of_x.factor * channel_row(widen(scale), x)
    y = (wide - of_x.mean) * steep + (channel_row(widen(bias), x) - of_x.rest * steep)
    return y.astype(x.dtype), of_x


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def normalize_channels(
    x: jax.Array, scale: jax.Array, bias: jax.Array, where: jax.Array | None, config: NormConfig
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return y, and mean and variance with the axes over which they were summed as axes of size 1.

    Args:
      x: `[..., C]`.
      scale: `[C]`.
      bias: `[C]`.
      where: of the rank of x, which elements the statistics are of; None for all.
      config: the sets of elements, and epsilon.
    """
    y, of_x = _normalize_impl(x, scale, bias, where, config)
    return y, of_x.mean, of_x.variance


def _normalize_fwd(
    x: jax.Array, scale: jax.Array, bias: jax.Array, where: jax.Array | None, config: NormConfig
) -> tuple[tuple[jax.Array, jax.Array, jax.Array], Residuals]:
    y, of_x = _normalize_impl(x, scale, bias, where, config)
    # x, scale and where: the operands themselves. mean, its rest, and 1 / deviation: one number a channel each.
    return (y, of_x.mean, of_x.variance), (x, scale, where, of_x.mean, of_x.rest, of_x.factor)


def _normalize_bwd(
    config: NormConfig, residuals: Residuals, cotangents: tuple[jax.Array, jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array, jax.Array, None]:
    x, scale, where, mean, rest, r = residuals
    g, of_mean, of_variance = cotangents
    wide, steep = widen(g), r * channel_row(widen(scale), x)
    first = jnp.sum(wide, config.axes, keepdims=True)
    second = jnp.sum(
        wide * (widen(x) - _once_there(mean, _first_element(wide, config.axes))), config.axes, keepdims=True
    )
    mean, second = lax.optimization_barrier((mean, (second - rest * first) * r))
    scale_row = channel_row(widen(scale), x)
    of_u, of_u_normal, of_mean, of_variance = (
        shared(row, x, where, config) for row in (steep * first, scale_row * second, of_mean, of_variance)
    )
    slope = 2 * of_variance / r - r * of_u_normal
    # Factor by factor: the square of 1 / deviation leaves the range.
    through_statistics = ((widen(x) - mean) * r) * slope + (of_mean - of_u - rest * r * slope)
    dx = wide * steep + unmasked(where, through_statistics)
    return dx.astype(x.dtype), _sum_rows(second, scale), _sum_rows(first, scale), None


normalize_channels.defvjp(_normalize_fwd, _normalize_bwd)


def _sum_rows(row: jax.Array, like: jax.Array) -> jax.Array:
    """Return `row`, one number a channel and perhaps an example, summed to `[C]`, in the dtype of `like`."""
    return jnp.sum(row, all_but_last(row)).astype(like.dtype)


def _first_element(x: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Return the first element along some axes, which keep the size 1."""
    if is_split(x):
        return jnp.sum(x, axes, keepdims=True)  # there a slice would fetch it from the device that has it
    return lax.slice(x, [0] * x.ndim, [1 if axis in axes else size for axis, size in enumerate(x.shape)])


def _once_there(x: jax.Array, other: jax.Array) -> jax.Array:
    """Return x, to be had only after `other`, which must not be infinite or nan unless the result may be nan.

    XLA's CPU compiler schedules what it can as early as it can, and drops `lax.optimization_barrier` before: a
    backward pass that recomputes something from residuals alone finds it computed, and kept, in the forward pass.
    """
    return x + 0 * lax.stop_gradient(other)
