"""Layers that only move elements, differentiated by JAX."""

import jax


def flatten(x: jax.Array, *, batch_rank: int = 1) -> jax.Array:
    """Merge all axes but the leading ones; the autodiff twin of `jaxcnn.flatten`."""
    return x.reshape(*x.shape[:batch_rank], -1)
