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
    t, log_t = (jnp.exp(targets), targets) if log_target else (targets, _log(targets))
    never = t == 0  # which adds 0, and has no gradient
    t, log_t, log_p = (jnp.where(never, jnp.zeros_like(a), a) for a in (t, log_t, log_predictions))
    loss = t * (log_t - log_p)
    return reduced(jnp.sum(loss, axis, where=where), reduction, counted(where, log_predictions, axis))


def _log(x: jax.Array) -> jax.Array:
    """Return log x, and 0 at 0, where its gradient would meet a 0."""
    return jnp.log(jnp.where(x == 0, jnp.ones_like(x), x))
