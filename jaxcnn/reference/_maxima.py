"""The maximum along axes that gives its gradient to one element: `jnp.max` shares it out among equal ones."""

import math

import jax
import jax.numpy as jnp


def first_maximum(x: jax.Array, axis: int, count: int = 1) -> jax.Array:
    """Take the maximum over `count` axes from `axis` on.

    Of equal numbers, and of several NaN, it is the first in row-major order.
    """
    before, over, after = x.shape[:axis], x.shape[axis : axis + count], x.shape[axis + count :]
    x = x.reshape(*before, math.prod(over), *after)
    return jnp.take_along_axis(x, jnp.argmax(x, axis, keepdims=True), axis).squeeze(axis)
