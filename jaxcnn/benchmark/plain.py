"""Layers of the benchmark's networks as flax has them, in plain JAX: the other side of jaxcnn's own norms."""

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

import jaxcnn.reference


def batch_norm(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    """Normalise every channel by the statistics of the batch, as flax does in training."""
    axes = tuple(range(x.ndim - 1))
    return _normalize(x, axes, scale, bias, 1e-5)


def layer_norm(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    """Normalise the channels of every position, as flax does."""
    return _normalize(x, (x.ndim - 1,), scale, bias, 1e-6)


def _normalize(x: jax.Array, axes: tuple[int, ...], scale: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
    mean = jnp.mean(x, axes, keepdims=True)
    variance = jnp.maximum(0.0, jnp.mean(x * x, axes, keepdims=True) - mean * mean)
    return (x - mean) * (lax.rsqrt(variance + epsilon) * scale) + bias


def layers(ops: Any) -> SimpleNamespace:
    """Return all layers of the networks: those of `ops`, and those of this module.

    Args:
      ops: `jaxcnn.ops` or `jaxcnn.reference`.
    """
    return SimpleNamespace(
        **{**vars(ops), **_norms(ops)}, conv_in_scan=lambda x, kernels: conv_in_scan(ops, x, kernels)
    )


def _norms(ops: Any) -> dict[str, Any]:
    if ops is jaxcnn.reference:
        return {"batch_norm": batch_norm, "layer_norm": layer_norm}
    return {"batch_norm": lambda x, scale, bias: ops.batch_norm(x, scale, bias)[0]}


def conv_in_scan(ops: Any, x: jax.Array, kernels: jax.Array) -> jax.Array:
    """Apply one convolution after the other in a `lax.scan`.

    Args:
      ops: where `conv` comes from.
      x: `[N, *spatial, C]`.
      kernels: `[steps, *window, C, C]`.
    """
    return lax.scan(_conv_step(ops.conv), x, kernels)[0]


@functools.cache
def _conv_step(conv: Callable[..., jax.Array]) -> Callable[..., tuple[jax.Array, None]]:
    """Return the body of the scan, the same one in each call: JAX compiles a scan again for a new one."""
    return lambda y, kernel: (conv(y, kernel), None)
