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
        pairs = jnp.stack([log_p, log_not_p], -1)
        log_mistake = jax.scipy.special.logsumexp(pairs, -1, b=jnp.stack([1 - y, y], -1))
        loss = (-y * log_p - (1.0 - y) * log_not_p) * jnp.exp(gamma * log_mistake)
        return loss if alpha is None else (alpha * y + (1.0 - alpha) * (1.0 - y)) * loss

    return elementwise(focal, (logits, rescaled(labels, logits)), where, reduction)
