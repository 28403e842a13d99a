"""Local response norm: every channel is damped by the energy of the channels around it.

With W the sum over a window of n neighbouring channels, the channel's own among them (n // 2 before it, the rest after;
there is nothing outside), and W' the sum that goes back from each channel to those in whose window it is:

    d = k + (alpha / n) W(x^2),  y = x d^(-beta)

Derivation. x[c] enters y[c] directly, and the d of every channel b whose window holds it: dd[b]/dx[c] = (2 alpha / n)
x[c] for those, and dy[b]/dd[b] = -beta x[b] d[b]^(-beta - 1). With g = dL/dy,

    dx = g d^(-beta) - (2 alpha beta / n) x W'(g x d^(-beta - 1))

Residuals: x, which exists anyway; d is computed again.

References: Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural networks".
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms.long_windows import sliding_sum
from jaxcnn.ops._dtypes import as_finite_number, as_floating, widen
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import canonical_int

FEW_TAPS = 8  # whose sum is written out; that of more is put together from sums of powers of two


class ResponseConfig(NamedTuple):
    """Everything static about a local response norm."""

    size: int
    alpha: float
    beta: float
    k: float


def local_response_norm(x: jax.Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> jax.Array:
    """Divide every channel by a power of the mean square of the channels around it.

    The norm of AlexNet, with the arguments of torch; `batch_norm` and `group_norm` took its place.

    Math:
      y = x d^(-beta), d = k + alpha / size * (sum of x^2 over the window of `size` channels around each).
      VJP: dx = g d^(-beta) - (2 alpha beta / size) x W'(g x d^(-beta - 1)), W' the sum over the channels in whose
      window one is.

    Args:
      x: `[..., C]`, floating.
      size: the number of channels in a window: size // 2 before the channel, and (size - 1) // 2 after it.
      alpha: a Python number at least 0; it is static, as those that follow.
      beta: the power, a Python number.
      k: a Python number above 0.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      Smooth.

    Raises:
      TypeError: x is not floating, or an argument is no static number.
      ValueError: size, alpha or k is out of range, a number is not finite, or x has no channel axis.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.local_response_norm(jnp.array([3.0, 4.0]), 1, alpha=1.0, beta=1.0))
      [0.3        0.23529412]

    References:
      Krizhevsky, Sutskever and Hinton 2012.
    """
    x = as_floating("x", x)
    if x.ndim < 1:
        raise ValueError(f"x shape (={x.shape}) must be [..., C]")
    size = canonical_int("size", size)
    config = ResponseConfig(
        size, *(as_finite_number(n, v, x.dtype) for n, v in (("alpha", alpha), ("beta", beta), ("k", k)))
    )
    if not config.alpha >= 0:
        raise ValueError(f"alpha (={alpha!r}) must be at least 0")
    if not config.k > 0:
        raise ValueError(f"k (={k!r}) must be above 0")
    return _compiled_local_response_norm(x, config)


def _window_sum(x: jax.Array, before: int, after: int) -> jax.Array:
    """Return the sum over `before` channels before each, itself, and `after` after it."""
    channels = x.shape[-1]
    before, after = min(before, channels), min(after, channels)
    padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)])
    if before + after >= FEW_TAPS:
        return sliding_sum(padded, x.ndim - 1, before + after + 1, channels)
    taps = [lax.slice_in_dim(padded, t, t + channels, axis=-1) for t in range(before + after + 1)]
    return functools.reduce(jnp.add, taps)


def _energy(wide: jax.Array, config: ResponseConfig) -> jax.Array:
    before = config.size // 2
    return config.k + config.alpha / config.size * _window_sum(wide * wide, before, config.size - 1 - before)


def _local_response_norm_impl(x: jax.Array, config: ResponseConfig) -> jax.Array:
    return (widen(x) * _energy(widen(x), config) ** -config.beta).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _local_response_norm(x: jax.Array, config: ResponseConfig) -> jax.Array:
    return _local_response_norm_impl(x, config)


def _local_response_norm_fwd(x: jax.Array, config: ResponseConfig) -> tuple[jax.Array, jax.Array]:
    # x: the input itself.
    return _local_response_norm_impl(x, config), x


def _local_response_norm_bwd(config: ResponseConfig, x: jax.Array, g: jax.Array) -> tuple[jax.Array]:
    wide, wide_g, before = widen(x), widen(g), config.size // 2
    energy = _energy(wide, config)
    scaled_g = wide_g * energy**-config.beta
    back = _window_sum(scaled_g * wide / energy, config.size - 1 - before, before)
    return ((scaled_g - (2 * config.alpha * config.beta / config.size) * wide * back).astype(x.dtype),)


_local_response_norm.defvjp(_local_response_norm_fwd, _local_response_norm_bwd)
_compiled_local_response_norm = compiled(_local_response_norm, "local_response_norm", static_argnums=(1,))
