"""Maximum over windows with the position of each, and the way back to these positions.

Max-pool with indices, forward: y as in `max_pool`, and i[n, o, c] = p, the number of the winner's position in row-major
order over the spatial axes of x.

Derivation. As for `max_pool`: dx[n, p, c] = sum of g[n, o, c] over the windows o with i[n, o, c] = p. The indices are
integers and have no cotangent. Residuals: the winning tap along each axis, one byte an element, as in `max_pool`;
the gradient that goes back by them needs no scatter.

Unpool, forward: y[n, p, c] = x[n, o, c] where i[n, o, c] = p, and 0 where p is nowhere in i.

Where windows overlap, p may be in i more than once. Then the last of these o in row-major order, the owner of p, is the
one that stands in y: what a loop that overwrites leaves, and the same in every run and on every device. PyTorch gives
g to all of them; max_unpool of a max_pool then has k times its derivative where k windows share a winner.

Derivation. y[n, p, c] equals x at the owner of p and depends on no other, so

    dx[n, o, c] = g[n, i[n, o, c], c] where o owns i[n, o, c], else 0

Residuals: the indices, which the caller has.

References: Zeiler, Taylor and Fergus 2011, "Adaptive deconvolutional networks for mid and high level feature learning";
Badrinarayanan, Kendall and Cipolla 2015, "SegNet", arXiv:1511.00561.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms import places, windows
from jaxcnn.algorithms._mesh import reshape, split_like
from jaxcnn.ops._axes import as_indices, comparable
from jaxcnn.ops._dtypes import as_numbers, widen
from jaxcnn.ops._layout import channels_last, from_channels_last
from jaxcnn.ops._pools import canonical_sizes, require_all_spatial, require_positions, run_pool
from jaxcnn.ops._rule import compiled, merge_batch, split_batch
from jaxcnn.ops._window import LARGEST_SIZE, Ints, PaddingLike, PoolConfig


def max_pool_with_indices(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Take the maximum of every window, and say where it was.

    For `max_unpool`, which puts values back to these places; `max_pool` is the sibling without indices.

    Math:
      y[n, o, c] = x[n, p, c] with p = indices[n, o, c], the first maximum of window o.
      VJP: dx[n, p, c] = sum of g[n, o, c] over the windows o with indices[n, o, c] = p.

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
      y, as from `max_pool`; and indices, int32, of the same shape: the number of the position in row-major order over
      the spatial axes of x (before it is cropped), as in torch. A window that holds nothing but padding has -1.

    Gradient:
      That of `max_pool`: at a tie the first maximum in row-major order takes the whole cotangent, and of NaNs the
      first. The indices have none.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> y, indices = jaxcnn.max_pool_with_indices(jnp.array([[5.0, 3.0], [1.0, 7.0]])[..., None], (1, 2))
      >>> print(y.ravel(), indices.ravel())
      [5. 7.] [0 3]

    References:
      Zeiler, Taylor and Fergus 2011; Badrinarayanan, Kendall and Cipolla 2015, arXiv:1511.00561.
    """
    x = as_numbers("x", x)

    def pool(flat: jax.Array, config: PoolConfig) -> tuple[jax.Array, jax.Array]:
        cropped = map(sum, config.cropped)
        require_positions("x", tuple(size + less for size, less in zip(flat.shape[1:-1], cropped, strict=True)))
        return _compiled_max_pool_with_indices(flat, config)

    return run_pool(pool, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers)


def _max_pool_with_indices_impl(x: jax.Array, config: PoolConfig) -> tuple[jax.Array, jax.Array]:
    y, taps = windows.max_forward(x, config)
    return y, windows.max_positions(taps, config)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _max_pool_with_indices(x: jax.Array, config: PoolConfig) -> tuple[jax.Array, jax.Array]:
    return _max_pool_with_indices_impl(x, config)


def _max_pool_with_indices_fwd(
    x: jax.Array, config: PoolConfig
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, ...]]:
    y, taps = windows.max_forward(x, config)
    # The winning taps, one byte an element of each axis' result; x itself is not kept.
    return (y, windows.max_positions(taps, config)), taps


def _max_pool_with_indices_bwd(
    config: PoolConfig, taps: tuple[jax.Array, ...], cotangents: tuple[jax.Array, Any]
) -> tuple[jax.Array]:
    g, _ = cotangents  # indices have none
    return (windows.max_dx(widen(g), taps, config).astype(g.dtype),)


_max_pool_with_indices.defvjp(_max_pool_with_indices_fwd, _max_pool_with_indices_bwd)
_compiled_max_pool_with_indices = compiled(_max_pool_with_indices, "max_pool_with_indices", static_argnums=(1,))


