"""Running averages of the statistics of a norm, for inference.

With the statistics s of a step, one a channel, or several that are averaged over E examples (those of instance norm),

    s' = momentum s_running + (1 - momentum) c sum_e s_e / E,  c = n / (n - 1) for a variance of n elements, else 1

Derivation. Linear: with g = dL/ds', ds_running = momentum g and ds_e = (1 - momentum) c g / E.

The variance of a batch is its mean square deviation from its own mean; that of what the batch was drawn from is
expected to be n / (n - 1) times as large (Bessel's correction).

Residuals: c, one number or as many as there are counts.

References: Ioffe and Szegedy 2015, "Batch normalization", arXiv:1502.03167, algorithm 2.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms._mesh import split_like
from jaxcnn.ops._dtypes import as_array, as_floating, as_static_number, is_wider, widen
from jaxcnn.ops._rule import compiled


def running_statistics(
    running_mean: jax.Array,
    running_variance: jax.Array,
    mean: jax.Array,
    variance: jax.Array,
    *,
    momentum: float = 0.99,
    count: Any = None,
    axis_name: Any = None,
) -> tuple[jax.Array, jax.Array]:
    """Take the statistics of a step into the running averages that inference will use.

    After each step of training, with the mean and the variance that `batch_norm` returns, or, of instance norm, those
    of `jax.vmap(batch_norm)` over the examples; at inference `batch_norm` takes the averages as mean and variance.

    Math:
      new mean = momentum running_mean + (1 - momentum) E[mean];
      new variance = momentum running_variance + (1 - momentum) E[variance] count / (count - 1), E over leading axes.
      VJP: drunning_mean = momentum g, dmean = (1 - momentum) g over the number of its rows; with count / (count - 1)
      for the variances.

    Args:
      running_mean: `[C]`, floating; 0 at first.
      running_variance: `[C]`, floating; 1 at first.
      mean: `[*batch, C]`, floating: of the step, or of each of its examples.
      variance: of the shape of mean.
      momentum: how much of the average is kept, a Python number from 0 to 1, as in flax (torch calls 1 - momentum so);
        it is static.
      count: the number of elements of which each variance is, for Bessel's correction, as in torch; None leaves it out,
        as flax does. An int of at least 2, or an array that broadcasts to variance; below 2 that leaves it out, too.
      axis_name: the mapped axis, or axes, whose devices have `count` elements each, as `batch_norm` was given it.

    Returns:
      The new running mean and running variance, in the shape and dtype of the old ones.

    Gradient:
      Linear in the four arrays; the count has none.

    Raises:
      TypeError: an array is not floating, count is not an integer, or momentum is no static number.
      ValueError: the shapes do not fit, momentum is not from 0 to 1, or count is below 2.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> _, mean, variance = jaxcnn.batch_norm(jnp.array([[1.0], [3.0]]))
      >>> print(*jaxcnn.running_statistics(jnp.zeros(1), jnp.ones(1), mean, variance, momentum=0.5, count=2))
      [1.] [1.5]

    References:
      Ioffe and Szegedy 2015, arXiv:1502.03167.
    """
    running = [as_floating(n, v) for n, v in (("running_mean", running_mean), ("running_variance", running_variance))]
    step = [as_floating(name, value) for name, value in (("mean", mean), ("variance", variance))]
    _require_shapes(running, step)
    kept = as_static_number("momentum", momentum, running[0].dtype)
    if not 0 <= kept <= 1:
        raise ValueError(f"momentum (={momentum!r}) must be from 0 to 1")
    size = 1 if axis_name is None else lax.axis_size(tuple(axis_name) if isinstance(axis_name, list) else axis_name)
    return _compiled_running_statistics(*running, *step, _canonical_count(count, size, step[1]), kept)


def _require_shapes(running: list[jax.Array], step: list[jax.Array]) -> None:
    channels = running[0].shape
    if len(channels) != 1 or running[1].shape != channels:
        raise ValueError(
            f"running_variance shape (={running[1].shape}) must equal running_mean shape (={channels}), [C]"
        )
    if step[0].shape != step[1].shape or step[0].shape[-1:] != channels:
        raise ValueError(
            f"mean shape (={step[0].shape}) and variance shape (={step[1].shape}) must be [*batch, C] for C of the "
            f"running_mean (shape {channels})"
        )


def _canonical_count(count: Any, size: int, variance: jax.Array) -> Any:
    """Return the number of elements of all devices, in the dtype of the variance.

    Raises:
      TypeError: it is not an integer.
      ValueError: it is known, and below 2, or does not broadcast.
    """
    if count is None:
        return None
    if isinstance(count, int):
        if count * size < 2:
            raise ValueError(f"count (={count!r}) must be at least 2, over all devices")
        return np.full((1,) * variance.ndim, count * size, variance.dtype)
    array = as_array(count, "count")
    if not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"count dtype (={array.dtype}) must be an integer dtype")
    if array.ndim > variance.ndim or any(
        n not in (1, whole) for n, whole in zip(array.shape[::-1], variance.shape[::-1], strict=False)
    ):
        raise ValueError(f"count shape (={array.shape}) must broadcast to that of variance (={variance.shape})")
    number = array.astype(variance.dtype) * size
    return number.reshape((1,) * (variance.ndim - number.ndim) + number.shape)


def _running_statistics_impl(
    running_mean: jax.Array,
    running_variance: jax.Array,
    mean: jax.Array,
    variance: jax.Array,
    count: jax.Array | None,
    momentum: float,
) -> tuple[jax.Array, jax.Array]:
    scaled = variance if count is None else variance * _bessel(count)
    return _mixed(running_mean, mean, momentum), _mixed(running_variance, scaled, momentum)


def _bessel(count: jax.Array) -> jax.Array:
    """Return n / (n - 1), 1 where n is below 2."""
    two = jnp.full_like(count, 2)
    return jnp.where(count < two, jnp.ones_like(count), count / (jnp.maximum(count, two) - jnp.ones_like(count)))


def _mixed(running: jax.Array, step: jax.Array, momentum: float) -> jax.Array:
    old, new = widen(running), jnp.mean(widen(step), tuple(range(step.ndim - 1)))
    dtype = old.dtype if is_wider(old.dtype, new.dtype) else new.dtype
    return (momentum * old.astype(dtype) + (1 - momentum) * new.astype(dtype)).astype(running.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(5,))
def _running_statistics(
    running_mean: jax.Array,
    running_variance: jax.Array,
    mean: jax.Array,
    variance: jax.Array,
    count: jax.Array | None,
    momentum: float,
) -> tuple[jax.Array, jax.Array]:
    return _running_statistics_impl(running_mean, running_variance, mean, variance, count, momentum)


def _running_statistics_fwd(
    running_mean: jax.Array,
    running_variance: jax.Array,
    mean: jax.Array,
    variance: jax.Array,
    count: jax.Array | None,
    momentum: float,
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array, jax.Array | None]]:
    y = _running_statistics_impl(running_mean, running_variance, mean, variance, count, momentum)
    # No element of mean and variance, but their batch axes and dtypes; the count, which is the caller's.
    return y, (mean[..., :0], variance[..., :0], count)


def _running_statistics_bwd(
    momentum: float,
    residuals: tuple[jax.Array, jax.Array, jax.Array | None],
    cotangents: tuple[jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array, None]:
    mean, variance, count = residuals
    running = [(momentum * widen(g)).astype(g.dtype) for g in cotangents]
    dmean, dvariance = (_spread(g, like, momentum) for g, like in zip(cotangents, (mean, variance), strict=True))
    if count is not None:
        dvariance = dvariance * _bessel(count)
    return running[0], running[1], dmean, dvariance, None


def _spread(g: jax.Array, like: jax.Array, momentum: float) -> jax.Array:
    rows = math.prod(like.shape[:-1])
    each = ((1 - momentum) * widen(g) / rows).astype(like.dtype)
    shape = (*like.shape[:-1], *each.shape)
    return split_like(jnp.broadcast_to(each, shape), like)


_running_statistics.defvjp(_running_statistics_fwd, _running_statistics_bwd)
_compiled_running_statistics = compiled(_running_statistics, "running_statistics", static_argnums=(5,))
