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


def average(x: jax.Array, axes: tuple[int, ...], where: jax.Array | None) -> jax.Array:
    """Return the mean over axes, which keep the size 1, of what is True in `where`; 0 where that is nothing."""
    if where is None:
        return jnp.mean(x, axes, keepdims=True)
    number = jnp.sum(jnp.broadcast_to(where, x.shape), axes, keepdims=True, dtype=x.dtype)
    return jnp.sum(x, axes, keepdims=True, where=where) / jnp.maximum(number, jnp.ones_like(number))


def mean_and_variance(x: jax.Array, axes: tuple[int, ...], where: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Return both over axes, which keep the size 1."""
    mean = average(x, axes, where)
    return mean, average(jnp.square(x - mean), axes, where)
