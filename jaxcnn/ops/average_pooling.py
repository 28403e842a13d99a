"""Averages and sums over windows.

Forward: y[n, o, c] = (sum over t of x[n, o * stride + t * dilation - low, c]) / count[o], where count is 1 for a sum,
and for an average the size of the window, or the number of its elements that are not padding, or what the caller says.

Derivation. Each element of the window enters with the factor 1 / count[o], so

    dx[n, p, c] = sum over the windows o that hold p of g[n, o, c] / count[o]

Residuals: none. The sums run in float32 or wider and are cast once; the average over all positions is the case of
one window.

References: Boureau, Ponce and LeCun 2010, "A theoretical analysis of feature pooling in visual recognition"; Lin, Chen
and Yan 2013, "Network in network", arXiv:1312.4400 (global average pooling).
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.algorithms import windows
from jaxcnn.ops._dtypes import as_floating, as_static_number, widen
from jaxcnn.ops._layout import channels_last
from jaxcnn.ops._pools import one_window, run_pool, spatial_sizes
from jaxcnn.ops._rule import compiled, merge_batch, split_batch
from jaxcnn.ops._window import PaddingLike, PoolConfig


def avg_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    count_include_pad: bool = True,
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    divisor_override: float | None = None,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the average of every window.

    `max_pool` is the sibling that takes the maximum, `sum_pool` the one that does not divide, `global_avg_pool` the one
    over all positions, `adaptive_avg_pool` the one that is told the size of its result.

    Math:
      y[n, o, c] = sum_t x[n, o * strides + t * window_dilation - low, c] / count[o].
      VJP: dx[n, p, c] = sum of g[n, o, c] / count[o] over the windows o that hold p.

    Args:
      x: `[*batch, *spatial, C]`, floating, with any number of leading batch axes, none included.
      window_shape: one size for each spatial axis, which gives the spatial rank.
      strides: an int, or one for each spatial axis; None is 1, as in flax.
      padding: "SAME", "SAME_LOWER", "VALID", an int, or for each axis an int or a (low, high) pair. What a negative
        one names is cropped first; then the rest is padded.
      count_include_pad: whether padding counts as elements of value 0, as in flax and torch, or not at all, as in
        haiku and keras.
      window_dilation: how far the taps of a window lie apart, an int or one for each spatial axis.
      ceil_mode: whether windows that reach over the end of the padded input count too, as in torch and ONNX, if they
        start before the padding after the input. What they reach over never counts.
      divisor_override: a number other than 0 to divide every sum by, as in torch; None is the count.
      dimension_numbers: where the axes of x and of the result stand, such as "NCHW", with one batch axis; None is as
        written here.

    Returns:
      `[*batch, *spatial_out, C]` in the dtype of x, spatial_out = (I + low + high - extent) // strides + 1 with
      extent = (window - 1) * window_dilation + 1; ceil_mode rounds up instead. Without counted padding, a window that
      holds nothing else gives nan, the average of nothing.

    Gradient:
      Linear, so there are no kinks. Elements that no window reads have the gradient 0.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.avg_pool(jnp.array([[1.0], [3.0], [5.0]]), (2,)).ravel())
      [2. 4.]

    References:
      Boureau, Ponce and LeCun 2010.
    """
    x = as_floating("x", x)
    if not isinstance(count_include_pad, bool):
        raise TypeError(f"count_include_pad (={count_include_pad!r}) must be True or False")
    divisor = None if divisor_override is None else as_static_number("divisor_override", divisor_override, x.dtype)
    if divisor is not None and (divisor == 0 or not math.isfinite(divisor)):
        raise ValueError(f"divisor_override (={divisor_override!r}) must be a finite number other than 0")
    static = (count_include_pad, divisor)
    return run_pool(
        _compiled_avg_pool, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers, *static
    )


