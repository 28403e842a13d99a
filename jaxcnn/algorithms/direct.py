"""Convolution and both its gradients, each as one `lax.conv_general_dilated`.

With the notation of `jaxcnn.ops._window`, and x zero outside its bounds and between dilated elements,

    y[n, o, c]       = sum_{k, c'} x[n, o * stride + k * kernel_dilation - low, c'] kernel[k, c', c]
    dx[n, p, c']     = sum_{k, c : o * stride = p + low - k * kernel_dilation} g[n, o, c] kernel[k, c', c]
    dkernel[k, c', c] = sum_{n, o} x[n, o * stride + k * kernel_dilation - low, c'] g[n, o, c]

dx is a convolution of g, dilated by the strides, with the kernel flipped along every spatial axis and its channel
axes swapped; dkernel is a convolution of x with g in which batch and channels change roles. In groups, c' runs over
the input channels of the group of c.

Cost: each multiplies and adds N * O * K * C_in / groups * C_out times (all spatial axes), reads its two operands and
writes its result once; temporaries are the library's own. XLA's CPU compiler reads memory out of bounds for some
convolutions that crop their operand at the start of their axes, so there it is cropped before.
"""

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._derivatives import derived_by
from jaxcnn.algorithms._mesh import is_split, replicated
from jaxcnn.ops._window import conv_dkernel_padding, conv_dx_padding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxcnn.ops._window import ConvConfig, Ints


def accepts(config: "ConvConfig", kernel_shape: tuple[int, ...]) -> bool:
    """Return that every convolution will do."""
    del config, kernel_shape
    return True


def forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return y `[N, *spatial_out, C_out]` for x `[N, *spatial, C_in]`, kernel `[*spatial, C_in / groups, C_out]`."""
    x, padding, dilation = cropped(x, config.padding, config.input_dilation)
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=config.strides,
        padding=padding,
        lhs_dilation=dilation,
        rhs_dilation=config.kernel_dilation,
        dimension_numbers=forward_layout(x.ndim - 2),
        feature_group_count=config.feature_group_count,
        precision=config.precision,
    )


def dx(g: jax.Array, kernel: jax.Array, input_size: tuple[int, ...], config: "ConvConfig") -> jax.Array:
    """Return the cotangent of x `[N, *input_size, C_in]` for g `[N, *spatial_out, C_out]`."""
    spatial = tuple(range(kernel.ndim - 2))
    whole = conv_dx_padding(input_size, kernel.shape[:-2], g.shape[1:-1], config)
    g, padding, dilation = cropped(g, whole, config.strides)
    return lax.conv_general_dilated(
        g,
        _swap_channels(lax.rev(kernel, spatial), config.feature_group_count),
        window_strides=config.input_dilation,
        padding=padding,
        lhs_dilation=dilation,
        rhs_dilation=config.kernel_dilation,
        dimension_numbers=forward_layout(len(spatial)),
        feature_group_count=config.feature_group_count,
        precision=config.precision,
    )


def dkernel(x: jax.Array, g: jax.Array, kernel_size: tuple[int, ...], config: "ConvConfig") -> jax.Array:
    """Return the cotangent of the kernel `[*kernel_size, C_in / groups, C_out]`."""
    if config.feature_group_count > 1 and is_split(x):
        # JAX's derivatives of this convolution in groups move the examples, which an Explicit mesh refuses.
        of_groups = functools.partial(_dkernel_group_by_group, kernel_size=kernel_size, config=config)
        whole = functools.partial(_dkernel, kernel_size=kernel_size, config=config)
        return derived_by(of_groups, whole)(x, g)
    return _dkernel(x, g, kernel_size, config)


def _dkernel(x: jax.Array, g: jax.Array, kernel_size: tuple[int, ...], config: "ConvConfig") -> jax.Array:
    rank = len(kernel_size)
    batch_as_features = (x.ndim - 1, 0, *range(1, rank + 1))
    whole = conv_dkernel_padding(x.shape[1:-1], kernel_size, g.shape[1:-1], config)
    x, padding, dilation = cropped(x, whole, config.input_dilation)
    return lax.conv_general_dilated(
        x,
        g,
        window_strides=config.kernel_dilation,
        padding=padding,
        lhs_dilation=dilation,
        rhs_dilation=config.strides,
        dimension_numbers=lax.ConvDimensionNumbers(
            batch_as_features, batch_as_features, (rank, rank + 1, *range(rank))
        ),
        batch_group_count=config.feature_group_count,
        precision=config.precision,
        out_sharding=replicated(rank + 2, x, g),
    )


def _dkernel_group_by_group(
    x: jax.Array, g: jax.Array, kernel_size: tuple[int, ...], config: "ConvConfig"
) -> jax.Array:
    """Return the same by a loop over the groups."""
    groups = config.feature_group_count
    of_one = config._replace(feature_group_count=1)

    def apart(v: jax.Array) -> jax.Array:
        return jnp.moveaxis(v.reshape(*v.shape[:-1], groups, v.shape[-1] // groups), -2, 0)

    found = lax.map(lambda pair: _dkernel(pair[0], pair[1], kernel_size, of_one), (apart(x), apart(g)))
    return jnp.moveaxis(found, 0, -2).reshape(*found.shape[1:-1], g.shape[-1])


def cropped(
    x: jax.Array, padding: "Sequence[tuple[int, int]]", dilation: "Ints"
) -> tuple[jax.Array, "Sequence[tuple[int, int]]", "Ints"]:
    """Return x `[N, *spatial, C]`, its padding and its dilation, such that the padding crops no start of an axis.

    It may crop more than there is, where no window reads x: what is left is the padding after it.
    """
    if all(low >= 0 for low, _ in padding):
        return x, padding, dilation
    widths = [(low, high, d - 1) for (low, high), d in zip(padding, dilation, strict=True)]
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *widths, (0, 0, 0)])
    return x, ((0, 0),) * len(dilation), (1,) * len(dilation)


def forward_layout(rank: int) -> lax.ConvDimensionNumbers:
    """Return N, *spatial, C for the operand and the output, *spatial, C_in, C_out for the kernel."""
    data = (0, rank + 1, *range(1, rank + 1))
    return lax.ConvDimensionNumbers(data, (rank + 1, rank, *range(rank)), data)


def _swap_channels(kernel: jax.Array, groups: int) -> jax.Array:
    """Return `[*spatial, C_out / groups, C_in]` for `[*spatial, C_in / groups, C_out]`, group by group."""
    *spatial, c_in, c_out = kernel.shape
    grouped = kernel.reshape(*spatial, c_in, groups, c_out // groups)
    return jnp.swapaxes(grouped, -3, -1).reshape(*spatial, c_out // groups, groups * c_in)
