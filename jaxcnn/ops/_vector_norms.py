"""1 / |x| of vectors, for all of float32's range: |x| = sqrt(max(sum_i x_i^2, epsilon)).

Derivation. Where the sum is above epsilon, d|x| = sum_i x_i dx_i / |x|, so that with r = 1 / |x|

    dr = -r sum_i (x_i r) (dx_i r)

and 0 where it is not. The squares of x may leave the range of float32, and those of x over its largest element do not.
To look for that takes another pass over all vectors. So the sums tell whether it is needed: it is where one of them is
infinite, or so small that squares which became 0 could matter.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap

from jaxcnn.algorithms._mesh import split_like
from jaxcnn.ops._dtypes import widen
from jaxcnn.ops._softmax import unmasked

Axes = tuple[int, ...]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def reciprocal_norm(x: jax.Array, where: jax.Array | None, axes: Axes, epsilon: float) -> tuple[jax.Array, jax.Array]:
    """Return 1 / |x|, 1 where all is masked, and 1 where it depends on x, else 0; both of size 1 along the axes."""
    wide = unmasked(where, widen(x))
    plain = jnp.sum(jnp.square(wide), axes, keepdims=True)
    some = None if where is None else split_like(jnp.any(where, axes, keepdims=True), plain)
    beyond = ~((plain < jnp.inf) & ((plain >= _least(plain.dtype)) | (epsilon >= _least(plain.dtype))))
    beyond = beyond if some is None else beyond & some

    def in_range(wide: jax.Array, plain: jax.Array) -> tuple[jax.Array, jax.Array]:
        return plain, jnp.ones_like(plain)

    def by_largest(wide: jax.Array, plain: jax.Array) -> tuple[jax.Array, jax.Array]:
        top = jnp.max(jnp.abs(wide), axes, keepdims=True)
        scale = jnp.where((top > 0) & (top < jnp.inf), 1 / top, jnp.ones_like(top))
        return jnp.sum(jnp.square(wide * scale), axes, keepdims=True), scale

    square, scale = lax.cond(_any_of_all(beyond), by_largest, in_range, wide, plain)
    depends = square > epsilon * scale * scale
    r = jnp.where(depends, scale / jnp.sqrt(square), jnp.full_like(square, epsilon**-0.5 if epsilon else jnp.inf))
    if some is not None:
        r, depends = jnp.where(some, r, jnp.ones_like(r)), depends & some
    # Written out, or the compiler computes it again at every element that it multiplies.
    return lax.optimization_barrier((r, depends.astype(square.dtype)))


def _least(dtype: jnp.dtype) -> float:
    """Return a sum of squares beside which some millions of squares that became 0 are nothing."""
    info = jnp.finfo(dtype)
    return float(info.tiny) / float(info.eps) ** 2


@custom_vmap
def _any_of_all(flags: jax.Array) -> jax.Array:
    """Return whether one flag is True; under a vmap too it is one answer for all, so that a branch stays a branch."""
    return jnp.any(flags)


@_any_of_all.def_vmap
def _(axis_size: int, in_batched: list[bool], flags: jax.Array) -> tuple[jax.Array, bool]:
    return _any_of_all(flags), False


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
