"""Normalisation in plain JAX, differentiated by JAX."""

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import widen


def batch_norm(
    x: jax.Array, scale: jax.Array | None = None, bias: jax.Array | None = None, *, epsilon: float = 1e-5
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normalise every channel by the batch; the autodiff twin of `jaxcnn.batch_norm`."""
    axes = tuple(range(x.ndim - 1))
    y, mean, variance = _normalize(x, scale, bias, axes, epsilon)
    return y, mean.reshape(-1), variance.reshape(-1)


def layer_norm(
    x: jax.Array, scale: jax.Array | None = None, bias: jax.Array | None = None, *, epsilon: float = 1e-6
) -> jax.Array:
    """Normalise the channels of every position; the autodiff twin of `jaxcnn.layer_norm`."""
    return _normalize(x, scale, bias, (x.ndim - 1,), epsilon)[0]


def _normalize(
    x: jax.Array, scale: jax.Array | None, bias: jax.Array | None, axes: tuple[int, ...], epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    wide = widen(x)
    mean, variance = jnp.mean(wide, axes, keepdims=True), jnp.var(wide, axes, keepdims=True)
    y = (wide - mean) / jnp.sqrt(variance + epsilon)
    row = (1,) * (x.ndim - 1) + (-1,)
    if scale is not None:
        y = y * scale.astype(y.dtype).reshape(row)
    if bias is not None:
        y = y + bias.astype(y.dtype).reshape(row)
    return y.astype(x.dtype), mean, variance
