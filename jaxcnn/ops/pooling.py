"""Maximum and minimum over windows.

Max-pool, forward: y[n, o, c] = max over t of x[n, o * stride + t * dilation - low, c], t in the window, padding left
out.

Derivation. y[n, o, c] equals one element of its window, the winner, and depends on no other, so

    dx[n, p, c] = sum of g[n, o, c] over the windows o whose winner is p

with a sum because windows may overlap. Where the maximum is attained more than once the winner is the first in
row-major order: one element of the subdifferential, the same that jax and torch choose. A NaN is a winner, the first
one, because the value of the window is its own; padding never is, not even over -inf. A minimum is the same with the
order turned round.
Residuals: the winning tap along each axis, one byte an element, instead of x.

The maximum over all positions keeps the number of the winner, one for each channel of an example. As it is called, it
is one reduction; as it is differentiated, the winner is looked up, so that second derivatives are those of the choice.

References: Boureau, Ponce and LeCun 2010, "A theoretical analysis of feature pooling in visual recognition"; Oquab,
Bottou, Laptev and Sivic 2015, "Is object localization for free?" (global max-pooling).
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms import windows
from jaxcnn.algorithms._derivatives import derived_by
from jaxcnn.algorithms._mesh import reshape, split_like
from jaxcnn.ops._dtypes import as_numbers, widen
from jaxcnn.ops._layout import channels_last
from jaxcnn.ops._pools import run_pool, spatial_sizes
from jaxcnn.ops._rule import compiled, merge_batch, split_batch
from jaxcnn.ops._window import Ints, PaddingLike, PoolConfig


def max_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the maximum of every window.

    `avg_pool` is the sibling that averages, `max_pool_with_indices` the one that also says where each maximum was.

    Math:
      y[n, o, c] = max_t x[n, o * strides + t * window_dilation - low, c] over the taps t that are not padding.
      VJP: dx[n, p, c] = sum of g[n, o, c] over the windows o whose first maximum is p.

    Args:
      x: `[*batch, *spatial, C]`, floating or integer, with any number of leading batch axes, none included.
      window_shape: one size for each spatial axis, which gives the spatial rank.
      strides: an int, or one for each spatial axis; None is 1, as in flax.
      padding: "SAME", "SAME_LOWER", "VALID", an int, or for each axis an int or a (low, high) pair. What a negative
        one names is cropped first; then the rest is padded.
      window_dilation: how far the taps of a window lie apart, an int or one for each spatial axis.
      ceil_mode: whether windows that reach over the end of the padded input count too, as in torch and ONNX, if they
        start before the padding after the input.
      dimension_numbers: where the axes of x and of the result stand, such as "NCHW", with one batch axis; None is as
        written here.

    Returns:
      `[*batch, *spatial_out, C]` in the dtype of x, spatial_out = (I + low + high - extent) // strides + 1 with
      extent = (window - 1) * window_dilation + 1; ceil_mode rounds up instead. A window that holds nothing but padding
      gives -inf (the smallest value, for integers).

    Gradient:
      At a tie the first maximum in row-major order takes the whole cotangent. A window with a NaN passes it to the
      first NaN. Padding takes nothing, so that -inf beside it takes all. Integers have no gradient.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> x = jnp.array([5.0, 3.0, 1.0, 2.0, 5.0]).reshape(5, 1)
      >>> print(jaxcnn.max_pool(x, (2,)).ravel())
      [5. 3. 2. 5.]

    References:
      Boureau, Ponce and LeCun 2010.
    """
    x = as_numbers("x", x)
    return run_pool(
        _compiled_max_pool, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers
    )


