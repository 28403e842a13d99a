"""Cosine of the angle between two vectors a and b, one value an example.

    L = sum_i u_i v_i,  u = a / |a|,  v = b / |b|,  |a| = sqrt(max(sum_i a_i^2, epsilon)), and |b| likewise

Derivation. Where the sum is above epsilon, d|a|/da_k = u_k, so du_i/da_k = ([i = k] - u_i u_k) / |a|, and

    da_k = g (v_k - u_k L) / |a|        db_k = g (u_k - v_k L) / |b|

Where it is not, |a| is constant and the term with L is absent. The distance is 1 - L, so that its cotangents are these
with -g. Residuals: the operands, which exist anyway; the norms are computed again, as `jaxcnn.ops._vector_norms` says.

The sums run in float32 or wider and are cast once.

References: Manning, Raghavan and Schütze 2008, "Introduction to information retrieval", section 6.3.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops._axes import canonical_axes, class_mask
from jaxcnn.ops._dtypes import as_floating, as_static_number, widen
from jaxcnn.ops._losses import canonical_reduction, reduced, with_labels
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import unmasked
from jaxcnn.ops._vector_norms import reciprocal_norm

Axes = tuple[int, ...]


def cosine_similarity(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    epsilon: float = 0.0,
    axis: int | tuple[int, ...] | None = -1,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute the cosine of the angle between two vectors.

    1 where they point the same way, whatever their lengths; `cosine_distance` is the loss, 1 minus this.

    Math:
      L = sum_i u_i v_i, u = predictions / |predictions|, v = targets / |targets|.
      VJP: dpredictions = g (v - u L) / |predictions|, dtargets = g (u - v L) / |targets|.

    Args:
      predictions: `[*batch, C]`, floating; the vectors may stand along any `axis`.
      targets: of the shape of predictions, or 1 along axes to repeat them along.
      epsilon: a Python number, at least 0; it is static. No squared norm counts as less.
      axis: the axis or axes of a vector; None is all.
      where: bool, of the shape of predictions or of the result; what is False takes no part.
      reduction: "none", "sum", or "mean", which divides by the number of examples that take part.

    Returns:
      `[*batch]`, the shape of predictions without `axis`, or one number; in the dtype of predictions (of targets, where
      that is wider). A vector of zeros gives nan unless epsilon is above 0, and a mean of nothing gives nan.

    Gradient:
      Smooth; where a squared norm is not above epsilon the norm counts as constant.

    Raises:
      TypeError: predictions are not floating, targets are complex, where is not bool, or epsilon is no static number.
      ValueError: axis or epsilon is out of range, the shapes do not fit, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.cosine_similarity(jnp.array([[3.0, 0.0], [0.0, 4.0]]), jnp.array([[2.0, 0.0]])))
      [1. 0.]

    References:
      Manning, Raghavan and Schütze 2008, "Introduction to information retrieval", section 6.3.
    """
    return _compiled_similarity(*_operands(predictions, targets, epsilon, axis, where, reduction), False)


