"""Dtypes of the rules: sums run in float32 or wider and are cast once, at the end."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def accumulation_dtype(dtype: Any) -> np.dtype:
    """Return the dtype in which values of `dtype` are summed: float32, or `dtype` where that is wider."""
    return jnp.dtype(jnp.float32 if is_wider(jnp.float32, dtype) else dtype)


def is_wider(dtype: Any, other: Any) -> bool:
    """Return whether floating `dtype` has more bits than `other`."""
    return jnp.finfo(dtype).bits > jnp.finfo(other).bits


def is_half(x: jax.Array) -> bool:
    """Return whether x is narrower than float32, so that a rule computes it in float32 and rounds."""
    return is_wider(jnp.float32, x.dtype)


def widen(x: jax.Array) -> jax.Array:
    """Return `x` in its accumulation dtype."""
    return x.astype(accumulation_dtype(x.dtype))


def as_array(x: Any, name: str = "x") -> jax.Array:
    """Return `x` as an array; one that is an array already, unchanged, for `asarray` would trace a conversion.

    Raises:
      TypeError: it is no array; the error calls it `name`.
    """
    if isinstance(x, jax.Array):
        return x
    try:
        return jnp.asarray(x)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{name} (={x!r}) must be an array of numbers: {error}") from None


def cast(x: jax.Array, dtype: Any) -> jax.Array:
    """Return `x` in `dtype`; where it has it already, unchanged, for `astype` would trace a conversion."""
    return x if x.dtype == dtype else x.astype(dtype)


def as_floating(name: str, x: Any) -> jax.Array:
    """Return `x` as an array.

    Raises:
      TypeError: it is no array, or its dtype is not a floating one.
    """
    array = as_array(x, name)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} dtype (={array.dtype}) must be a floating dtype")
    return array


def as_numbers(name: str, x: Any) -> jax.Array:
    """Return `x` as an array of numbers that have an order.

    Raises:
      TypeError: it is no array, or its dtype is neither floating nor an integer one.
    """
    array = as_array(x, name)
    if not jnp.issubdtype(array.dtype, jnp.floating) and not jnp.issubdtype(array.dtype, jnp.integer):
        raise TypeError(f"{name} dtype (={array.dtype}) must be a floating or an integer dtype")
    return array


def channel_row(channels: jax.Array, x: jax.Array) -> jax.Array:
    """Return `channels`, one number for each channel of x `[..., C]`, as an array of the rank of x."""
    return channels.reshape((1,) * (x.ndim - 1) + (-1,))


def as_channels(name: str, channels: Any, x: jax.Array, or_number: bool = False) -> jax.Array:
    """Return `channels`, one number for each channel of x `[..., C]`, or one for all, as an array in the dtype of x.

    Raises:
      TypeError: its dtype is not floating, or wider than that of x.
      ValueError: it is not `[C]`, nor one number where that may be (`or_number`).
    """
    channels = as_floating(name, channels)
    if channels.dtype != x.dtype and not is_wider(x.dtype, channels.dtype):
        raise TypeError(f"{name} dtype (={channels.dtype}) must be that of x (={x.dtype}) or narrower")
    if not (or_number and channels.ndim == 0) and (x.ndim < 1 or channels.shape != x.shape[-1:]):
        raise ValueError(f"{name} shape (={channels.shape}) must be [C] for the last axis of x (shape {x.shape})")
    return cast(channels, x.dtype)


def as_static_number(name: str, value: Any, dtype: Any = None) -> float:
    """Return `value` as a Python number.

    Args:
      name: what errors call it.
      value: the number.
      dtype: that of the array which it meets, if it does: it is rounded to the accumulation dtype of that.

    Raises:
      TypeError: it is no number, or a traced one.
      ValueError: it is beyond the range of a float; or not 0, but rounded to 0 or to a subnormal number, which XLA
        takes as 0.
    """
    try:
        number = math.fsum([value])  # as float(), but no text
    except (TypeError, ValueError):  # a tracer's ConcretizationTypeError is a TypeError
        raise TypeError(f"{name} (={value!r}) must be a static number") from None
    except OverflowError:
        raise ValueError(f"{name} (={value!r}) must be in the range of a float") from None
    if dtype is not None:
        require_normal(name, number, accumulation_dtype(dtype))
    return number


def as_finite_number(name: str, value: Any, dtype: Any) -> float:
    """Return `value` as a Python number that is neither infinite nor nan.

    Raises:
      TypeError: it is no number, or a traced one.
      ValueError: it is not finite, or one that `as_static_number` refuses.
    """
    number = as_static_number(name, value, dtype)
    if not math.isfinite(number):
        raise ValueError(f"{name} (={value!r}) must be finite")
    return number


def require_normal(name: str, number: float, dtype: Any) -> None:
    """Check that a number is 0, or not so small that it is rounded to 0 or to a subnormal number.

    Raises:
      ValueError: it is that small.
    """
    least = float(jnp.finfo(dtype).tiny)
    if 0 < abs(number) < least:
        raise ValueError(f"{name} (={number!r}) must not be so small that {dtype} has it as 0 (below {least:.4g})")


def require_same_dtype(name: str, x: jax.Array, other_name: str, other: jax.Array) -> None:
    """Check that two operands agree, instead of promoting one of them silently.

    Raises:
      TypeError: the dtypes differ.
    """
    if x.dtype != other.dtype:
        raise TypeError(f"{name} dtype (={x.dtype}) must equal {other_name} dtype (={other.dtype})")


def canonical_precision(precision: Any) -> Any:
    """Return `precision` as None, a `jax.lax.Precision`, or a pair of them.

    Raises:
      ValueError: it is none of what `jax.lax` accepts.
    """
    if precision is None or isinstance(precision, jax.lax.Precision):
        return precision
    try:
        if isinstance(precision, str):
            return jax.lax.Precision(precision)
        first, second = precision
        return jax.lax.Precision(first), jax.lax.Precision(second)
    except (TypeError, ValueError):
        raise ValueError(
            f'precision (={precision!r}) must be None, a jax.lax.Precision, a name such as "highest", or two of these'
        ) from None


def canonical_preferred(preferred_element_type: Any, dtype: Any) -> np.dtype | None:
    """Return the output dtype that a caller of conv or dense asked for, None where it is that of the operands.

    Raises:
      TypeError: it is neither `dtype` nor a wider floating dtype.
    """
    if preferred_element_type is None:
        return None
    try:
        preferred = jnp.dtype(preferred_element_type)
    except TypeError:
        raise TypeError(f"preferred_element_type (={preferred_element_type!r}) must be a dtype") from None
    if preferred == dtype:
        return None
    if not jnp.issubdtype(preferred, jnp.floating) or not is_wider(preferred, dtype):
        raise TypeError(f"preferred_element_type (={preferred}) must be {dtype} or a wider floating dtype")
    return preferred
