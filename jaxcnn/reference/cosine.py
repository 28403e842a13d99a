"""Cosine similarity and distance in plain jax.numpy, with the values of optax, differentiated by JAX."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.reference._losses import counted, over_classes, reduced


def cosine_similarity(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    epsilon: float = 0.0,
    axis: int | tuple[int, ...] | None = -1,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the cosine of the angle; the autodiff twin of `jaxcnn.cosine_similarity`."""
    where = over_classes(where, predictions, axis)
    count = counted(where, predictions, axis)
    return reduced(_similarity(predictions, targets, epsilon, axis, where), reduction, count)


def cosine_distance(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    epsilon: float = 0.0,
    axis: int | tuple[int, ...] | None = -1,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute 1 minus the cosine of the angle; the autodiff twin of `jaxcnn.cosine_distance`."""
    where = over_classes(where, predictions, axis)
    count = counted(where, predictions, axis)
    distance = 1.0 - _similarity(predictions, targets, epsilon, axis, where)
    return reduced(
        distance if count is None else jnp.where(count, distance, jnp.zeros_like(distance)), reduction, count
    )


def _similarity(a: jax.Array, b: jax.Array, epsilon: float, axis: Any, where: jax.Array | None) -> jax.Array:
    def unit(x: jax.Array) -> jax.Array:
        square = jnp.sum(x * x, axis, keepdims=True, where=where)
        if where is not None:
            square = jnp.where(jnp.any(where, axis, keepdims=True), square, jnp.ones_like(square))
        # jnp.clip has half a slope where the square is epsilon, and the layer none.
        return x / jnp.sqrt(jnp.where(square <= epsilon, jnp.full_like(square, epsilon), square))

    return jnp.sum(unit(a) * unit(b), axis, where=where)
