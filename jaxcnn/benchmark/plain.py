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
    """Return all layers of the rows: those of `ops`, without statistics, with floating indices; scans, a vmap.

    Args:
      ops: `jaxcnn.ops` or `jaxcnn.reference`.
    """
    more = {
        "batch_norm": lambda x, scale, bias: ops.batch_norm(x, scale, bias)[0],
        "max_pool_with_indices": _with_float_indices(ops, "max_pool_with_indices"),
        "adaptive_max_pool_with_indices": _with_float_indices(ops, "adaptive_max_pool_with_indices"),
        "conv_lstm": lambda x, kernel: conv_lstm(ops, x, kernel),
        "conv_in_scan": lambda x, kernels: conv_in_scan(ops, x, kernels),
        "dkernel_by_example": lambda x, g, window: dkernel_by_example(ops, x, g, window),
    }
    return SimpleNamespace(**{**vars(ops), **more})


def _with_float_indices(ops: Any, name: str) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Return a pool whose results have a cotangent each, that of the indices without effect."""

    def call(x: jax.Array, **options: Any) -> tuple[jax.Array, jax.Array]:
        y, indices = getattr(ops, name)(x, **options)
        return y, indices.astype(y.dtype)

    return call


def network_layers(ops: Any) -> SimpleNamespace:
    """Return all layers of the networks: those of the rows, with the norms of flax on the side of JAX.

    Args:
      ops: `jaxcnn.ops` or `jaxcnn.reference`.
    """
    norms = {"batch_norm": batch_norm, "layer_norm": layer_norm} if ops is jaxcnn.reference else {}
    return SimpleNamespace(**{**vars(row_layers(ops)), **norms})


def dkernel_by_example(ops: Any, x: jax.Array, g: jax.Array, window: tuple[int, ...]) -> jax.Array:
    """Return the gradient of a kernel for every example apart.

    Args:
      ops: where `conv` comes from.
      x: `[N, *spatial, C_in]`.
      g: `[N, *spatial, C_out]`, the cotangents.
      window: the window's size.
    """
    kernel = jnp.zeros((*window, x.shape[-1], g.shape[-1]), x.dtype)

    def of_one(x: jax.Array, g: jax.Array) -> jax.Array:
        return jax.vjp(lambda k: ops.conv(x, k), kernel)[1](g)[0]

    return jax.vmap(of_one)(x, g)


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


def conv_lstm(ops: Any, x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Apply a convolutional LSTM to the frames of videos, and return its state after the last one.

    Math:
      i, f, o, u = conv([x_t, h], kernel) in four parts of the channels; c = sigmoid(f) c + sigmoid(i) tanh(u);
      h = sigmoid(o) tanh(c).

    Args:
      ops: where `conv` comes from.
      x: `[N, steps, *spatial, C_in]`.
      kernel: `[*window, C_in + C, 4 C]`.

    References:
      Shi et al. 2015, "Convolutional LSTM network", arXiv:1506.04214.
    """
    return _conv_lstm_of(ops.conv)(x, kernel)


@functools.cache
def _conv_lstm_of(conv: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """Return the compiled network, the same one in each call: JAX compiles a scan again for a new body."""

    def apply(x: jax.Array, kernel: jax.Array) -> jax.Array:
        def step(state: tuple[jax.Array, jax.Array], frame: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
            c, h = state
            i, f, o, u = jnp.split(conv(jnp.concatenate([frame, h], -1), kernel), 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(u)
            return (c, jax.nn.sigmoid(o) * jnp.tanh(c)), None

        empty = jnp.zeros((x.shape[0], *x.shape[2:-1], kernel.shape[-1] // 4), x.dtype)
        return lax.scan(step, (empty, empty), jnp.moveaxis(x, 1, 0))[0][1]

    return jax.jit(apply)
