"""Losses of yes-or-no decisions in plain jax.numpy, with the values of optax, differentiated by JAX."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.reference._losses import elementwise, rescaled


def sigmoid_binary_cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    *,
    pos_weight: Any = None,
    weight: Any = None,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the cross entropy with the sigmoid; the autodiff twin of `jaxcnn.sigmoid_binary_cross_entropy`."""

    def cross_entropy(z: jax.Array, y: jax.Array) -> jax.Array:
        positive = -y * jax.nn.log_sigmoid(z)
        if pos_weight is not None:
            positive *= jnp.broadcast_to(jax.lax.stop_gradient(jnp.asarray(pos_weight, z.dtype)), z.shape)
        loss = positive - (1.0 - y) * jax.nn.log_sigmoid(-z)
        if weight is None:
            return loss
        return loss * jnp.broadcast_to(jax.lax.stop_gradient(jnp.asarray(weight, z.dtype)), z.shape)

    return elementwise(cross_entropy, (logits, rescaled(labels, logits)), where, reduction)


def hinge_loss(
    predictor_outputs: jax.Array,
    targets: jax.Array,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take what a score lacks of the margin 1; the autodiff twin of `jaxcnn.hinge_loss`."""
    operands = (predictor_outputs, rescaled(targets, predictor_outputs))

    def hinge(z: jax.Array, y: jax.Array) -> jax.Array:
        lacking = 1 - z * y
        return jnp.where(lacking <= 0, jnp.zeros((), lacking.dtype), lacking)  # jnp.maximum has half a slope at 0

    return elementwise(hinge, operands, where, reduction)
