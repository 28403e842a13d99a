"""1 / |x| of vectors, for all of float32's range: |x| = sqrt(max(sum_i x_i^2, epsilon)).

Derivation. Where the sum is above epsilon, d|x| = sum_i x_i dx_i / |x|, so that with r = 1 / |x|

    dr = -r sum_i (x_i r) (dx_i r)

and 0 where it is not. The squares are those of x over its largest element, for those of x may leave the range of
float32.
"""

import functools

import jax
import jax.numpy as jnp

from jaxcnn.algorithms._mesh import split_like
from jaxcnn.ops._dtypes import widen
from jaxcnn.ops._softmax import unmasked

Axes = tuple[int, ...]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def reciprocal_norm(x: jax.Array, where: jax.Array | None, axes: Axes, epsilon: float) -> tuple[jax.Array, jax.Array]:
    """Return 1 / |x|, 1 where all is masked, and 1 where it depends on x, else 0; both of size 1 along the axes."""
    wide = unmasked(where, widen(x))
    top = jnp.max(jnp.abs(wide), axes, keepdims=True)
    scale = jnp.where((top > 0) & (top < jnp.inf), 1 / top, jnp.ones_like(top))
    square = jnp.sum(jnp.square(wide * scale), axes, keepdims=True)
    depends = square > epsilon * scale * scale
    r = jnp.where(depends, scale / jnp.sqrt(square), jnp.full_like(square, epsilon**-0.5 if epsilon else jnp.inf))
    if where is not None:
        some = split_like(jnp.any(where, axes, keepdims=True), square)
        r, depends = jnp.where(some, r, jnp.ones_like(r)), depends & some
    return r, depends.astype(square.dtype)


@reciprocal_norm.defjvp
def _tangents(
    axes: Axes,
    epsilon: float,
    primals: tuple[jax.Array, jax.Array | None],
    tangents: tuple[jax.Array, object],
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    (x, where), dx = primals, tangents[0]
    r, depends = reciprocal_norm(x, where, axes, epsilon)
    units, tangent = unmasked(where, widen(x)) * r, unmasked(where, widen(dx)) * r
    along = jnp.sum(units * tangent, axes, keepdims=True)
    return (r, depends), (-r * along * depends, jnp.zeros_like(depends))
