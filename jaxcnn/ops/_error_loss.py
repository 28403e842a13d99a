"""The constructor of losses of an error, and the arguments that all of them have."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops._axes import as_mask
from jaxcnn.ops._dtypes import as_floating, require_same_dtype, widen
from jaxcnn.ops._losses import canonical_reduction, reduced
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import unmasked

Operands = tuple[jax.Array, jax.Array | None, jax.Array | None, str]


def error_loss(
    name: str,
    value: Callable[..., jax.Array],
    residual: Callable[..., jax.Array],
    cotangent: Callable[..., jax.Array],
    static: int = 0,
) -> Callable[..., jax.Array]:
    """Make the compiled loss of predictions, targets, a mask, a reduction and static arguments from f(e).

    Args:
      name: the scope under which the op appears in profiles.
      value: `value(e, *static) -> L`, whose own derivative is the rule's, kinks included, and which is 0 at 0.
      residual: `residual(e, *static)`, the array that the backward rule needs.
      cotangent: `cotangent(residual, g) -> de`.
      static: the number of static arguments.
    """

    def impl(predictions: jax.Array, targets: jax.Array, where: jax.Array | None, *config: Any) -> jax.Array:
        return value(unmasked(where, predictions - targets), *config)

    rule = jax.custom_vjp(impl, nondiff_argnums=tuple(range(3, 3 + static)))

    def forward(predictions: jax.Array, targets: jax.Array, where: jax.Array | None, *config: Any) -> tuple[Any, Any]:
        # One array for both cotangents, and the caller's mask.
        saved = residual(unmasked(where, predictions - targets), *config)
        return impl(predictions, targets, where, *config), (saved, where)

    def backward(*args: Any) -> tuple[jax.Array, jax.Array, None]:
        (saved, where), g = args[static:]
        de = unmasked(where, cotangent(saved, g))
        return de, -de, None

    rule.defvjp(forward, backward)

    def loss(
        predictions: jax.Array, targets: jax.Array | None, where: jax.Array | None, reduction: str, *config: Any
    ) -> jax.Array:
        targets = jnp.zeros_like(predictions) if targets is None else targets
        each = rule(widen(predictions), widen(targets), where, *config)
        return reduced(each, reduction, where).astype(predictions.dtype)

    return compiled(loss, name, tuple(range(3, 4 + static)))


def operands(predictions: Any, targets: Any, where: Any, reduction: Any) -> Operands:
    """Return the arguments that all of these losses have, as their compiled functions take them."""
    predictions = as_floating("predictions", predictions)
    if targets is not None:
        targets = as_floating("targets", targets)
        require_same_dtype("targets", targets, "predictions", predictions)
        if targets.shape != predictions.shape:
            raise ValueError(f"targets shape (={targets.shape}) must equal predictions shape (={predictions.shape})")
    return predictions, targets, as_mask(where, predictions.shape), canonical_reduction(reduction)
