"""The layers of the benchmark's rows and networks, by the rules and by JAX.

A row stands beside its twin in `jaxcnn.reference`, which computes the same. A network stands beside what JAX users
have: flax's norms, whose variance is E[x^2] - E[x]^2. That takes one pass less over x, and loses all digits where the
mean is large.
"""

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


def row_layers(ops: Any) -> SimpleNamespace:
    """Return all layers of the rows: those of `ops`, batch norm without its statistics, and a scan.

    Args:
      ops: `jaxcnn.ops` or `jaxcnn.reference`.
    """
    more = {
        "batch_norm": lambda x, scale, bias: ops.batch_norm(x, scale, bias)[0],
        "conv_in_scan": lambda x, kernels: conv_in_scan(ops, x, kernels),
    }
    return SimpleNamespace(**{**vars(ops), **more})


def network_layers(ops: Any) -> SimpleNamespace:
    """Return all layers of the networks: those of the rows, with the norms of flax on the side of JAX.

    Args:
      ops: `jaxcnn.ops` or `jaxcnn.reference`.
    """
    norms = {"batch_norm": batch_norm, "layer_norm": layer_norm} if ops is jaxcnn.reference else {}
    return SimpleNamespace(**{**vars(row_layers(ops)), **norms})


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
