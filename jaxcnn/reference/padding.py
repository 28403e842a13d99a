"""Padding by `jnp.pad`, differentiated by JAX."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._window import PaddingLike

_NAMES = {"replicate": "edge", "circular": "wrap"}


def pad(x: jax.Array, padding: PaddingLike, mode: str = "constant", *, value: float = 0.0) -> jax.Array:
    """Add elements before and after the spatial axes; the autodiff twin of `jaxcnn.pad`."""
    entries: Any = padding if isinstance(padding, Sequence) else (padding,) * (x.ndim - 2)
    pairs = [entry if isinstance(entry, Sequence) else (entry, entry) for entry in entries]
    first = x.ndim - len(pairs) - 1
    cuts = [slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(x.shape[first:-1], pairs, strict=True)]
    widths = [(0, 0)] * first + [(max(low, 0), max(high, 0)) for low, high in pairs] + [(0, 0)]
    constant = {"constant_values": value} if mode == "constant" else {}
    return jnp.pad(x[(..., *cuts, slice(None))], widths, _NAMES.get(mode, mode), **constant)