def sum_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the sum of every window.

    `avg_pool` is the sibling that divides by how many elements there are.

    Math:
      y[n, o, c] = sum_t x[n, o * strides + t * window_dilation - low, c].
      VJP: dx[n, p, c] = sum of g[n, o, c] over the windows o that hold p.

    Args:
      x: `[*batch, *spatial, C]`, floating, with any number of leading batch axes, none included.
      window_shape: one size for each spatial axis, which gives the spatial rank.
      strides: an int, or one for each spatial axis; None is 1, as in flax.
      padding: as in `avg_pool`.
      window_dilation: how far the taps of a window lie apart, an int or one for each spatial axis.
      ceil_mode: whether windows that reach over the end of the padded input count too, as in `avg_pool`.
      dimension_numbers: where the axes of x and of the result stand, such as "NCHW", with one batch axis; None is as
        written here.

    Returns:
      `[*batch, *spatial_out, C]` in the dtype of x, spatial_out as in `avg_pool`.

    Gradient:
      Linear, so there are no kinks. Elements that no window reads have the gradient 0.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.sum_pool(jnp.array([[1.0], [3.0], [5.0]]), (2,)).ravel())
      [4. 8.]

    References:
      Boureau, Ponce and LeCun 2010.
    """
    x = as_floating("x", x)
    return run_pool(
        _compiled_sum_pool, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers
    )


def global_avg_pool(
    x: jax.Array, *, spatial_rank: int | None = None, dimension_numbers: str | None = None
) -> jax.Array:
    """Average over all spatial positions.

    The usual step from feature maps to `dense`; `flatten` is the one that keeps positions apart.

    Math:
      y[n, c] = sum_p x[n, p, c] / P over the P positions p.
      VJP: dx[n, p, c] = g[n, c] / P.

    Args:
      x: `[*batch, *spatial, C]`, floating.
      spatial_rank: the number of spatial axes; None takes all but the first axis, the batch, and the channels.
      dimension_numbers: where the axes of x stand, such as "NCHW", with one batch axis; None is as written here.

    Returns:
      `[*batch, C]` in the dtype of x.

    Gradient:
      Linear, so there are no kinks.

    Raises:
      TypeError: the dtype of x is not floating, or spatial_rank is not an int.
      ValueError: x has no such spatial axes, or one of them has no elements.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.global_avg_pool(jnp.arange(8.0).reshape(1, 2, 2, 2)))
      [[3. 4.]]

    References:
      Lin, Chen and Yan 2013, arXiv:1312.4400.
    """
    given = as_floating("x", x)
    x = channels_last(given, dimension_numbers)
    config = one_window(spatial_sizes(x, spatial_rank, given))
    rank = len(config.window)
    return split_batch(_compiled_global_avg_pool(merge_batch(x, rank + 1), config), x, rank + 1)


def _avg_pool_impl(x: jax.Array, config: PoolConfig, count_include_pad: bool, divisor: float | None) -> jax.Array:
    sums = windows.sum_forward(widen(x), config)
    return _divided(sums, config, count_include_pad, divisor).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _avg_pool(x: jax.Array, config: PoolConfig, count_include_pad: bool, divisor: float | None) -> jax.Array:
    return _avg_pool_impl(x, config, count_include_pad, divisor)


def _avg_pool_fwd(
    x: jax.Array, config: PoolConfig, count_include_pad: bool, divisor: float | None
) -> tuple[jax.Array, None]:
    return _avg_pool_impl(x, config, count_include_pad, divisor), None


def _avg_pool_bwd(
    config: PoolConfig, count_include_pad: bool, divisor: float | None, residuals: None, g: jax.Array
) -> tuple[jax.Array]:
    del residuals
    of_sums = _divided(widen(g), config, count_include_pad, divisor)
    return (windows.sum_dx(of_sums, config).astype(g.dtype),)


def _divided(sums: jax.Array, config: PoolConfig, count_include_pad: bool, divisor: float | None) -> jax.Array:
    """Return one number for each window, `[N, *spatial_out, C]`, divided by the window's count."""
    if divisor is not None:
        return sums if divisor == 1 else sums / divisor
    if count_include_pad and not any(config.beyond):
        return sums / math.prod(config.window)
    return sums / np.asarray(windows.window_counts(config, count_include_pad), sums.dtype)


_avg_pool.defvjp(_avg_pool_fwd, _avg_pool_bwd)
_compiled_avg_pool = compiled(_avg_pool, "avg_pool", static_argnums=(1, 2, 3))
_compiled_sum_pool = compiled(lambda x, config: _avg_pool(x, config, True, 1.0), "sum_pool", static_argnums=(1,))


def _global_avg_pool(x: jax.Array, config: PoolConfig) -> jax.Array:
    return jnp.squeeze(_avg_pool(x, config, True, None), tuple(range(1, x.ndim - 1)))


_compiled_global_avg_pool = compiled(_global_avg_pool, "global_avg_pool", static_argnums=(1,))
