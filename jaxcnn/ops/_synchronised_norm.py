"""Batch norm by the mean and the variance of all devices.

The averages stand between the rules of `jaxcnn.ops._given_statistics`, which hold no collective. The mean is that of
x - shift, for a constant shift, the average of the means, so that it has the digits of a deviation.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._varying import varying_alike
from jaxcnn.ops._dtypes import channel_row, widen
from jaxcnn.ops._given_statistics import normalize_by, square_deviation
from jaxcnn.ops._norm import all_but_last
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import unmasked


def synchronised(
    x: jax.Array, scale: jax.Array, bias: jax.Array, where: jax.Array | None, axis_name: Any, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return y, mean and variance of x `[..., C]` on all devices along `axis_name`."""
    wide, axes = widen(x), all_but_last(x)

    def over_devices(values: jax.Array) -> jax.Array:
        if where is None:
            return lax.pmean(jnp.mean(values, axes), axis_name)
        each = jnp.sum(where & jnp.ones_like(wide, bool), axes, dtype=jnp.int32)
        number = lax.psum(each, axis_name)
        total = lax.psum(jnp.sum(unmasked(where, values), axes), axis_name)
        return total / jnp.maximum(number, jnp.ones_like(number)).astype(wide.dtype)

    shift = lax.stop_gradient(over_devices(wide))
    mean = over_devices(wide - channel_row(shift, x))
    if where is None:
        variance = lax.pmean(square_deviation(*varying_alike(wide, shift, mean)), axis_name)
    else:
        variance = over_devices(jnp.square(wide - channel_row(shift, x) - channel_row(mean, x)))
    arrays = varying_alike(x, shift, mean, variance, scale, bias)
    y: Any = normalize_by(*arrays, epsilon)
    return y, shift + mean, variance


compiled_synchronised = compiled(synchronised, "batch_norm", static_argnums=(4, 5))
