"""Grouped convolution as dense convolutions of a few groups each.

Each group is a dense convolution of its own. Where groups are narrow, several are laid side by side into one dense
convolution of up to 16 channels, whose kernel holds theirs on its diagonal and zeros elsewhere:

    y[n, o, block]    = conv(x[n, :, block], diag(kernels of the block))
    dx[n, p, block]   = conv_dx(g[n, :, block], diag(kernels of the block))
    dkernel[block]    = diagonal of conv_dkernel(x[n, :, block], g[n, :, block])

lax's own kernel gradient of a grouped convolution is 70 to 500 times slower on a CPU. What the zeros of a block meet
is not skipped, so an infinite element reaches the other groups of its block as NaN.

Cost: N * O * K * C_in / groups * C_out multiplications and additions, times the number of groups in a block;
temporaries are a copy of x, of y and of the kernel in its blocks.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jaxcnn.algorithms import canonical, direct

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints

BLOCK_CHANNELS = 16


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether there is more than one group."""
    del kernel_shape
    return config.feature_group_count > 1


def forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return y `[N, *spatial_out, C_out]` for x `[N, *spatial, C_in]`, kernel `[*spatial, C_in / groups, C_out]`."""
    groups, dense = config.feature_group_count, config._replace(feature_group_count=1)
    size = groups_in_block(groups, kernel.shape)
    pairs = zip(_channels(x, groups // size), _dense_kernels(kernel, groups, size), strict=True)
    return jnp.concatenate([direct.forward(part, block, dense) for part, block in pairs], axis=-1)


def dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of x `[N, *input_size, C_in]` for g `[N, *spatial_out, C_out]`."""
    groups, dense = config.feature_group_count, config._replace(feature_group_count=1)
    size = groups_in_block(groups, kernel.shape)
    pairs = zip(_channels(g, groups // size), _dense_kernels(kernel, groups, size), strict=True)
    return jnp.concatenate([direct.dx(part, block, input_size, dense) for part, block in pairs], axis=-1)


def dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of the kernel `[*kernel_size, C_in / groups, C_out]`."""
    groups, dense = config.feature_group_count, config._replace(feature_group_count=1)
    kernel_shape = (*kernel_size, x.shape[-1] // groups, g.shape[-1])
    size = groups_in_block(groups, kernel_shape)
    pairs = zip(_channels(x, groups // size), _channels(g, groups // size), strict=True)
    blocks = [_diagonal(canonical.dkernel(part, of_part, kernel_size, dense), size) for part, of_part in pairs]
    return jnp.concatenate(blocks, axis=-1)


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
