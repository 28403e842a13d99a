"""1 / |x| of vectors, for all of float32's range: |x| = sqrt(max(sum_i x_i^2, epsilon)).

Derivation. Where the sum is above epsilon, d|x| = sum_i x_i dx_i / |x|, so that with r = 1 / |x|

    dr = -r sum_i (x_i r) (dx_i r)

and 0 where it is not. The squares are those of x times a power of two where their sum leaves the range of float32, as
in `jaxcnn.ops._statistics`: on a CPU in a branch.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms._mesh import split_like
from jaxcnn.ops._dtypes import widen
from jaxcnn.ops._softmax import unmasked
from jaxcnn.ops._statistics import everywhere, half_exponent, safe_range

Axes = tuple[int, ...]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def reciprocal_norm(x: jax.Array, where: jax.Array | None, axes: Axes, epsilon: float) -> tuple[jax.Array, jax.Array]:
    """Return 1 / |x|, 1 where all is masked, and 1 where it depends on x, else 0; both of size 1 along the axes."""
    square = _square(x, where, axes, 1.0)
    low, high = safe_range(square)
    half = half_exponent(square)

    def plain(square: jax.Array, x: jax.Array, where: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        del x
        return _of_square(square, where, axes, epsilon, 1.0)

    def selected(square: jax.Array, x: jax.Array, where: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        found = plain(square, x, where)
        for beyond, scale in ((square > high, 2.0**-half), (square < low, 2.0**half)):
            scaled = _of_square(_square(x, where, axes, scale), where, axes, epsilon, scale)
            found = jnp.where(beyond, scaled[0], found[0]), jnp.where(beyond, scaled[1], found[1])
        return found

    def selected_if_needed(square: jax.Array, x: jax.Array, where: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        inside = (square >= low) & (square <= high)
        return lax.cond(everywhere(inside), plain, selected, square, x, where)

    return lax.platform_dependent(square, x, where, cpu=selected_if_needed, default=selected)


@reciprocal_norm.defjvp
def _tangents(
    axes: Axes,
    epsilon: float,
    primals: tuple[jax.Array, jax.Array | None],
    tangents: tuple[jax.Array, object],
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
    (x, where), dx = primals, tangents[0]
    r, depends = reciprocal_norm(x, where, axes, epsilon)
    along = jnp.sum(unmasked(where, (widen(x) * r) * (widen(dx) * r)), axes, keepdims=True)
    return (r, depends), (-r * along * depends, jnp.zeros_like(depends))


def _square(x: jax.Array, where: jax.Array | None, axes: Axes, scale: float) -> jax.Array:
    """Return the sum of the squares of x times `scale`."""
    wide = unmasked(where, widen(x))
    return jnp.sum(jnp.square(wide if scale == 1 else wide * scale), axes, keepdims=True)


def _of_square(
    square: jax.Array, where: jax.Array | None, axes: Axes, epsilon: float, scale: float
) -> tuple[jax.Array, jax.Array]:
    """Return both results from the sum of the squares of x times `scale`."""
    least = jnp.full_like(square, min(epsilon * scale * scale, float(jnp.finfo(square.dtype).max)))
    depends = square > least
    r = scale / jnp.sqrt(jnp.where(depends, square, least))
    if where is not None:
        some = split_like(jnp.any(where, axes, keepdims=True), square)
        r, depends = jnp.where(some, r, jnp.ones_like(r)), depends & some
    return r, depends.astype(square.dtype)
