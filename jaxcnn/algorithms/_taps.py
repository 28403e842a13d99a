"""Taps: the elements of x that one tap of every window reads, and the way back of what is computed from them.

Tap t of output o reads the dilated x at o * stride + t * kernel_dilation - low. `take` collects that for every o, and
`put` is its adjoint: it sets every element back to where it was read. Neither copies where XLA fuses it into a loop.
"""

import functools
import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms import sparse
from jaxcnn.algorithms._mesh import reshape
from jaxcnn.ops._window import dilated_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints

MOST_TAPS = 64  # that are taken or put one by one; more are products with sparse matrices, one along each axis


def taps_of(kernel_size: "Ints") -> list["Ints"]:
    """Return the index of every tap, in row-major order."""
    return list(itertools.product(*map(range, kernel_size)))


def sum_over(kernel_size: "Ints", term: Callable[["Ints"], jax.Array]) -> jax.Array:
    """Add term(tap) of every tap: those of one line of the window first, then the lines.

    An addition waits for those before it, and the sums of two lines do not wait for one another.
    """
    lines = [[term((*line, last)) for last in range(kernel_size[-1])] for line in taps_of(kernel_size[:-1])]
    return functools.reduce(lax.add, [functools.reduce(lax.add, of_line) for of_line in lines])


def take(x: jax.Array, tap: "Ints", outputs: "Ints", config: "ConvConfig", first_axis: int = 1) -> jax.Array:
    """Return what `tap` reads along the spatial axes of x, which begin at `first_axis`; 0 in the padding."""
    widths = [(0, 0, 0)] * x.ndim
    for axis, stride in enumerate(config.strides):
        first = _first(tap, axis, config)
        size = dilated_size(x.shape[first_axis + axis], config.input_dilation[axis])
        extent = dilated_size(outputs[axis], stride)
        widths[first_axis + axis] = (-first, first + extent - size, config.input_dilation[axis] - 1)
    read = lax.pad(x, jnp.zeros((), x.dtype), widths)
    steps = [1] * x.ndim
    steps[first_axis : first_axis + len(tap)] = config.strides
    return lax.slice(read, [0] * x.ndim, read.shape, steps)


def put(v: jax.Array, tap: "Ints", input_size: "Ints", config: "ConvConfig", first_axis: int = 1) -> jax.Array:
    """Return an array with the spatial axes `input_size` that holds v where `tap` reads it, and 0 elsewhere."""
    widths, steps = [(0, 0, 0)] * v.ndim, [1] * v.ndim
    for axis, stride in enumerate(config.strides):
        at = first_axis + axis
        first = _first(tap, axis, config)
        size = dilated_size(input_size[axis], config.input_dilation[axis])
        widths[at] = (first, size - first - dilated_size(v.shape[at], stride), stride - 1)
        steps[at] = config.input_dilation[axis]
    dilated = lax.pad(v, jnp.zeros((), v.dtype), widths)
    return lax.slice(dilated, [0] * v.ndim, dilated.shape, steps)


def take_all(x: jax.Array, kernel_size: "Ints", outputs: "Ints", config: "ConvConfig") -> jax.Array:
    """Return what all taps read of x `[N, *spatial, C]`, beside one another: `[N, *outputs, taps, C]`."""
    if math.prod(kernel_size) <= MOST_TAPS:
        return jnp.stack([take(x, t, outputs, config) for t in taps_of(kernel_size)], axis=-2)
    matrices = _reads(kernel_size, x.shape[1:-1], outputs, config)
    read, rank = sparse.products(matrices, x), len(outputs)  # [N, *(output, tap), C]
    pairs = [size for pair in zip(outputs, kernel_size, strict=True) for size in pair]
    apart = reshape(read, (x.shape[0], *pairs, x.shape[-1]))
    order = (0, *range(1, 2 * rank, 2), *range(2, 2 * rank + 1, 2), 2 * rank + 1)
    return reshape(apart.transpose(order), (x.shape[0], *outputs, math.prod(kernel_size), x.shape[-1]))


