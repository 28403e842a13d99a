"""Kullback-Leibler divergence of log-probabilities q from probabilities t, one value an example.

    L = sum_i t_i (log t_i - q_i)

Derivation. d(t log t)/dt = log t + 1, so dq_i = -g t_i and dt_i = g (log t_i + 1 - q_i). As 0 log 0 is 0, a class with
t_i = 0 takes no part, q_i = -inf included, and both of its gradients are 0 (that of t_i is -inf in the limit).
Targets may be given as logarithms s_i, t_i = exp(s_i). Then dt_i/ds_i = t_i, so ds_i = g t_i (s_i + 1 - q_i), whose
limit at s_i = -inf is 0 indeed.
Residuals: the targets, and the predictions where the gradient of the targets is wanted, the operands themselves; log t
is computed again.

The sums run in float32 or wider and are cast once.

References: Kullback and Leibler 1951, "On information and sufficiency".
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from jaxcnn.ops._axes import class_mask
from jaxcnn.ops._dtypes import as_floating, widen
from jaxcnn.ops._losses import canonical_reduction, reduced, with_class_labels
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import unmasked

Axes = tuple[int, ...]


def kl_divergence(
    log_predictions: jax.Array,
    targets: jax.Array,
    axis: int | tuple[int, ...] | None = -1,
    where: jax.Array | None = None,
    *,
    log_target: bool = False,
    reduction: str = "none",
) -> jax.Array:
    """Compute the Kullback-Leibler divergence of predicted log-probabilities from target probabilities.

    For soft targets, as in distillation: `softmax_cross_entropy` less the entropy of the targets, and it takes the
    output of `log_softmax` where that takes logits.

    Math:
      L = sum_i targets_i (log targets_i - log_predictions_i), 0 log 0 = 0.
      VJP: dlog_predictions = -g targets, dtargets = g (log targets + 1 - log_predictions); with log_target targets are
      exp(targets) in both, and dtargets = g exp(targets) (targets + 1 - log_predictions).

    Args:
      log_predictions: `[*batch, C]`, floating, logarithms of probabilities.
      targets: probabilities, of the shape of log_predictions, or 1 along axes to repeat them along.
      axis: the axis or axes of the classes; None is all.
      where: bool, of the shape of log_predictions or of the result; what is False takes no part.
      log_target: whether targets are logarithms of probabilities, as `log_softmax` gives them; it is static.
      reduction: "none", "sum", or "mean", which divides by the number of examples that take part: torch's "batchmean".

    Returns:
      `[*batch]`, the shape of log_predictions without `axis`, or one number; in the dtype of log_predictions (of
      targets, where that is wider). A mean of nothing is nan.

    Gradient:
      Smooth where targets are above 0. Where a target is 0, or its logarithm -inf, both gradients are 0, at
      log-probabilities of -inf too.

    Raises:
      TypeError: log_predictions are not floating, targets are complex, where is not bool, or log_target is no bool.
      ValueError: axis is out of range, the shapes do not fit, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.kl_divergence(jnp.log(jnp.array([0.5, 0.5, 0.0])), jnp.array([1.0, 0.0, 0.0])).round(4))
      0.6931

    References:
      Kullback and Leibler 1951, "On information and sufficiency".
    """
    q = as_floating("log_predictions", log_predictions)
    predictions, targets, axes = with_class_labels(q, "targets", targets, axis)
    mask = class_mask(where, predictions.shape, axes)
    if not isinstance(log_target, bool):
        raise TypeError(f"log_target (={log_target!r}) must be a static bool")
    return _compiled_kl_divergence(predictions, targets, mask, axes, log_target, canonical_reduction(reduction))


def _surprise(
    predictions: jax.Array, targets: jax.Array, where: jax.Array | None, log_target: bool
) -> tuple[jax.Array, jax.Array]:
    """Return t, and log t - q, 0 where t is 0."""
    t, q = unmasked(where, widen(targets)), unmasked(where, widen(predictions))
    given, t = t, jnp.exp(t) if log_target else t
    absent = t == 0
    log_t = unmasked(~absent, given) if log_target else jnp.log(jnp.where(absent, jnp.ones_like(t), t))
    return t, log_t - jnp.where(absent, jnp.zeros_like(q), q)


def _kl_divergence_impl(
    predictions: jax.Array, targets: jax.Array, where: jax.Array | None, axes: Axes, log_target: bool
) -> jax.Array:
    t, surprise = _surprise(predictions, targets, where, log_target)
    return jnp.sum(t * surprise, axes)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _kl_divergence(
    predictions: jax.Array, targets: jax.Array, where: jax.Array | None, axes: Axes, log_target: bool
) -> jax.Array:
    return _kl_divergence_impl(predictions, targets, where, axes, log_target)


def _kl_divergence_fwd(
    predictions: Any, targets: Any, where: Any, axes: Axes, log_target: bool
) -> tuple[jax.Array, Any]:
    # The targets, for both gradients; the predictions where that of the targets is wanted, and else only their dtype;
    # the caller's mask.
    q, t, mask = predictions.value, targets.value, None if where is None else where.value
    y = _kl_divergence_impl(q, t, mask, axes, log_target)
    return y, (q if targets.perturbed else jnp.zeros(0, q.dtype), t, mask)


def _kl_divergence_bwd(axes: Axes, log_target: bool, residuals: Any, g: Any) -> tuple[jax.Array, jax.Array, None]:
    predictions, targets, where = residuals
    wanted = predictions.shape == targets.shape
    t, surprise = _surprise(predictions if wanted else targets, targets, where, log_target)
    dense = jnp.zeros_like(t, shape=g.shape) if isinstance(g, SymbolicZero) else g
    g = unmasked(where, jnp.expand_dims(dense, axes))
    of_targets = g * t * (surprise + 1) if log_target else g * (surprise + 1)
    dtargets = jnp.where(t == 0, jnp.zeros_like(t), of_targets) if wanted else jnp.zeros_like(t)
    of_predictions = jnp.where(t == 0, jnp.zeros_like(t), -g * t)  # no part in the second order either
    return of_predictions.astype(predictions.dtype), dtargets.astype(targets.dtype), None


_kl_divergence.defvjp(_kl_divergence_fwd, _kl_divergence_bwd, symbolic_zeros=True)


def _reduced_kl_divergence(
    predictions: jax.Array, targets: jax.Array, where: jax.Array | None, axes: Axes, log_target: bool, reduction: str
) -> jax.Array:
    loss = _kl_divergence(predictions, targets, where, axes, log_target)
    return reduced(loss, reduction, None if where is None else jnp.any(where, axes)).astype(predictions.dtype)


_compiled_kl_divergence = compiled(_reduced_kl_divergence, "kl_divergence", static_argnums=(3, 4, 5))
