"""Sigmoid and its derivative as factors of a product, in range and with all digits at both ends.

A rule multiplies by sigmoid(x), which may be too small for the dtype and then counts as 0 where the product is not: 100
exp(-90) is a number of bfloat16 and exp(-90) is none. So in half precision these come as two factors of about the same
size, and v sigmoid(x) is (v * near) * far. In float32 and wider near is 1, and far as JAX computes it, which is faster.
"""

import jax
import jax.numpy as jnp

Factors = tuple[jax.Array | float, jax.Array]


def sigmoid_factors(x: jax.Array, half: bool) -> Factors:
    """Return near <= 1 and far with near * far = sigmoid(x); half says whether x was in half precision."""
    if not half:
        return 1.0, jax.lax.logistic(x)
    root = _root(x)
    near = jnp.where(x < 0, root, 1.0)
    return near, near / (1 + root * root)


def sigmoid_slope_factors(x: jax.Array, half: bool) -> Factors:
    """Return near and far with near * far = sigmoid'(x); half says whether x was in half precision."""
    if not half:
        p = jax.lax.logistic(x)
        return 1.0, p * (1 - p)
    root = _root(x)
    near = root / (1 + root * root)
    return near, near


def _root(x: jax.Array) -> jax.Array:
    """Return exp(-|x| / 2), whose derivative at x = 0 is that of one side, so that what is smooth in x stays so."""
    return jnp.exp(jnp.where(x < 0, x, -x) / 2)
