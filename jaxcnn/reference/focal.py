"""Focal loss in plain jax.numpy, in log space as optax computes it, differentiated by JAX."""

import jax
import jax.numpy as jnp

from jaxcnn.reference._losses import elementwise, rescaled


def sigmoid_focal_loss(
    logits: jax.Array,
    labels: jax.Array,
    alpha: float | None = None,
    gamma: float = 2.0,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the focal loss; the autodiff twin of `jaxcnn.sigmoid_focal_loss`."""

    def focal(z: jax.Array, y: jax.Array) -> jax.Array:
        log_p, log_not_p = jax.nn.log_sigmoid(z), jax.nn.log_sigmoid(-z)
        # Not logsumexp of the weights 1 - y and y, for which a weight of 0 has no gradient.
        mistake = (1.0 - y) * jax.nn.sigmoid(z) + y * jax.nn.sigmoid(-z)
        positive = jnp.where(mistake == 0, jnp.finfo(z.dtype).tiny, mistake)
        loss = (-y * log_p - (1.0 - y) * log_not_p) * positive**gamma
        return loss if alpha is None else (alpha * y + (1.0 - alpha) * (1.0 - y)) * loss

    return elementwise(focal, (logits, rescaled(labels, logits)), where, reduction)
