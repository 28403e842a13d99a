"""What the norms share: canonical arguments, and the affine map of every channel at the end."""

import math
from typing import Any

import jax
import numpy as np
from jax import lax

from jaxcnn.ops._dtypes import as_channels, as_floating, as_static_number, channel_row, widen


def canonical_arrays(x: Any, *channels: tuple[str, Any, float], called: str = "x") -> tuple[jax.Array, ...]:
    """Return x, and one array `[C]` in its dtype for each (name, value, number to take in place of None).

    Args:
      x: `[..., C]`.
      channels: what is given for each parameter.
      called: the name of x in errors.

    Raises:
      TypeError: a dtype is not floating, or wider than that of x.
      ValueError: the shapes do not fit each other.
    """
    x = as_floating(called, x)
    if x.ndim < 1 or x.shape[-1] == 0:
        raise ValueError(f"{called} shape (={x.shape}) must be [..., C] with at least one channel")
    given = []
    for name, value, absent in channels:
        given.append(np.full(x.shape[-1:], absent, x.dtype) if value is None else as_channels(name, value, x))
    return x, *given


def canonical_epsilon(epsilon: Any, dtype: Any) -> float:
    """Return `epsilon`, which is added to numbers of the accumulation dtype of `dtype`, as a finite number above 0.

    Raises:
      TypeError: it is no static number.
      ValueError: it is not above 0 and finite, or rounded to 0.
    """
    number = as_static_number("epsilon", epsilon, dtype)
    if not 0 < number < math.inf:
        raise ValueError(f"epsilon (={epsilon!r}) must be above 0 and finite")
    return number


def scaled(centred: jax.Array, variance: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
    """Return centred / sqrt(variance + epsilon) * scale + bias, in the dtype of `centred`."""
    factor = lax.rsqrt(variance + epsilon) * channel_row(widen(scale), centred)
    return centred * factor + channel_row(widen(bias), centred)


def all_but_last(x: jax.Array) -> tuple[int, ...]:
    """Return every axis of x but that of the channels."""
    return tuple(range(x.ndim - 1))
