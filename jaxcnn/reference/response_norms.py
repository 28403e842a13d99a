"""Local response norm in plain JAX, differentiated by JAX."""

import jax
import numpy as np
from jax import lax

from jaxcnn.ops._dtypes import widen


def local_response_norm(x: jax.Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> jax.Array:
    """Divide every channel by the energy around it; the autodiff twin of `jaxcnn.local_response_norm`."""
    wide, before = widen(x), size // 2
    window, padding = (1,) * (x.ndim - 1) + (size,), [(0, 0)] * (x.ndim - 1) + [(before, size - 1 - before)]
    sums = lax.reduce_window(wide * wide, np.zeros((), wide.dtype), lax.add, window, (1,) * x.ndim, padding)
    return (wide / (k + alpha / size * sums) ** beta).astype(x.dtype)
