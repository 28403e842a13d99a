"""Averages and maxima over a given number of bins.

Along a spatial axis of I elements, bin o of O holds the elements from start[o] = floor(o I / O) to before end[o] =
ceil((o + 1) I / O), as in PyTorch: bins that cover the axis, overlap where O does not divide I, and repeat elements
where O > I. With boxes B(o) of such bins,

    average:  y[n, o, c] = sum over p in B(o) of x[n, p, c] / |B(o)|
    maximum:  y[n, o, c] = max over p in B(o) of x[n, p, c]

Derivation. In the average each element of a box enters with the factor 1 / |B(o)|, and the maximum equals one element,
the first in row-major order where it is attained more than once, or the first NaN:

    average:  dx[n, p, c] = sum over the boxes o that hold p of g[n, o, c] / |B(o)|
    maximum:  dx[n, p, c] = sum of g[n, o, c] over the boxes o whose winner is p

Along an axis, p is in bin o when o I / O < p + 1 and p < (o + 1) I / O, that is from o = floor(p O / I) to before
ceil((p + 1) O / I): the bins that hold p are bin p of I bins of the O outputs, and the sum over them is the forward
pass's with I and O exchanged.

Where every O divides its I, the bins are the windows of `avg_pool` and `max_pool`, which then compute it all.
Residuals: none for the average; for the maximum the winning taps along each axis, one byte an element.

References: He, Zhang, Ren and Sun 2014, "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.algorithms import bins
from jaxcnn.algorithms._sizes import require_static
from jaxcnn.ops._dtypes import as_floating, as_numbers, widen
from jaxcnn.ops._layout import channels_last, from_channels_last
from jaxcnn.ops._pools import canonical_sizes, require_all_spatial, require_positions
from jaxcnn.ops._rule import compiled, merge_batch, split_batch
from jaxcnn.ops._window import Ints
from jaxcnn.ops.average_pooling import avg_pool
from jaxcnn.ops.pooling import global_max_pool, max_pool


class AdaptiveConfig(NamedTuple):
    """Everything static about an adaptive pool, one entry a spatial axis."""

    input_size: Ints
    output_size: Ints

    @property
    def window(self) -> Ints | None:
        """The window, and the stride, of the pool that has the same bins, if there is one."""
        sizes = list(zip(self.input_size, self.output_size, strict=True))
        return None if any(size % out for size, out in sizes) else tuple(size // out for size, out in sizes)


def adaptive_avg_pool(x: jax.Array, output_size: Any, *, dimension_numbers: str | None = None) -> jax.Array:
    """Average over as many bins as the result shall have positions.

    For images of any size before a layer of a fixed one; `avg_pool` is the sibling with windows of a given size,
    `global_avg_pool` the one with a single bin.

    Math:
      y[n, o, c] = sum of x[n, p, c] / |B(o)| over the positions p in bin B(o), which along each axis goes from
      floor(o I / O) to before ceil((o + 1) I / O). VJP: dx[n, p, c] = sum of g[n, o, c] / |B(o)| over the bins o that
      hold p.

    Args:
      x: `[*batch, *spatial, C]`, floating, with any number of leading batch axes, none included.
      output_size: a size, or None for that of x, for each spatial axis, which gives the spatial rank.
      dimension_numbers: where the axes of x and of the result stand, such as "NCHW", with one batch axis; None is as
        written here.

    Returns:
      `[*batch, *output_size, C]` in the dtype of x.

    Gradient:
      Linear, so there are no kinks.

    Raises:
      TypeError: the dtype of x is not floating, or output_size is no sequence of ints.
      ValueError: output_size does not fit x, or x has an empty spatial axis.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.adaptive_avg_pool(jnp.arange(5.0).reshape(5, 1), (2,)).ravel())
      [1. 3.]

    References:
      He, Zhang, Ren and Sun 2014, arXiv:1406.4729.
    """
    given = as_floating("x", x)
    x = channels_last(given, dimension_numbers)
    config = adaptive_config(x, output_size, dimension_numbers, given)
    if config.window is not None:
        y = avg_pool(x, config.window, config.window)
    else:
        y = run_adaptive(_compiled_adaptive_avg_pool, x, config)
    return from_channels_last(y, dimension_numbers)


def _adaptive_avg_pool_impl(x: jax.Array, config: AdaptiveConfig) -> jax.Array:
    sums = bins.sum_forward(widen(x), config.output_size)
    return (sums / _counts(config, sums.dtype)).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _adaptive_avg_pool(x: jax.Array, config: AdaptiveConfig) -> jax.Array:
    return _adaptive_avg_pool_impl(x, config)


def _adaptive_avg_pool_fwd(x: jax.Array, config: AdaptiveConfig) -> tuple[jax.Array, None]:
    return _adaptive_avg_pool_impl(x, config), None


def _adaptive_avg_pool_bwd(config: AdaptiveConfig, residuals: None, g: jax.Array) -> tuple[jax.Array]:
    del residuals
    wide = widen(g)
    return (bins.sum_forward(wide / _counts(config, wide.dtype), config.input_size).astype(g.dtype),)


def _counts(config: AdaptiveConfig, dtype: Any) -> np.ndarray:
    """Return how many elements each box holds: `[1, *output_size, 1]`."""
    return np.asarray(bins.counts(config.input_size, config.output_size), dtype)


_adaptive_avg_pool.defvjp(_adaptive_avg_pool_fwd, _adaptive_avg_pool_bwd)
_compiled_adaptive_avg_pool = compiled(_adaptive_avg_pool, "adaptive_avg_pool", static_argnums=(1,))


def adaptive_max_pool(x: jax.Array, output_size: Any, *, dimension_numbers: str | None = None) -> jax.Array:
    """Take the maximum over as many bins as the result shall have positions.

    For images of any size before a layer of a fixed one; `max_pool` is the sibling with windows of a given size,
    `global_max_pool` the one with a single bin.

    Math:
      y[n, o, c] = max of x[n, p, c] over the positions p in bin B(o), which along each axis goes from floor(o I / O)
      to before ceil((o + 1) I / O). VJP: dx[n, p, c] = sum of g[n, o, c] over the bins o whose first maximum is p.

    Args:
      x: `[*batch, *spatial, C]`, floating or integer, with any number of leading batch axes, none included.
      output_size: a size, or None for that of x, for each spatial axis, which gives the spatial rank.
      dimension_numbers: where the axes of x and of the result stand, such as "NCHW", with one batch axis; None is as
        written here.

    Returns:
      `[*batch, *output_size, C]` in the dtype of x.

    Gradient:
      At a tie the first maximum in row-major order takes the whole cotangent. A bin with a NaN passes it to the first
      NaN. Integers have no gradient.

    Raises:
      TypeError: the dtype of x is wrong, or output_size is no sequence of ints.
      ValueError: output_size does not fit x, or x has an empty spatial axis.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.adaptive_max_pool(jnp.arange(5.0).reshape(5, 1), (2,)).ravel())
      [2. 4.]

    References:
      He, Zhang, Ren and Sun 2014, arXiv:1406.4729.
    """
    given = as_numbers("x", x)
    x = channels_last(given, dimension_numbers)
    config = adaptive_config(x, output_size, dimension_numbers, given)
    if config.window == config.input_size:
        rank = len(config.output_size)
        y = jnp.expand_dims(global_max_pool(x, spatial_rank=rank), tuple(range(x.ndim - 1 - rank, x.ndim - 1)))
    elif config.window is not None:
        y = max_pool(x, config.window, config.window)
    else:
        y = run_adaptive(_compiled_adaptive_max_pool, x, config)
    return from_channels_last(y, dimension_numbers)


def _adaptive_max_pool_impl(x: jax.Array, config: AdaptiveConfig) -> jax.Array:
    return bins.max_forward(x, config.output_size)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _adaptive_max_pool(x: jax.Array, config: AdaptiveConfig) -> jax.Array:
    return _adaptive_max_pool_impl(x, config)


def _adaptive_max_pool_fwd(x: jax.Array, config: AdaptiveConfig) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    # The winning taps, one byte an element of each axis' result; x itself is not kept.
    return bins.max_forward(x, config.output_size)


def _adaptive_max_pool_bwd(config: AdaptiveConfig, taps: tuple[jax.Array, ...], g: jax.Array) -> tuple[jax.Array]:
    return (bins.max_dx(widen(g), taps, config.input_size).astype(g.dtype),)


_adaptive_max_pool.defvjp(_adaptive_max_pool_fwd, _adaptive_max_pool_bwd)
_compiled_adaptive_max_pool = compiled(_adaptive_max_pool, "adaptive_max_pool", static_argnums=(1,))


def adaptive_config(x: jax.Array, output_size: Any, dimension_numbers: str | None, given: jax.Array) -> AdaptiveConfig:
    """Return the sizes, with that of x for every None; `given` is x as the user has it, for errors.

    Raises:
      TypeError: output_size is no sequence of ints.
      ValueError: output_size does not fit x, or x has an empty spatial axis.
    """
    if isinstance(output_size, list | tuple) and len(output_size) < x.ndim:
        spatial = x.shape[-len(output_size) - 1 : -1]
        output_size = tuple(size if out is None else out for out, size in zip(output_size, spatial, strict=True))
    sizes = canonical_sizes("output_size", output_size, given)
    require_all_spatial("output_size", sizes, x, dimension_numbers)
    require_static("x", x.shape, range(-len(sizes) - 1, -1))
    input_size = x.shape[-len(sizes) - 1 : -1]
    require_positions("x", input_size)
    return AdaptiveConfig(input_size, sizes)


def run_adaptive(pool: Any, x: jax.Array, config: AdaptiveConfig) -> Any:
    """Return `pool(x, config)`, an array or several, for x with any number of batch axes."""
    rank = len(config.input_size)
    results = pool(merge_batch(x, rank + 1), config)
    return jax.tree.map(lambda y: split_batch(y, x, rank + 1), results)
