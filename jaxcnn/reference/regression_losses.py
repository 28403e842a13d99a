"""Losses of an error in plain jax.numpy, with the values of optax, differentiated by JAX."""

import jax
import jax.numpy as jnp

from jaxcnn.reference._losses import elementwise


def _error(predictions: jax.Array, targets: jax.Array | None) -> tuple[jax.Array]:
    return (predictions if targets is None else predictions - targets,)


def squared_error(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Square the difference; the autodiff twin of `jaxcnn.squared_error`."""
    return elementwise(lambda e: e**2, _error(predictions, targets), where, reduction)


def l2_loss(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take half the squared difference; the autodiff twin of `jaxcnn.l2_loss`."""
    return elementwise(lambda e: 0.5 * e**2, _error(predictions, targets), where, reduction)


def absolute_error(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take the absolute difference; the autodiff twin of `jaxcnn.absolute_error`."""

    def size(e: jax.Array) -> jax.Array:
        # jnp.abs has the slope 1 at 0, where that of the layer is 0, as it is at NaN.
        return jnp.where(e > 0, e, jnp.where(e < 0, -e, jax.lax.stop_gradient(e)))

    return elementwise(size, _error(predictions, targets), where, reduction)


def huber_loss(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    delta: float = 1.0,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take the squared difference up to delta, a line beyond; the autodiff twin of `jaxcnn.huber_loss`."""

    def huber(error: jax.Array) -> jax.Array:
        if delta > float(jnp.finfo(error.dtype).max):
            return 0.5 * error**2
        # jnp.minimum has half a slope where |e| is delta, and the layer that of the parabola.
        size = jnp.abs(error)
        beyond = size > delta
        inner = jnp.where(beyond, jnp.zeros_like(error), error)
        return jnp.where(beyond, delta * (size - 0.5 * delta), 0.5 * inner**2)

    return elementwise(huber, _error(predictions, targets), where, reduction)


def log_cosh(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take the logarithm of the hyperbolic cosine; the autodiff twin of `jaxcnn.log_cosh`."""
    return elementwise(
        lambda e: jnp.logaddexp(e, -e) - jnp.log(2.0).astype(e.dtype), _error(predictions, targets), where, reduction
    )