def max_unpool(
    x: jax.Array, indices: jax.Array, output_size: Any, *, dimension_numbers: str | None = None
) -> jax.Array:
    """Put every value to its place in a larger array, and 0 everywhere else.

    The partial inverse of `max_pool_with_indices`; `conv` with `input_dilation` is the sibling that learns to upsample.

    Math:
      y[n, p, c] = x[n, o, c] where indices[n, o, c] = p, else 0.
      VJP: dx[n, o, c] = g[n, indices[n, o, c], c] where x[n, o, c] stands in y, else 0.

    Args:
      x: `[*batch, *spatial, C]`, floating or integer, with any number of leading batch axes, none included.
      indices: of the shape of x, integers: the number of a position in row-major order over output_size.
      output_size: one size for each spatial axis, which gives the spatial rank: that of what was pooled. (PyTorch can
        also compute it, as (I - 1) * strides + window - 2 * padding.)
      dimension_numbers: where the axes of x and of the result stand, such as "NCHW", with one batch axis; None is as
        written here.

    Returns:
      `[*batch, *output_size, C]` in the dtype of x. Where an example's channel has an index more than once, the last of
      these values in row-major order. One whose index is no position, such as -1, is left out.

    Gradient:
      Linear in x, so there are no kinks. A value that another one has overwritten, or that was left out, has the
      gradient 0. Indices and integers have none.

    Raises:
      TypeError: a dtype or output_size is wrong.
      ValueError: the shapes do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.max_unpool(jnp.array([[5.0], [7.0]]), jnp.array([[0], [3]]), (4,)).ravel())
      [5. 0. 0. 7.]

    References:
      Zeiler, Taylor and Fergus 2011; Badrinarayanan, Kendall and Cipolla 2015, arXiv:1511.00561.
    """
    x, indices = as_numbers("x", x), as_indices("indices", indices)
    if indices.shape != x.shape:
        raise ValueError(f"indices shape (={indices.shape}) must equal x shape (={x.shape})")
    given = x
    x, indices = channels_last(x, dimension_numbers), channels_last(indices, dimension_numbers)
    sizes = canonical_sizes("output_size", output_size, given)
    require_all_spatial("output_size", sizes, x, dimension_numbers)
    rank = len(sizes)
    require_positions("x", x.shape[-rank - 1 : -1])
    if (math.prod(sizes) + 1) * x.shape[-1] > LARGEST_SIZE:
        raise ValueError(f"output_size (={output_size!r}) must leave an example at most {LARGEST_SIZE} elements")
    y = _compiled_max_unpool(merge_batch(x, rank + 1), merge_batch(indices, rank + 1), sizes)
    return from_channels_last(split_batch(y, x, rank + 1), dimension_numbers)


def _max_unpool_impl(x: jax.Array, indices: jax.Array, sizes: Ints) -> jax.Array:
    y = places.put(_rows(x), _places(indices, sizes), math.prod(sizes))
    return reshape(y, (x.shape[0], *sizes, x.shape[-1]))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _max_unpool(x: jax.Array, indices: jax.Array, sizes: Ints) -> jax.Array:
    return _max_unpool_impl(x, indices, sizes)


def _max_unpool_fwd(x: jax.Array, indices: jax.Array, sizes: Ints) -> tuple[jax.Array, jax.Array]:
    # The indices: the argument itself.
    return _max_unpool_impl(x, indices, sizes), indices


def _max_unpool_bwd(sizes: Ints, indices: jax.Array, g: jax.Array) -> tuple[jax.Array, None]:
    here = _places(indices, sizes)
    numbers = split_like(lax.broadcasted_iota(jnp.int32, here.shape, 1), here)
    owners, cotangents = places.put(numbers, here, math.prod(sizes)), _rows(g)
    owner, dx = (jnp.take_along_axis(array, here, 1, mode="clip") for array in (owners, cotangents))
    owned = (owner == numbers) & (here < math.prod(sizes))
    return reshape(jnp.where(owned, dx, jnp.zeros_like(dx)), indices.shape), None


def _rows(x: jax.Array) -> jax.Array:
    """Return x `[N, *spatial, C]` as `[N, P, C]`."""
    return reshape(x, (x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1]))


def _places(indices: jax.Array, sizes: Ints) -> jax.Array:
    """Return the indices as int32 `[N, M, C]`, with the number of positions, which is none, for all that are none."""
    positions, wide = math.prod(sizes), comparable(_rows(indices))
    found = jnp.where((wide >= 0) & (wide < positions), wide, jnp.full_like(wide, positions))
    return found.astype(jnp.int32)


_max_unpool.defvjp(_max_unpool_fwd, _max_unpool_bwd)
_compiled_max_unpool = compiled(_max_unpool, "max_unpool", static_argnums=(2,))
