"""Layers that only move elements, differentiated by JAX."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops.rearrange import Order


def flatten(x: jax.Array, *, batch_rank: int = 1) -> jax.Array:
    """Merge all axes but the leading ones; the autodiff twin of `jaxcnn.flatten`."""
    return x.reshape(*x.shape[:batch_rank], -1)


def depth_to_space(x: jax.Array, block_size: Any, *, order: Order = "DCR") -> jax.Array:
    """Turn channels into blocks of positions; the autodiff twin of `jaxcnn.depth_to_space`."""
    blocks = block_size if isinstance(block_size, Sequence) else (block_size,) * (x.ndim - 2)
    rank, first = len(blocks), x.ndim - len(blocks) - 1
    channels = x.shape[-1] // math.prod(blocks)
    if order == "CRD":
        y = jnp.moveaxis(x.reshape(*x.shape[:-1], channels, *blocks), first + rank, -1)
    else:
        y = x.reshape(*x.shape[:-1], *blocks, channels)
    for a in range(rank):
        y = jnp.moveaxis(y, first + rank + a, first + 2 * a + 1)
    merged = [n * b for n, b in zip(x.shape[first:-1], blocks, strict=True)]
    return y.reshape(*x.shape[:first], *merged, channels)


def space_to_depth(x: jax.Array, block_size: Any, *, order: Order = "DCR") -> jax.Array:
    """Turn blocks of positions into channels; the autodiff twin of `jaxcnn.space_to_depth`."""
    blocks = block_size if isinstance(block_size, Sequence) else (block_size,) * (x.ndim - 2)
    rank, first = len(blocks), x.ndim - len(blocks) - 1
    left = [n // b for n, b in zip(x.shape[first:-1], blocks, strict=True)]
    apart = [size for pair in zip(left, blocks, strict=True) for size in pair]
    y = x.reshape(*x.shape[:first], *apart, x.shape[-1])
    for a in range(rank):
        y = jnp.moveaxis(y, first + a + 1, -2)
    if order == "CRD":
        y = jnp.moveaxis(y, -1, first + rank)
    return y.reshape(*x.shape[:first], *left, x.shape[-1] * math.prod(blocks))
