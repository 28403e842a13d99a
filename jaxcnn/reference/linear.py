"""Dense layers and biases as jnp writes them, differentiated by JAX."""

from typing import Any

import jax
import jax.numpy as jnp


def dense(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """Multiply by a kernel; the autodiff twin of `jaxcnn.dense`."""
    y = jnp.matmul(x, kernel, precision=precision, preferred_element_type=preferred_element_type)
    return y if bias is None else bias_add(y, bias)


def bias_add(x: jax.Array, bias: jax.Array) -> jax.Array:
    """Add one bias to every channel; the autodiff twin of `jaxcnn.bias_add`."""
    return x + bias.astype(x.dtype).reshape((1,) * (x.ndim - 1) + bias.shape)
