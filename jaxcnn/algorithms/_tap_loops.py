"""Many taps in a loop: several of a line of the window at a time, so that a program holds a bounded number of them."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms._once import once
from jaxcnn.algorithms._taps import take, taps_of
from jaxcnn.algorithms._varying import varying_alike
from jaxcnn.ops._dtypes import channel_row

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints

AT_ONCE = 16  # taps that are written out in a sum
REDUCED_AT_ONCE = 8  # whose sums over positions are written out


def weighted_sum(x: jax.Array, kernel: jax.Array, outputs: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the sum over all taps of what each reads of x times its row of the kernel.

    Args:
      x: `[N, *spatial, C]`, dilated and padded.
      kernel: `[*window, 1, C]`.
      outputs: the spatial size of the result.
      config: the configuration under which x is the input.
    """
    line = _longest(kernel.shape[:-2])
    rows = _lines_of(kernel.astype(x.dtype), line)
    (total,) = varying_alike(jnp.zeros_like(take(x, (0,) * len(outputs), outputs, config)), x, kernel)[:1]

    def added(total: jax.Array, part: jax.Array, weights: jax.Array) -> jax.Array:
        reads = _taken(part, weights.shape[0], line, outputs, config)
        terms = [read * channel_row(lax.index_in_dim(weights, t), read) for t, read in enumerate(reads)]
        return total + functools.reduce(jnp.add, terms)

    for firsts, start, end, count in _groups(kernel.shape[:-2], line, AT_ONCE):

        def add(total: jax.Array, of_group: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            first, weights = of_group
            part = _part(x, first, weights.shape[0], line, outputs, config)
            # What a loop reads by its counter is taken once, and not for each element again.
            return once(added, total, part, weights), None

        weights = rows[:, start:end].reshape(len(firsts), count, rows.shape[-1])
        positions = firsts * np.array(config.kernel_dilation)
        # What a tap reads is read again for derivatives: to keep it would take a copy of x for each.
        total, _ = lax.scan(jax.checkpoint(add, prevent_cse=False), total, (jnp.asarray(positions, jnp.int32), weights))
    return total


def each_tap(
    x: jax.Array,
    kernel_size: "Ints",
    outputs: "Ints",
    config: "ConvConfig",
    reduce: Callable[[list[jax.Array]], jax.Array],
) -> jax.Array:
    """Return `[*kernel_size, C]`, what `reduce` makes of what each tap reads: of several it makes `[taps, C]`."""
    line, found = _longest(kernel_size), []
    for firsts, start, end, count in _groups(kernel_size, line, REDUCED_AT_ONCE):

        def of_group(first: jax.Array, count: int = count) -> jax.Array:
            return reduce(_taken(_part(x, first, count, line, outputs, config), count, line, outputs, config))

        positions = firsts * np.array(config.kernel_dilation)
        sums = lax.map(of_group, jnp.asarray(positions, jnp.int32))
        found.append(sums.reshape(-1, end - start, sums.shape[-1]))
    others = [size for axis, size in enumerate(kernel_size) if axis != line]
    rows = jnp.concatenate(found, 1).reshape(*others, kernel_size[line], -1)
    return jnp.moveaxis(rows, len(others), line)


def _longest(kernel_size: "Ints") -> int:
    return int(np.argmax(kernel_size))


def _lines_of(kernel: jax.Array, line: int) -> jax.Array:
    """Return a kernel `[*window, 1, C]` as `[lines, taps of a line, C]`."""
    return jnp.moveaxis(kernel, line, -3).reshape(-1, kernel.shape[line], kernel.shape[-1])


def _groups(kernel_size: "Ints", line: int, most: int) -> list[tuple[np.ndarray, int, int, int]]:
    """Return the first taps of the groups `[groups, axes]`, which part of each line they are, and how many each has.

    There are the groups of `most` taps, one line after the other, and those of what is left of each line.
    """
    size = kernel_size[line]
    whole = size - size % most
    groups = []
    for start, end, count in ((0, whole, most), (whole, size, size - whole)):
        if end > start:
            along = [range(n) for n in kernel_size]
            along[line] = range(1)
            lines = taps_of(tuple(map(len, along)))
            firsts = [(*tap[:line], first, *tap[line + 1 :]) for tap in lines for first in range(start, end, count)]
            groups.append((np.array(firsts), start, end, count))
    return groups


def _part(x: jax.Array, first: jax.Array, count: int, line: int, outputs: "Ints", config: "ConvConfig") -> jax.Array:
    """Return what `count` taps of a line read of x, the first of which reads at the given positions."""
    extents = [(size - 1) * stride + 1 for size, stride in zip(outputs, config.strides, strict=True)]
    extents[line] += (count - 1) * config.kernel_dilation[line]
    zero = jnp.zeros((), jnp.int32)
    starts = (zero, *(first[axis] for axis in range(len(outputs))), zero)
    return lax.dynamic_slice(x, starts, (x.shape[0], *extents, x.shape[-1]))


def _taken(part: jax.Array, count: int, line: int, outputs: "Ints", config: "ConvConfig") -> list[jax.Array]:
    """Return what each of the taps reads."""
    taps = [tuple(t if axis == line else 0 for axis in range(len(outputs))) for t in range(count)]
    return [take(part, tap, outputs, config) for tap in taps]
