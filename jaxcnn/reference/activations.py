"""Piecewise linear activations as jax.nn and flax have them, differentiated by JAX."""

import jax
import jax.numpy as jnp


def relu(x: jax.Array) -> jax.Array:
    """Set negative elements to 0; the autodiff twin of `jaxcnn.relu`."""
    return jax.nn.relu(x)


def relu6(x: jax.Array) -> jax.Array:
    """Clip to [0, 6]; the autodiff twin of `jaxcnn.relu6`."""
    return jax.nn.relu6(x)


def leaky_relu(x: jax.Array, negative_slope: float = 1e-2) -> jax.Array:
    """Scale negative elements; the autodiff twin of `jaxcnn.leaky_relu`."""
    return jax.nn.leaky_relu(x, negative_slope)


def prelu(x: jax.Array, negative_slope: jax.Array) -> jax.Array:
    """Scale negative elements by a learned slope; the autodiff twin of `jaxcnn.prelu`."""
    slope = jnp.asarray(negative_slope, x.dtype)
    return jnp.where(x >= 0, x, slope.reshape((1,) * (x.ndim - slope.ndim) + slope.shape) * x)
