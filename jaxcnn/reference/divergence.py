"""Kullback-Leibler divergence in plain jax.numpy, with the values of optax, differentiated by JAX."""

import jax
import jax.numpy as jnp

from jaxcnn.reference._losses import counted, over_classes, reduced


def kl_divergence(
    log_predictions: jax.Array,
    targets: jax.Array,
    axis: int | tuple[int, ...] | None = -1,
    where: jax.Array | None = None,
    *,
    log_target: bool = False,
    reduction: str = "none",
) -> jax.Array:
    """Compute the divergence from the targets; the autodiff twin of `jaxcnn.kl_divergence`."""
    where = over_classes(where, log_predictions, axis)
    t, log_t = (jnp.exp(targets), targets) if log_target else (targets, jnp.log(targets))
    loss = t * (jnp.where(t == 0, jnp.zeros_like(t), log_t) - log_predictions)
    return reduced(jnp.sum(loss, axis, where=where), reduction, counted(where, log_predictions, axis))
