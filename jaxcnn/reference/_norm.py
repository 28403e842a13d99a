"""What the norms share: the affine map after the statistics."""

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import channel_row, widen


def normalize(
    x: jax.Array,
    mean: jax.Array,
    variance: jax.Array,
    scale: jax.Array | None,
    bias: jax.Array | None,
    epsilon: float,
) -> jax.Array:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + bias, in the dtype of x."""
    y = (widen(x) - mean) / jnp.sqrt(variance + epsilon)
    if scale is not None:
        y = y * channel_row(scale.astype(y.dtype), x)
    if bias is not None:
        y = y + channel_row(bias.astype(y.dtype), x)
    return y.astype(x.dtype)
