"""Padding of the spatial axes, one axis at a time.

Forward, along one axis of size I with `low` elements before it: y[o] = x[s(o - low)], where s(p) = p inside, and
outside, p < 0 or p >= I,

    constant     none: y is the value           abc -> 00abc00
    edge         0 or I - 1                     abc -> aaabccc
    reflect      p mirrored at 0 and I - 1      abc -> cbabcba
    symmetric    p mirrored at -1/2 and I - 1/2 abc -> baabccb
    wrap         p modulo I                     abc -> bcabcab

A mirror image that is shorter than the padding is mirrored again, and so on; this is the meaning in NumPy and jnp.pad.

Derivation. Every y[o] is one x, which may be read several times: dx[i] = sum of g[o] over s(o - low) = i. That is g
without its margins, and each margin folded back: added to the elements that it was copied from. As a product: y = A x
with one 1 in each row of the matrix A, and dx = A^T g, whose rows have as many elements as there are copies.

Residuals: none. Several g may meet in one element, so they are added in float32 or wider, along all axes, and rounded
once. `jaxcnn.algorithms.sparse` computes both products without a copy of g for each axis, which jax.grad of jnp.pad
makes (2 ms where that takes 20 to 50, x 64,32,32,64, 2 cores).

References: Liu et al. 2018, "Partial convolution based padding", arXiv:1811.11718 (a comparison of the modes).
"""

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms import sparse
from jaxcnn.algorithms._sizes import require_static
from jaxcnn.ops._dtypes import as_array, as_static_number, require_normal, widen
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import PaddingLike, Pairs, canonical_padding, spatial_rank_of

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
_NAMES_OF_TORCH = {"replicate": "edge", "circular": "wrap"}


class PadConfig(NamedTuple):
    """Everything static about a padding; negative pairs crop."""

    pairs: Pairs
    mode: str
    value: float


def pad(x: jax.Array, padding: PaddingLike, mode: str = "constant", *, value: float = 0.0) -> jax.Array:
    """Add elements before and after the spatial axes.

    `conv` and the pools pad by themselves; use this for the modes that they lack.

    Math:
      y[n, o, c] = x[n, s(o - low), c], with s by mode as in the module's text, or value outside.
      VJP: dx[n, i, c] = sum of g[n, o, c] over all o that read x[n, i, c].

    Args:
      x: `[*batch, *spatial, C]`, of a floating, integer or bool dtype.
      padding: an int for all axes but the first and the last, or for each spatial axis an int or a (low, high) pair.
        What a negative one names is cropped first; then the rest is padded.
      mode: "constant", "edge" (also "replicate"), "reflect", "symmetric", or "wrap" (also "circular"), as in jnp.pad
        and torch.
      value: of the padding where mode is "constant", a Python number that the dtype of x holds; it is static.

    Returns:
      `[*batch, *(low + spatial + high), C]` in the dtype of x. The padding may be larger than the axis.

    Gradient:
      Linear, so there are no kinks. The value has none.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: the mode is unknown, more is cropped than there is, an axis without elements is to be continued, or
        value is no number of the dtype of x.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.pad(jnp.array([[1], [2], [3]]), ((2, 1),), "reflect").ravel())
      [3 2 1 2 3 2]

    References:
      Liu et al. 2018, arXiv:1811.11718.
    """
    x = as_array(x)
    if not any(jnp.issubdtype(x.dtype, kind) for kind in (jnp.floating, jnp.integer, jnp.bool_)):
        raise TypeError(f"x dtype (={x.dtype}) must be a floating, an integer or the bool dtype")
    name = _NAMES_OF_TORCH.get(mode, mode) if isinstance(mode, str) else None
    if name not in MODES:
        raise ValueError(f"mode (={mode!r}) must be one of {', '.join((*MODES, *_NAMES_OF_TORCH))}")
    if isinstance(padding, str):
        raise TypeError(f"padding (={padding!r}) must be an int, ints or (low, high) pairs")
    rank = spatial_rank_of("padding", padding, x.ndim)
    require_static("x", x.shape, range(-rank - 1, -1))
    spatial = x.shape[-rank - 1 : -1]
    pairs = canonical_padding(padding, spatial, (0,) * rank, (1,) * rank)
    for size, (low, high) in zip(spatial, pairs, strict=True):
        if name != "constant" and max(low, high) > 0 and size + min(low, 0) + min(high, 0) == 0:
            raise ValueError(f"padding (={padding!r}) in mode {mode!r} must have elements to continue (x: {x.shape})")
    return _compiled_pad(x, PadConfig(pairs, name, _canonical_value(value, x.dtype)))


