"""Piecewise linear activations as jax.nn has them, differentiated by JAX."""

import jax


def relu(x: jax.Array) -> jax.Array:
    """Set negative elements to 0; the autodiff twin of `jaxcnn.relu`."""
    return jax.nn.relu(x)


def relu6(x: jax.Array) -> jax.Array:
    """Clip to [0, 6]; the autodiff twin of `jaxcnn.relu6`."""
    return jax.nn.relu6(x)


def leaky_relu(x: jax.Array, negative_slope: float = 1e-2) -> jax.Array:
    """Scale negative elements; the autodiff twin of `jaxcnn.leaky_relu`."""
    return jax.nn.leaky_relu(x, negative_slope)
