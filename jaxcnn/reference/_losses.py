"""What the reference losses share: masks and reductions in plain jax.numpy."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def elementwise(
    loss: Callable[..., jax.Array], operands: tuple[jax.Array, ...], where: jax.Array | None, reduction: str
) -> jax.Array:
    """Return loss(*operands) reduced; elements outside `where` hold 0 before and after."""
    if where is None:
        return reduced(loss(*operands), reduction)
    each = loss(*(jnp.where(where, x, jnp.zeros_like(x)) for x in operands))
    return reduced(jnp.where(where, each, jnp.zeros_like(each)), reduction, where)


def reduced(loss: jax.Array, reduction: str, count: jax.Array | None = None) -> jax.Array:
    """Return the losses, their sum, or their mean over what `count` counts."""
    if reduction == "none":
        return loss
    if reduction == "sum":
        return jnp.sum(loss)
    if count is None:
        return jnp.mean(loss)
    return jnp.sum(loss) / jnp.sum(jnp.broadcast_to(count, loss.shape), dtype=loss.dtype)


def over_classes(where: Any, x: jax.Array, axis: Any) -> jax.Array | None:
    """Return `where` in the rank of x; one of the shape of the examples is spread along `axis`."""
    if where is None or where.ndim == x.ndim:
        return where
    return jnp.expand_dims(where, axis)


def counted(where: jax.Array | None, x: jax.Array, axis: Any) -> jax.Array | None:
    """Return which examples take part."""
    return None if where is None else jnp.any(jnp.broadcast_to(where, x.shape), axis)


def rescaled(labels: jax.Array, x: jax.Array) -> jax.Array:
    """Return labels in the dtype of x, where they are bools or integers."""
    return labels if jnp.issubdtype(labels.dtype, jnp.floating) else labels.astype(x.dtype)
