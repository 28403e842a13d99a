"""Windows along one axis: where their taps are, and arrays of which one axis is that."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.ops._window import dilated_size, output_size


class Axis(NamedTuple):
    """The windows along one axis."""

    window: int
    stride: int
    padding: tuple[int, int]
    size: int  # of the input
    dilation: int

    @property
    def outputs(self) -> int:
        """How many windows there are."""
        return output_size(self.size, dilated_size(self.window, self.dilation), self.stride, self.padding)

    @property
    def blocks(self) -> list[range]:
        """The taps of every block: at most `stride` of them, and the first a multiple of it; one if they are apart."""
        length = self.stride if self.dilation == 1 else 1
        return [range(t, min(t + length, self.window)) for t in range(0, self.window, length)]

    def first(self, tap: int) -> int:
        """Return where this tap of the first window is."""
        return tap * self.dilation - self.padding[0]

    def positions(self, tap: int) -> np.ndarray:
        """Return where this tap of every window is; outside the input where that is padding."""
        return np.arange(self.outputs) * self.stride + self.first(tap)

    def is_inside(self, positions: np.ndarray) -> np.ndarray:
        """Return which positions are in the input."""
        return (positions >= 0) & (positions < self.size)


def pad_along(x: jax.Array, axis: int, low: int, high: int, value: float = 0, between: int = 0) -> jax.Array:
    """Pad along one axis; a negative number crops."""
    widths = [(0, 0, 0)] * x.ndim
    widths[axis] = (low, high, between)
    return lax.pad(x, jnp.array(value, x.dtype), widths)


def column_of(values: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    """Return `values`, whose first axis is to be `axis`, as an array of rank `ndim`."""
    return values.reshape(*[1] * axis, *values.shape, *[1] * (ndim - axis - values.ndim))


def sum_taps(block: jax.Array, axis: int) -> jax.Array:
    """Sum over `axis`: a few taps as additions, which fuse into one loop, many as one reduction."""
    if block.shape[axis] > 8:
        return jnp.sum(block, axis)
    taps = [lax.index_in_dim(block, t, axis, keepdims=False) for t in range(block.shape[axis])]
    return functools.reduce(jnp.add, taps)
