"""Grouped convolution as dense convolutions of a few groups each.

Each group is a dense convolution of its own. Where groups are narrow, several are laid side by side into one dense
convolution of up to 16 channels, whose kernel holds theirs on its diagonal and zeros elsewhere:

    y[n, o, block]    = conv(x[n, :, block], diag(kernels of the block))
    dx[n, p, block]   = conv_dx(g[n, :, block], diag(kernels of the block))
    dkernel[block]    = diagonal of conv_dkernel(x[n, :, block], g[n, :, block])

lax's own kernel gradient of a grouped convolution is 70 to 500 times slower on a CPU. What the zeros of a block meet
is not skipped, so an infinite element reaches the other groups of its block as NaN.

More than 64 groups in more than 8 blocks are not convolutions of their own, for a program of hundreds of them compiles
for long: all blocks are one batch of matrix products, of what all taps read (im2col) with the kernels of the blocks.

Cost: N * O * K * C_in / groups * C_out multiplications and additions, times the number of groups in a block;
temporaries are a copy of x, of y and of the kernel in its blocks, and of x for each tap where they are one batch.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.algorithms import canonical, direct
from jaxcnn.algorithms._mesh import product_sharding, reshape
from jaxcnn.algorithms._taps import put_all, take_all
from jaxcnn.ops._dtypes import accumulation_dtype, widen
from jaxcnn.ops._window import conv_output_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints

BLOCK_CHANNELS = 16
MANY_GROUPS = 64  # from here on the blocks are convolutions of their own only if there are few of them
FEW_BLOCKS = 8


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether there is more than one group."""
    del kernel_shape
    return config.feature_group_count > 1


def forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return y `[N, *spatial_out, C_out]` for x `[N, *spatial, C_in]`, kernel `[*spatial, C_in / groups, C_out]`."""
    groups, dense = config.feature_group_count, config._replace(feature_group_count=1)
    size = groups_in_block(groups, kernel.shape)
    if _is_batched(groups, size):
        return _batched_forward(x, *_merged(kernel, size, config))
    pairs = zip(_channels(x, groups // size), _dense_kernels(kernel, groups, size), strict=True)
    return jnp.concatenate([direct.forward(part, block, dense) for part, block in pairs], axis=-1)


def dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of x `[N, *input_size, C_in]` for g `[N, *spatial_out, C_out]`."""
    groups, dense = config.feature_group_count, config._replace(feature_group_count=1)
    size = groups_in_block(groups, kernel.shape)
    if _is_batched(groups, size):
        merged, blocks = _merged(kernel, size, config)
        return _batched_dx(g, merged, input_size, blocks)
    pairs = zip(_channels(g, groups // size), _dense_kernels(kernel, groups, size), strict=True)
    return jnp.concatenate([direct.dx(part, block, input_size, dense) for part, block in pairs], axis=-1)


def dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of the kernel `[*kernel_size, C_in / groups, C_out]`."""
    groups, dense = config.feature_group_count, config._replace(feature_group_count=1)
    kernel_shape = (*kernel_size, x.shape[-1] // groups, g.shape[-1])
    size = groups_in_block(groups, kernel_shape)
    if _is_batched(groups, size):
        merged = _batched_dkernel(x, g, kernel_size, config._replace(feature_group_count=groups // size))
        parts, own = _parts_of(merged, size, groups)
        return jnp.sum(jnp.where(own, parts, jnp.zeros_like(parts)), -5).reshape(kernel_shape)
    pairs = zip(_channels(x, groups // size), _channels(g, groups // size), strict=True)
    blocks = [_diagonal(canonical.dkernel(part, of_part, kernel_size, dense), size) for part, of_part in pairs]
    return jnp.concatenate(blocks, axis=-1)


def _is_batched(groups: int, size: int) -> bool:
    """Return whether there are so many blocks that they are computed as one batch of products."""
    return groups > MANY_GROUPS and groups // size > FEW_BLOCKS


def _merged(kernel: jax.Array, size: int, config: "ConvConfig") -> tuple[jax.Array, "ConvConfig"]:
    """Return the kernel of blocks of `size` groups, with zeros between groups, and the configuration of the blocks."""
    *spatial, narrow, channels = kernel.shape
    parts, own = _parts_of(kernel, 1, config.feature_group_count, size)
    repeated = jnp.broadcast_to(parts, (*spatial, size, *parts.shape[-4:]))
    wide = jnp.where(own, repeated, jnp.zeros_like(repeated)).reshape(*spatial, size * narrow, channels)
    return wide, config._replace(feature_group_count=config.feature_group_count // size)


def _parts_of(kernel: jax.Array, inputs: int, groups: int, outputs: int | None = None) -> tuple[jax.Array, np.ndarray]:
    """Return a kernel as `[*window, group of the input, C_in, block, group of the output, C_out]`, and the diagonal.

    Args:
      kernel: `[*window, inputs * C_in, C]`.
      inputs: how many groups of the input a block of it has.
      groups: how many groups there are.
      outputs: how many groups of the output a block has, where that is another number.
    """
    size = outputs or inputs
    *spatial, wide, channels = kernel.shape
    parts = kernel.reshape(*spatial, inputs, wide // inputs, groups // size, size, channels // groups)
    return parts, np.eye(size, dtype=bool)[:, None, None, :, None]


def _batched_forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    outputs = conv_output_size(x.shape[1:-1], kernel.shape[:-2], config)
    columns = _columns(x, kernel.shape[:-2], outputs, config)
    y = _product(columns, (1, 3), _by_group(kernel, config), (0, 1), (2,), (2,), config)  # [groups, N * positions, c]
    return reshape(jnp.moveaxis(y, 0, 1), (x.shape[0], *outputs, kernel.shape[-1]))


def _batched_dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    groups = config.feature_group_count
    rows = reshape(widen(g), (-1, groups, g.shape[-1] // groups))
    columns = _product(rows, (2,), _by_group(widen(kernel), config), (3,), (1,), (2,), config)
    split = reshape(columns, (groups, *g.shape[:-1], *columns.shape[2:]))
    taps = reshape(jnp.moveaxis(split, 0, -2), (*g.shape[:-1], columns.shape[2], groups * kernel.shape[-2]))
    return put_all(taps, kernel.shape[:-2], input_size, config).astype(g.dtype)


def _batched_dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    groups = config.feature_group_count
    columns = _columns(x, kernel_size, g.shape[1:-1], config)
    rows = reshape(g, (-1, groups, g.shape[-1] // groups))
    dkernel = _product(columns, (0,), rows, (0,), (2,), (1,), config)  # [groups, taps, c', c]
    return jnp.moveaxis(dkernel, 0, 2).reshape(*kernel_size, x.shape[-1] // groups, g.shape[-1])


def _columns(x: jax.Array, kernel_size: "Ints", outputs: "Ints", config: "ConvConfig") -> jax.Array:
    """Return what every tap of every window reads, `[N * positions, taps, groups, C_in / groups]`."""
    groups = config.feature_group_count
    taken = take_all(x, kernel_size, outputs, config)
    return reshape(taken, (-1, taken.shape[-2], groups, x.shape[-1] // groups))


def _by_group(kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return a kernel `[*window, C_in / groups, C_out]` as `[taps, C_in / groups, groups, C_out / groups]`."""
    return kernel.reshape(
        -1, kernel.shape[-2], config.feature_group_count, kernel.shape[-1] // config.feature_group_count
    )


def _product(
    a: jax.Array, a_axes: "Ints", b: jax.Array, b_axes: "Ints", a_group: "Ints", b_group: "Ints", config: "ConvConfig"
) -> jax.Array:
    """Return a product for each group, summed in float32 or wider: the group first, then the other axes of both."""
    dims, wide = ((a_axes, b_axes), (a_group, b_group)), accumulation_dtype(a.dtype)
    return lax.dot_general(
        a,
        b,
        dims,
        precision=config.precision,
        preferred_element_type=wide,
        out_sharding=product_sharding(a, b, dims),
    ).astype(a.dtype)


def groups_in_block(groups: int, kernel_shape: "Ints") -> int:
    """Return how many groups share a dense convolution: as many as divide `groups` and fit into 16 channels."""
    width = max(kernel_shape[-2], kernel_shape[-1] // groups)
    return max((n for n in range(1, groups + 1) if groups % n == 0 and n * width <= BLOCK_CHANNELS), default=1)


def _channels(x: jax.Array, blocks: int) -> list[jax.Array]:
    return jnp.split(x, blocks, axis=-1)


def _dense_kernels(kernel: jax.Array, groups: int, size: int) -> Iterator[jax.Array]:
    """Yield a kernel `[*spatial, size * C_in / groups, size * C_out / groups]` for each block of `size` groups."""
    *spatial, narrow, _ = kernel.shape
    for block in jnp.split(kernel, groups // size, axis=-1):
        if size == 1:
            yield block
        else:
            columns = block.reshape(*spatial, 1, narrow, size, -1)
            own = jnp.eye(size, dtype=bool)[:, None, :, None]
            yield jnp.where(own, columns, jnp.zeros_like(columns)).reshape(*spatial, size * narrow, -1)


def _diagonal(dense: jax.Array, size: int) -> jax.Array:
    """Return `[*spatial, narrow, C]`, each group's own part of a block's `[*spatial, size * narrow, C]`."""
    *spatial, wide, channels = dense.shape
    by_group = dense.reshape(*spatial, size, wide // size, size, channels // size)
    own: list[jax.Array] = [by_group[..., i, :, i, :] for i in range(size)]
    return own[0] if size == 1 else jnp.concatenate(own, axis=-1)
