"""Convolution in three dimensions as a sum of convolutions in two, one for each tap along the first axis.

With t for that tap, d for the first output axis, and everything else as in `direct`, on images that are the planes
of all examples,

    y[n, d]    = sum_t conv2d(x[n, d * stride + t * kernel_dilation - low], kernel[t])
    dx         = sum_t put_t(conv2d_dx(g[n, d], kernel[t]))
    dkernel[t] = conv2d_dkernel(x[n, d * stride + t * kernel_dilation - low], g[n, d]), over all n and d

XLA's CPU library is made for two dimensions; in three it is three to four times slower.

Cost: N * O * K * C_in / groups * C_out multiplications and additions, as `direct`; temporaries are one tap's planes of
x, and of y or dx, which is read and written once for each tap.
"""

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jaxcnn.algorithms import canonical, direct
from jaxcnn.algorithms._taps import of_axes, put, take
from jaxcnn.ops._dtypes import widen
from jaxcnn.ops._window import conv_output_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether there are three spatial axes."""
    del config
    return len(kernel_shape) == 5


def forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return y `[N, *spatial_out, C_out]` for x `[N, *spatial, C_in]`, kernel `[*spatial, C_in / groups, C_out]`."""
    depth, *area = conv_output_size(x.shape[1:-1], kernel.shape[:-2], config)
    first, rest = _split(config)
    wide, taps = widen(x), widen(kernel)
    sums = [
        direct.forward(_planes(wide, t, depth, first), taps[t], rest).reshape(-1, depth, *area, kernel.shape[-1])
        for t in range(kernel.shape[0])
    ]
    return functools.reduce(jnp.add, sums).astype(x.dtype)


def dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of x `[N, *input_size, C_in]` for g `[N, *spatial_out, C_out]`."""
    first, rest = _split(config)
    planes, taps = widen(g.reshape(-1, *g.shape[2:])), widen(kernel)
    sums = []
    for t in range(kernel.shape[0]):
        of_tap = direct.dx(planes, taps[t], input_size[1:], rest)
        sums.append(put(of_tap.reshape(*g.shape[:2], *of_tap.shape[1:]), (t,), input_size[:1], first))
    return functools.reduce(jnp.add, sums).astype(g.dtype)


def dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of the kernel `[*kernel_size, C_in / groups, C_out]`."""
    first, rest = _split(config)
    planes = g.reshape(-1, *g.shape[2:])
    taps = [
        canonical.dkernel(_planes(x, t, g.shape[1], first), planes, kernel_size[1:], rest)
        for t in range(kernel_size[0])
    ]
    return jnp.stack(taps)


def _split(config: "ConvConfig") -> tuple["ConvConfig", "ConvConfig"]:
    """Return the configurations of the first spatial axis and of the other two."""
    return of_axes(config, slice(0, 1)), of_axes(config, slice(1, None))


def _planes(x: jax.Array, tap: int, depth: int, first: "ConvConfig") -> jax.Array:
    """Return the planes that a tap along the first axis reads, as images `[N * depth, H, W, C]`."""
    taken = take(x, (tap,), (depth,), first)
    return taken.reshape(-1, *taken.shape[2:])