def _canonical_value(value: Any, dtype: Any) -> float:
    number = as_static_number("value", value)
    if jnp.issubdtype(dtype, jnp.floating):
        require_normal("value", number, dtype)
        fits = not math.isfinite(number) or abs(number) <= float(jnp.finfo(dtype).max)
    else:
        low, high = (0, 1) if dtype == jnp.bool_ else (int(jnp.iinfo(dtype).min), int(jnp.iinfo(dtype).max))
        whole = number.is_integer()
        if whole:
            number = operator.index(value) if hasattr(value, "__index__") else int(number)  # floats have 53 bits
        fits = whole and low <= number <= high
    if not fits:
        raise ValueError(f"value (={value!r}) must be a number of the dtype of x (={dtype})")
    return number


def _pad_impl(x: jax.Array, config: PadConfig) -> jax.Array:
    if config.mode == "constant":
        return _pad_axes(x, config.pairs, config.value)
    cropped = _pad_axes(x, [(min(low, 0), min(high, 0)) for low, high in config.pairs])
    return sparse.products(_matrices(cropped.shape[-len(config.pairs) - 1 : -1], config), cropped)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _pad(x: jax.Array, config: PadConfig) -> jax.Array:
    return _pad_impl(x, config)


def _pad_fwd(x: jax.Array, config: PadConfig) -> tuple[jax.Array, None]:
    return _pad_impl(x, config), None


def _pad_bwd(config: PadConfig, residuals: None, g: jax.Array) -> tuple[jax.Array]:
    del residuals
    if config.mode == "constant":
        return (_pad_axes(g, [(-low, -high) for low, high in config.pairs]),)
    added = [max(low, 0) + max(high, 0) for low, high in config.pairs]
    size = [n - more for n, more in zip(g.shape[-len(added) - 1 : -1], added, strict=True)]
    back = [sparse.transposed(rows, n) for rows, n in zip(_matrices(size, config), size, strict=True)]
    dx = sparse.products(back, widen(g)).astype(g.dtype)
    return (_pad_axes(dx, [(max(-low, 0), max(-high, 0)) for low, high in config.pairs]),)


_pad.defvjp(_pad_fwd, _pad_bwd)
_compiled_pad = compiled(_pad, "pad", static_argnums=(1,))


def _matrices(size: Sequence[int], config: PadConfig) -> list[sparse.Rows]:
    """Return the matrix A for each axis of a cropped image."""
    widths = [(max(low, 0), max(high, 0)) for low, high in config.pairs]
    return [
        sparse.selection(_sources(config.mode, n, np.arange(-low, n + high)))
        for n, (low, high) in zip(size, widths, strict=True)
    ]


def _sources(mode: str, size: int, position: np.ndarray) -> np.ndarray:
    """Return which elements of an axis stand at positions inside and outside: s of the module's text."""
    if mode == "edge" or size <= 1:  # one element alone has no mirror image but itself
        return np.clip(position, 0, max(size - 1, 0))
    if mode == "wrap":
        return position % size
    period, last = (2 * size - 2, 2 * size - 2) if mode == "reflect" else (2 * size, 2 * size - 1)
    return np.minimum(position % period, last - position % period)


def _pad_axes(x: jax.Array, pairs: Sequence[tuple[int, int]], value: float = 0.0) -> jax.Array:
    """Pad the spatial axes with a value; a negative number crops."""
    first = x.ndim - len(pairs) - 1
    widths = [(0, 0, 0)] * first + [(low, high, 0) for low, high in pairs] + [(0, 0, 0)]
    return lax.pad(x, jnp.asarray(value, x.dtype), widths)