def min_pool(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the minimum of every window.

    An erosion, where `max_pool`, the sibling for maxima, is a dilation.

    Math:
      y[n, o, c] = min_t x[n, o * strides + t * window_dilation - low, c] over the taps t that are not padding.
      VJP: dx[n, p, c] = sum of g[n, o, c] over the windows o whose first minimum is p.

    Args:
      x: `[*batch, *spatial, C]`, floating or integer, with any number of leading batch axes, none included.
      window_shape: one size for each spatial axis, which gives the spatial rank.
      strides: an int, or one for each spatial axis; None is 1, as in flax.
      padding: as in `max_pool`.
      window_dilation: how far the taps of a window lie apart, an int or one for each spatial axis.
      ceil_mode: whether windows that reach over the end of the padded input count too, as in `max_pool`.
      dimension_numbers: where the axes of x and of the result stand, such as "NCHW", with one batch axis; None is as
        written here.

    Returns:
      `[*batch, *spatial_out, C]` in the dtype of x, spatial_out as in `max_pool`. A window that holds nothing but
      padding gives inf (the largest value, for integers).

    Gradient:
      At a tie the first minimum in row-major order takes the whole cotangent. A window with a NaN passes it to the
      first NaN. Padding takes nothing, so that inf beside it takes all. Integers have no gradient.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> x = jnp.array([5.0, 3.0, 1.0, 2.0, 5.0]).reshape(5, 1)
      >>> print(jaxcnn.min_pool(x, (2,)).ravel())
      [3. 1. 1. 2.]

    References:
      Boureau, Ponce and LeCun 2010.
    """
    x = as_numbers("x", x)
    return run_pool(
        _compiled_min_pool, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers
    )


def _max_pool_impl(x: jax.Array, config: PoolConfig, minimum: bool) -> jax.Array:
    return windows.max_values(x, config, minimum)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _max_pool(x: jax.Array, config: PoolConfig, minimum: bool) -> jax.Array:
    return _max_pool_impl(x, config, minimum)


def _max_pool_fwd(x: jax.Array, config: PoolConfig, minimum: bool) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    # The winning taps, one byte an element of each axis' result; x itself is not kept.
    return windows.max_forward(x, config, minimum)


def _max_pool_bwd(config: PoolConfig, minimum: bool, taps: tuple[jax.Array, ...], g: jax.Array) -> tuple[jax.Array]:
    del minimum  # the taps say who won
    return (windows.max_dx(widen(g), taps, config).astype(g.dtype),)


_max_pool.defvjp(_max_pool_fwd, _max_pool_bwd)
_compiled_max_pool = compiled(lambda x, config: _max_pool(x, config, False), "max_pool", static_argnums=(1,))
_compiled_min_pool = compiled(lambda x, config: _max_pool(x, config, True), "min_pool", static_argnums=(1,))


def global_max_pool(
    x: jax.Array, *, spatial_rank: int | None = None, dimension_numbers: str | None = None
) -> jax.Array:
    """Take the maximum over all spatial positions.

    Says whether a feature is anywhere in the image; `global_avg_pool` is the sibling that says how much of it.

    Math:
      y[n, c] = max_p x[n, p, c] over all positions p.
      VJP: dx[n, p, c] = g[n, c] where p is the first maximum, else 0.

    Args:
      x: `[*batch, *spatial, C]`, floating or integer.
      spatial_rank: the number of spatial axes; None takes all but the first axis, the batch, and the channels.
      dimension_numbers: where the axes of x stand, such as "NCHW", with one batch axis; None is as written here.

    Returns:
      `[*batch, C]` in the dtype of x.

    Gradient:
      At a tie the first maximum in row-major order takes the whole cotangent, and of NaNs the first. Integers have no
      gradient.

    Raises:
      TypeError: the dtype of x is wrong, or spatial_rank is not an int.
      ValueError: x has no such spatial axes, or one of them has no elements.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.global_max_pool(jnp.arange(8.0).reshape(1, 2, 2, 2)))
      [[6. 7.]]

    References:
      Oquab, Bottou, Laptev and Sivic 2015.
    """
    given = as_numbers("x", x)
    x = channels_last(given, dimension_numbers)
    spatial = spatial_sizes(x, spatial_rank, given)
    rank = len(spatial)
    return split_batch(_compiled_global_max_pool(merge_batch(x, rank + 1), spatial), x, rank + 1)


def _greatest(x: jax.Array) -> jax.Array:
    return jnp.max(x, tuple(range(1, x.ndim - 1)))


def _global_max_pool_impl(x: jax.Array, spatial: Ints) -> jax.Array:
    return derived_by(lambda x: _global_max_pool_fwd(x, spatial)[0], _greatest)(x)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _global_max_pool(x: jax.Array, spatial: Ints) -> jax.Array:
    return _global_max_pool_impl(x, spatial)


def _global_max_pool_fwd(x: jax.Array, spatial: Ints) -> tuple[jax.Array, jax.Array]:
    rows = reshape(x, (x.shape[0], math.prod(spatial), x.shape[-1]))
    greatest = jnp.expand_dims(_greatest(x), 1)
    number = _numbers(rows)
    last = jnp.full_like(number, rows.shape[1] - 1)
    winner = jnp.min(jnp.where((rows == greatest) | jnp.isnan(rows), number, last), 1, keepdims=True)
    # The value is looked up, because the derivative of the reduction would spread over all that are equal.
    y = jnp.squeeze(jnp.take_along_axis(rows, winner, 1, mode="clip"), 1)
    # The number of the winner, one for each channel of an example.
    return y, winner


def _global_max_pool_bwd(spatial: Ints, winner: jax.Array, g: jax.Array) -> tuple[jax.Array]:
    rows = jnp.broadcast_to(jnp.expand_dims(g, 1), (g.shape[0], math.prod(spatial), g.shape[-1]))
    dx = jnp.where(_numbers(rows) == winner, rows, jnp.zeros_like(rows))
    return (reshape(dx, (g.shape[0], *spatial, g.shape[-1])),)


def _numbers(rows: jax.Array) -> jax.Array:
    """Return the number of each position in `[N, P, C]`."""
    return split_like(lax.broadcasted_iota(jnp.int32, rows.shape, 1), rows)


_global_max_pool.defvjp(_global_max_pool_fwd, _global_max_pool_bwd)
_compiled_global_max_pool = compiled(_global_max_pool, "global_max_pool", static_argnums=(1,))
