"""Depthwise convolution, one input channel a group, as sums over the taps of a window.

With M = C_out / C_in output channels for each input channel, output channel c reads input channel c // M, and

    y[n, o, c]    = sum_t x[n, o * stride + t * kernel_dilation - low, c // M] kernel[t, 0, c]
    dx[n, :, c']  = sum_{t, m} put_t(g[n, :, c' M + m] kernel[t, 0, c' M + m])
    dkernel[t, c] = sum_{n, o} x[n, o * stride + t * kernel_dilation - low, c // M] g[n, o, c]

where put_t sets each element to where tap t reads. No product is written to memory: forward is one loop over the output
in which all taps of an element are added, and so is dx: a forward pass of g, dilated by the strides, with the kernel
turned, or with strides and few taps the sum as it stands. More than a few taps are added in a loop over them, several
at a time, so that a program has a bounded length. dkernel takes the taps of one line of the window at a time,
in a loop over the first spatial axis of the kernel where that has more than three, and adds eight blocks of rows of
x * g before it writes, so that what is left to reduce is an eighth of the output for each tap. Taps that read nothing
but padding, 40 of the 49 of a 7x7 window over 2x2 pixels, are left out of all three.

Cost: N * O * K * C_out multiplications and additions, which read x from cache K times; temporaries are one padded copy
of x or of g, and in dkernel the taps of one line times an eighth of g.
"""

import functools
import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms import _tap_loops
from jaxcnn.algorithms._once import once
from jaxcnn.algorithms._taps import between, padded, put, reading, sum_over, take, taps_of
from jaxcnn.ops._dtypes import accumulation_dtype, channel_row
from jaxcnn.ops._window import conv_dx_config, conv_output_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints

FEW_TAPS = 9  # up to which putting each where it was read costs less than a pass over the dilated g
FEW_LINES = 3  # up to which dkernel has no loop over lines, which copies what a line reads, but compiles faster
MOST_TAPS = 128  # of which the sum is one loop over elements; more are added several at a time, in a loop over taps
LONGEST_LINE = 16  # of taps, whose dkernel is reduced at once
FEW_OUTPUTS = 8  # of an input channel, whose parts of dx are written out
BLOCKS = 8  # of rows, added before dkernel reduces


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether each input channel is a group of its own."""
    del config
    return kernel_shape[-2] == 1


def forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return y `[N, *spatial_out, C_out]` for x `[N, *spatial, C_in]`, kernel `[*spatial, 1, C_out]`."""
    outputs = conv_output_size(x.shape[1:-1], kernel.shape[:-2], config)
    first, end, config = reading(kernel.shape[:-2], x.shape[1:-1], outputs, config)
    return once(lambda x, kernel: _forward(x, kernel, config), x, between(kernel, first, end))


def _forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    outputs = conv_output_size(x.shape[1:-1], kernel.shape[:-2], config)
    x, config = padded(_repeat(x, kernel.shape[-1]).astype(accumulation_dtype(x.dtype)), config)
    if math.prod(kernel.shape[:-2]) > MOST_TAPS:
        return _tap_loops.weighted_sum(x, kernel, outputs, config).astype(kernel.dtype)
    return sum_over(kernel.shape[:-2], lambda t: _scale(take(x, t, outputs, config), kernel[t])).astype(kernel.dtype)


def dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of x `[N, *input_size, C_in]` for g `[N, *spatial_out, C_out]`."""
    first, end, config = reading(kernel.shape[:-2], input_size, g.shape[1:-1], config)
    return once(lambda g, kernel: _dx(g, kernel, input_size, config), g, between(kernel, first, end))


def _dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    multiplier = g.shape[-1] // config.feature_group_count
    wide, kernel = (v.astype(accumulation_dtype(g.dtype)) for v in (g, kernel))
    kernel_size = kernel.shape[:-2]
    if multiplier == 1 and max(config.strides) > 1 and math.prod(kernel_size) <= FEW_TAPS:
        total = sum_over(kernel_size, lambda t: put(_scale(wide, kernel[t]), t, input_size, config))
    else:
        turned = lax.rev(kernel, range(kernel.ndim - 2))
        config = conv_dx_config(input_size, kernel_size, g.shape[1:-1], config)
        total = _sum_of_outputs(wide, turned, multiplier, config)
    return total.astype(g.dtype)


def _sum_of_outputs(g: jax.Array, kernel: jax.Array, multiplier: int, config: "ConvConfig") -> jax.Array:
    """Return the sum over the output channels of each input channel, of which there are `multiplier`."""
    if multiplier <= FEW_OUTPUTS:
        parts = [_forward(g[..., m::multiplier], kernel[..., m::multiplier], config) for m in range(multiplier)]
        return functools.reduce(jnp.add, parts)

    def parts_of(v: jax.Array) -> jax.Array:
        return jnp.moveaxis(v.reshape(*v.shape[:-1], -1, multiplier), -1, 0)

    def add(total: jax.Array, part: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        return total + _forward(*part, config), None

    first = _forward(g[..., ::multiplier], kernel[..., ::multiplier], config)
    others = tuple(lax.slice_in_dim(parts_of(v), 1, multiplier) for v in (g, kernel))
    return lax.scan(jax.checkpoint(add, prevent_cse=False), first, others)[0]


def dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of the kernel `[*kernel_size, 1, C_out]`."""
    first, end, config = reading(kernel_size, x.shape[1:-1], g.shape[1:-1], config)
    read = _dkernel(x, g, tuple(map(operator.sub, end, first)), config)
    unread = [(before, size - after, 0) for before, after, size in zip(first, end, kernel_size, strict=True)]
    return lax.pad(read, jnp.zeros((), read.dtype), [*unread, (0, 0, 0), (0, 0, 0)])


def _dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    wide, channels = accumulation_dtype(g.dtype), g.shape[-1]
    x, config = padded(_repeat(x, channels).astype(wide), config)
    outputs = g.shape[1:-1]
    rows = -(-outputs[0] // BLOCKS)
    blocks = -(-outputs[0] // rows)
    outputs = (blocks * rows, *outputs[1:])
    extent = (outputs[0] - 1) * config.strides[0] + 1
    x = _extend(x, (kernel_size[0] - 1) * config.kernel_dilation[0] + extent)
    weights = _extend(g.astype(wide), outputs[0])

    def sums(taken: Sequence[jax.Array]) -> jax.Array:
        """Return `[taps, C]`, the sums of what each tap took times g."""
        blocks_of = [[v[:, b * rows : (b + 1) * rows] for b in range(blocks)] for v in (*taken, weights)]
        added = [functools.reduce(jnp.add, map(jnp.multiply, of_tap, blocks_of[-1])) for of_tap in blocks_of[:-1]]
        return jnp.sum(jnp.stack([v.reshape(-1, channels) for v in added]), axis=1)

    def line(first: jax.Array | int) -> jax.Array:
        lines = lax.dynamic_slice_in_dim(x, first, extent, axis=1)
        return sums([take(lines, (0, *t), outputs, config) for t in taps_of(kernel_size[1:])])

    firsts = np.arange(kernel_size[0]) * config.kernel_dilation[0]
    if math.prod(kernel_size[1:] if len(kernel_size) > 1 else kernel_size) > LONGEST_LINE:
        summed = _tap_loops.each_tap(x, kernel_size, outputs, config, sums)
    elif len(kernel_size) == 1:
        summed = sums([take(x, t, outputs, config) for t in taps_of(kernel_size)])
    elif len(firsts) <= FEW_LINES:
        summed = jnp.stack([line(int(first)) for first in firsts])
    else:
        summed = lax.map(line, jnp.asarray(firsts))
    return summed.reshape(*kernel_size, 1, channels).astype(g.dtype)


def _repeat(x: jax.Array, channels: int) -> jax.Array:
    """Return x with each channel as often as it has output channels."""
    times = channels // x.shape[-1]
    return x if times == 1 else jnp.repeat(x, times, axis=-1)


def _scale(x: jax.Array, weights: jax.Array) -> jax.Array:
    """Multiply each channel of x `[N, *spatial, C]` by its weight; weights: `[1, C]`."""
    return x * channel_row(weights.astype(x.dtype), x)


def _extend(x: jax.Array, rows: int) -> jax.Array:
    """Return x with zeros after the last row of axis 1, or cropped, to `rows` rows."""
    widths = [(0, 0, 0)] * x.ndim
    widths[1] = (0, rows - x.shape[1], 0)
    return lax.pad(x, jnp.zeros((), x.dtype), widths)