def put_all(v: jax.Array, kernel_size: "Ints", input_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the adjoint of `take_all`: the sum of what every tap of v `[N, *outputs, taps, C]` puts to x."""
    if math.prod(kernel_size) <= MOST_TAPS:
        parts = [put(v[..., n, :], t, input_size, config) for n, t in enumerate(taps_of(kernel_size))]
        return functools.reduce(jnp.add, parts)
    outputs, rank = v.shape[1:-2], len(kernel_size)
    apart = reshape(v, (v.shape[0], *outputs, *kernel_size, v.shape[-1]))
    order = (0, *(axis for a in range(1, rank + 1) for axis in (a, a + rank)), 2 * rank + 1)
    merged = [o * t for o, t in zip(outputs, kernel_size, strict=True)]
    matrices = _reads(kernel_size, input_size, outputs, config)
    back = [sparse.transposed(matrix, size) for matrix, size in zip(matrices, input_size, strict=True)]
    return sparse.products(back, reshape(apart.transpose(order), (v.shape[0], *merged, v.shape[-1])))


def _reads(kernel_size: "Ints", input_size: "Ints", outputs: "Ints", config: "ConvConfig") -> list[sparse.Rows]:
    """Return, for each axis, which element of x a tap of an output reads, if any: one row for each (output, tap)."""
    matrices = []
    for axis, (taps, size, count) in enumerate(zip(kernel_size, input_size, outputs, strict=True)):
        o, t = np.arange(count)[:, None], np.arange(taps)
        dilated = o * config.strides[axis] + t * config.kernel_dilation[axis] - config.padding[axis][0]
        place, between = np.divmod(dilated.ravel(), config.input_dilation[axis])
        present = (between == 0) & (place >= 0) & (place < size)
        matrices.append(sparse.selection(np.clip(place, 0, size - 1), present))
    return matrices


def padded(x: jax.Array, config: "ConvConfig") -> tuple[jax.Array, "ConvConfig"]:
    """Return x `[N, *spatial, C]` dilated and padded, and the configuration under which that is the input."""
    rank = len(config.strides)
    widths = [(low, high, d - 1) for (low, high), d in zip(config.padding, config.input_dilation, strict=True)]
    plain = config._replace(padding=((0, 0),) * rank, input_dilation=(1,) * rank)
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *widths, (0, 0, 0)]), plain


def reading(
    kernel_size: "Ints", input_size: "Ints", outputs: "Ints", config: "ConvConfig"
) -> tuple["Ints", "Ints", "ConvConfig"]:
    """Return which taps read more than padding, and the configuration of a window of these alone.

    Of a 7x7 window over 2x2 pixels with padding "SAME" they are 3x3. Where no tap reads anything, one is kept.

    Args:
      kernel_size: of the whole window.
      input_size: before dilation and padding.
      outputs: the number of outputs, which stays.
      config: of the whole window.

    Returns:
      The first tap along each axis, the one after the last, and the configuration.
    """
    firsts, ends, padding = [], [], []
    for axis, (low, high) in enumerate(config.padding):
        apart, taps = config.kernel_dilation[axis], kernel_size[axis]
        last_input = dilated_size(input_size[axis], config.input_dilation[axis]) - 1
        last_start = dilated_size(outputs[axis], config.strides[axis]) - 1 - low
        end = min(max((last_input + low) // apart + 1, 1), taps)
        first = min(max(-(last_start // apart), 0), end - 1)
        firsts.append(first)
        ends.append(end)
        padding.append((low - first * apart, high - (taps - end) * apart))
    return tuple(firsts), tuple(ends), config._replace(padding=tuple(padding))


def between(kernel: jax.Array, first: "Ints", end: "Ints") -> jax.Array:
    """Return the taps of a kernel `[*spatial, C_in / groups, C_out]` from the first along each axis up to the end."""
    return lax.slice(kernel, (*first, 0, 0), (*end, *kernel.shape[-2:]))


def of_axes(config: "ConvConfig", axes: slice) -> "ConvConfig":
    """Return the configuration of some of the spatial axes."""
    return config._replace(
        strides=config.strides[axes],
        padding=config.padding[axes],
        input_dilation=config.input_dilation[axes],
        kernel_dilation=config.kernel_dilation[axes],
    )


def _first(tap: "Ints", axis: int, config: "ConvConfig") -> int:
    """Return where output 0 reads the dilated x."""
    return tap[axis] * config.kernel_dilation[axis] - config.padding[axis][0]
