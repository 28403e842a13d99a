"""Windows as rows of a matrix (im2col), and their sum (col2im).

Forward. Tap t of window o stands at o * stride + t * dilation - low in the image, which is 0 in the padding:

    unfold   y[n, o, (t, c)] = x[n, o * stride + t * dilation - low, c]
    fold     y[n, p, c]      = sum of x[n, o, (t, c)] over all o and t with o * stride + t * dilation - low = p

where (t, c) numbers taps and channels in row-major order, channels last, as the rows of a kernel `[*window, C, C_out]`:
the product of unfold's result with the kernel `[prod(window) * C, C_out]` is the convolution.

Derivation. unfold copies each x to every o and t that reads it, so dx[p] is the sum of the g there: fold of g. fold
adds each x to one y, so dx is the g there: unfold of g.

Along one axis unfold is a product with a matrix that has one 1 in each row (o, t), and fold the product with its
transpose; along several axes one after the other, then the taps of all axes are brought together. The products are
those of `jaxcnn.algorithms.sparse`, where XLA makes one loop of all this.

Residuals: none. The sums run in float32 or wider and are rounded once.

References: Chellapilla, Puri and Simard 2006, "High performance convolutional neural networks for document processing".
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms import sparse
from jaxcnn.algorithms._mesh import reshape
from jaxcnn.algorithms._sizes import require_static
from jaxcnn.ops._dtypes import as_array, widen
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import Ints, PaddingLike, Pairs, canonical_ints, canonical_padding, dilated_size, output_size


class UnfoldConfig(NamedTuple):
    """Everything static about the windows; one entry a spatial axis, and negative padding crops."""

    window: Ints
    strides: Ints
    dilation: Ints
    padding: Pairs
    size: Ints  # of the image

    @property
    def positions(self) -> Ints:
        """How many windows there are along each axis."""
        extents = map(dilated_size, self.window, self.dilation)
        return tuple(map(output_size, self.size, extents, self.strides, self.padding))


def unfold(
    x: jax.Array,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
) -> jax.Array:
    """Copy every window into a row (im2col).

    For layers that treat windows as vectors, such as local attention; `conv` needs no such copy. `fold` adds rows up.

    Math:
      y[n, o, (t, c)] = x[n, o * strides + t * window_dilation - low, c], 0 in the padding, taps t in row-major order.
      VJP: dx = fold(g), the sum of every g at the element that it was copied from.

    Args:
      x: `[*batch, *spatial, C]`, any dtype, with any number of leading batch axes, none included.
      window_shape: one size for each spatial axis, which gives the spatial rank.
      strides: an int, or one for each spatial axis; None is 1, as in the pools.
      padding: "SAME", "SAME_LOWER", "VALID", an int, or for each axis an int or a (low, high) pair; with 0. What a
        negative one names is cropped.
      window_dilation: an int, or one for each spatial axis: the distance of neighbours in a window.

    Returns:
      `[*batch, *positions, prod(window_shape) * C]` in the dtype of x, with positions
      (I + low + high - (window - 1) * window_dilation - 1) // strides + 1. Channels are the fastest in the last axis,
      the last spatial axis comes next (torch, whose channels are not last, has them slowest, and merges positions).

    Gradient:
      Linear, so there are no kinks.

    Raises:
      TypeError: an argument's type is wrong.
      ValueError: shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.unfold(jnp.array([[1], [2], [3]]), (2,)))
      [[1 2]
       [2 3]]

    References:
      Chellapilla, Puri and Simard 2006.
    """
    x = as_array(x)
    rank = _window_rank(window_shape, x.ndim)
    require_static("x", x.shape, range(-rank - 1, 0))
    return _compiled_unfold(x, _geometry(x.shape[-rank - 1 : -1], window_shape, strides, padding, window_dilation))


def fold(
    x: jax.Array,
    output_size: Any,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
) -> jax.Array:
    """Add the rows of a matrix, one a window, into an image (col2im).

    The adjoint of `unfold`, not its inverse: where windows overlap it adds. `conv` with `input_dilation` multiplies by
    a kernel, too.

    Math:
      y[n, p, c] = sum of x[n, o, (t, c)] over o * strides + t * window_dilation - low = p. VJP: dx = unfold(g).

    Args:
      x: `[*batch, *positions, prod(window_shape) * C]`, floating or integer, in the order that `unfold` gives.
      output_size: an int, or one for each spatial axis: the size of the image.
      window_shape: one size for each spatial axis, which gives the spatial rank.
      strides: an int, or one for each spatial axis; None is 1, as in the pools.
      padding: as in `unfold`; what lies in it is dropped.
      window_dilation: an int, or one for each spatial axis: the distance of neighbours in a window.

    Returns:
      `[*batch, *output_size, C]` in the dtype of x.

    Gradient:
      Linear, so there are no kinks.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.fold(jnp.array([[1, 2], [2, 3]]), 3, (2,)).ravel())
      [1 4 3]

    References:
      Chellapilla, Puri and Simard 2006.
    """
    x = as_array(x)
    if not jnp.issubdtype(x.dtype, jnp.floating) and not jnp.issubdtype(x.dtype, jnp.integer):
        raise TypeError(f"x dtype (={x.dtype}) must be a floating or an integer dtype")
    rank = _window_rank(window_shape, x.ndim)
    size = canonical_ints("output_size", output_size, rank)
    config = _geometry(size, window_shape, strides, padding, window_dilation)
    if x.shape[-rank - 1 : -1] != config.positions:
        raise ValueError(f"x shape (={x.shape}) must have the positions (={config.positions}) before its last axis")
    if x.shape[-1] % math.prod(config.window):
        raise ValueError(f"window_shape (={window_shape!r}) must have elements that divide the rows of x {x.shape}")
    return _compiled_fold(x, config)


def _window_rank(window_shape: Any, ndim: int) -> int:
    if not hasattr(window_shape, "__len__"):
        raise TypeError(f"window_shape (={window_shape!r}) must be a sequence with one size for each spatial axis")
    rank = len(window_shape)
    if not 1 <= rank <= ndim - 1:
        raise ValueError(f"window_shape (={window_shape!r}) must have 1 to {ndim - 1} axes for x of rank {ndim}")
    return rank


def _geometry(size: Ints, window_shape: Any, strides: Any, padding: PaddingLike, window_dilation: Any) -> UnfoldConfig:
    window = canonical_ints("window_shape", window_shape, len(size))
    strides = canonical_ints("strides", 1 if strides is None else strides, len(size))
    dilation = canonical_ints("window_dilation", window_dilation, len(size))
    pairs = canonical_padding(padding, size, tuple(map(dilated_size, window, dilation)), strides)
    return UnfoldConfig(window, strides, dilation, pairs, size)


def _matrices(config: UnfoldConfig) -> list[sparse.Rows]:
    """Return, for each axis, which element of the image a tap of a window reads: one row for each (o, t)."""
    matrices = []
    for a, positions in enumerate(config.positions):
        o, t = np.arange(positions)[:, None], np.arange(config.window[a])
        p = (o * config.strides[a] + t * config.dilation[a] - config.padding[a][0]).ravel()
        last = config.size[a] - 1
        matrices.append(sparse.selection(np.clip(p, 0, last), (p >= 0) & (p <= last)))
    return matrices


def _unfold_impl(x: jax.Array, config: UnfoldConfig) -> jax.Array:
    rank = len(config.window)
    batch, channels = x.shape[: -rank - 1], x.shape[-1]
    padded = lax.pad(
        x, jnp.zeros((), x.dtype), [*[(0, 0, 0)] * len(batch), *((*p, 0) for p in config.padding), (0, 0, 0)]
    )
    inside = config._replace(padding=((0, 0),) * rank, size=padded.shape[-rank - 1 : -1])
    taps = sparse.products(_matrices(inside), padded)  # [*batch, *(o, t), C]
    pairs = [n for pair in zip(config.positions, config.window, strict=True) for n in pair]
    first, end = len(batch), len(batch) + 2 * rank
    apart = reshape(taps, (*batch, *pairs, channels))
    rows = apart.transpose(*range(first), *range(first, end, 2), *range(first + 1, end, 2), end)
    return reshape(rows, (*batch, *config.positions, math.prod(config.window) * channels))


def _fold_impl(x: jax.Array, config: UnfoldConfig) -> jax.Array:
    rank = len(config.window)
    batch, channels = x.shape[: -rank - 1], x.shape[-1] // math.prod(config.window)
    wide = widen(x) if jnp.issubdtype(x.dtype, jnp.floating) else x
    rows = reshape(wide, (*batch, *config.positions, *config.window, channels))
    first, end = len(batch), len(batch) + 2 * rank
    pairs = [axis for a in range(first, first + rank) for axis in (a, a + rank)]
    merged = [o * t for o, t in zip(config.positions, config.window, strict=True)]
    taps = reshape(rows.transpose(*range(first), *pairs, end), (*batch, *merged, channels))
    back = [sparse.transposed(matrix, n) for matrix, n in zip(_matrices(config), config.size, strict=True)]
    return sparse.products(back, taps).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _unfold(x: jax.Array, config: UnfoldConfig) -> jax.Array:
    return _unfold_impl(x, config)


def _unfold_fwd(x: jax.Array, config: UnfoldConfig) -> tuple[jax.Array, None]:
    return _unfold_impl(x, config), None


def _unfold_bwd(config: UnfoldConfig, residuals: None, g: jax.Array) -> tuple[jax.Array]:
    del residuals
    return (_fold_impl(g, config),)


_unfold.defvjp(_unfold_fwd, _unfold_bwd)
_compiled_unfold = compiled(_unfold, "unfold", static_argnums=(1,))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _fold(x: jax.Array, config: UnfoldConfig) -> jax.Array:
    return _fold_impl(x, config)


def _fold_fwd(x: jax.Array, config: UnfoldConfig) -> tuple[jax.Array, None]:
    return _fold_impl(x, config), None


def _fold_bwd(config: UnfoldConfig, residuals: None, g: jax.Array) -> tuple[jax.Array]:
    del residuals
    return (_unfold_impl(g, config),)


_fold.defvjp(_fold_fwd, _fold_bwd)
_compiled_fold = compiled(_fold, "fold", static_argnums=(1,))