def cosine_distance(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    epsilon: float = 0.0,
    axis: int | tuple[int, ...] | None = -1,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Compute 1 minus the cosine of the angle between two vectors.

    For embeddings, whose direction matters and whose length does not; `squared_error` compares both.

    Math:
      L = 1 - sum_i u_i v_i, u = predictions / |predictions|, v = targets / |targets|.
      VJP: dpredictions = -g (v - u (1 - L)) / |predictions|, dtargets = -g (u - v (1 - L)) / |targets|.

    Args:
      predictions: `[*batch, C]`, floating; the vectors may stand along any `axis`.
      targets: of the shape of predictions, or 1 along axes to repeat them along.
      epsilon: a Python number, at least 0; it is static. No squared norm counts as less.
      axis: the axis or axes of a vector; None is all.
      where: bool, of the shape of predictions or of the result; what is False takes no part.
      reduction: "none", "sum", or "mean", which divides by the number of examples that take part.

    Returns:
      `[*batch]`, the shape of predictions without `axis`, or one number; in the dtype of predictions (of targets, where
      that is wider). A vector of zeros gives nan unless epsilon is above 0, and a mean of nothing gives nan.

    Gradient:
      Smooth; where a squared norm is not above epsilon the norm counts as constant.

    Raises:
      TypeError: predictions are not floating, targets are complex, where is not bool, or epsilon is no static number.
      ValueError: axis or epsilon is out of range, the shapes do not fit, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.cosine_distance(jnp.array([[3.0, 0.0], [0.0, 4.0]]), jnp.array([[2.0, 0.0]])))
      [0. 1.]

    References:
      Manning, Raghavan and Schütze 2008, "Introduction to information retrieval", section 6.3.
    """
    return _compiled_distance(*_operands(predictions, targets, epsilon, axis, where, reduction), True)


def _operands(predictions: Any, targets: Any, epsilon: Any, axis: Any, where: Any, reduction: Any) -> tuple[Any, ...]:
    """Return the arguments of both, as their compiled functions take them."""
    predictions, targets = with_labels(as_floating("predictions", predictions), "targets", targets)
    axes = canonical_axes(tuple(range(predictions.ndim)) if axis is None else axis, predictions.shape)
    number = as_static_number("epsilon", epsilon, predictions.dtype)
    if not number >= 0:
        raise ValueError(f"epsilon (={epsilon!r}) must be at least 0")
    return (
        predictions,
        targets,
        class_mask(where, predictions.shape, axes),
        axes,
        number,
        canonical_reduction(reduction),
    )


def _similarity_impl(a: jax.Array, b: jax.Array, where: jax.Array | None, axes: Axes, epsilon: float) -> jax.Array:
    r_a, r_b = (reciprocal_norm(x, where, axes, epsilon)[0] for x in (a, b))
    return jnp.sum(unmasked(where, widen(a)) * r_a * (unmasked(where, widen(b)) * r_b), axes)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _similarity(a: jax.Array, b: jax.Array, where: jax.Array | None, axes: Axes, epsilon: float) -> jax.Array:
    return _similarity_impl(a, b, where, axes, epsilon)


def _similarity_fwd(
    a: jax.Array, b: jax.Array, where: jax.Array | None, axes: Axes, epsilon: float
) -> tuple[jax.Array, Any]:
    # The operands and the caller's mask, as they came.
    return _similarity_impl(a, b, where, axes, epsilon), (a, b, where)


def _similarity_bwd(axes: Axes, epsilon: float, residuals: Any, g: jax.Array) -> tuple[jax.Array, jax.Array, None]:
    a, b, where = residuals
    wide_a, wide_b = unmasked(where, widen(a)), unmasked(where, widen(b))
    (r_a, of_a), (r_b, of_b) = (reciprocal_norm(x, where, axes, epsilon) for x in (a, b))
    cosine, g = jnp.sum(wide_a * r_a * (wide_b * r_b), axes, keepdims=True), jnp.expand_dims(g, axes)
    # Apart from the loop of the sum: what both share would be written out for both.
    wide_a, wide_b, r_a, r_b = lax.optimization_barrier((wide_a, wide_b, r_a, r_b))
    # Factor by factor: products of lengths leave the range.
    da = unmasked(where, (wide_b * r_b - wide_a * (r_a * cosine * of_a)) * (g * r_a))
    db = unmasked(where, (wide_a * r_a - wide_b * (r_b * cosine * of_b)) * (g * r_b))
    return da.astype(a.dtype), db.astype(b.dtype), None


_similarity.defvjp(_similarity_fwd, _similarity_bwd)


def _reduced(
    a: jax.Array,
    b: jax.Array,
    where: jax.Array | None,
    axes: Axes,
    epsilon: float,
    reduction: str,
    distance: bool,
) -> jax.Array:
    count = None if where is None else jnp.any(where, axes)
    loss: Any = _similarity(a, b, where, axes, epsilon)
    if distance:
        loss = unmasked(count, 1 - loss)
    return reduced(loss, reduction, count).astype(a.dtype)


_compiled_similarity = compiled(_reduced, "cosine_similarity", static_argnums=(3, 4, 5, 6))
_compiled_distance = compiled(_reduced, "cosine_distance", static_argnums=(3, 4, 5, 6))
