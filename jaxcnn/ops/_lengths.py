"""The 2-norm of every window and its cotangent, for all of float32's range.

    y[o] = sqrt(sum_t x[o, t]^2),    dx[i] = x[i] sum of g[o] / y[o] over the windows o that hold i

Squares leave the range of float32 above 2^64 (1.8e19) and below 2^-63. So there are two sums, in one loop, of (x / k)^2
and (k x)^2 for k = 2^50, and a window takes the first where its norm is 1 or more: right from 4e-31 to 1e34.

Derivation of the tangents. dy[o] = sum_t x[o, t] dx[o, t] / y[o], and dx changes with y by

    -x[i] sum of g[o] dy[o] / y[o]^2

whose square leaves the range too: windows above 1 and below 1 have a sum each here, too,

    (x[i] / k^2) sum of (k g[o] / y[o]) (k dy[o] / y[o]),    (k^2 x[i]) sum of (g[o] / y[o] / k) (dy[o] / y[o] / k)

What belongs to all windows of an element is written out before it is spread, or the compiler computes it at every one.
"""

import functools
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms import windows

if TYPE_CHECKING:
    from jaxcnn.ops._window import PoolConfig


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def lengths(x: jax.Array, config: "PoolConfig") -> jax.Array:
    """Return the 2-norms of the windows of x `[N, *spatial, C]`, float32 or wider."""
    k = _scale(x)
    above, below = (windows.sum_forward(jnp.square(x * scale), config) for scale in (1 / k, k))
    is_above = above >= 1 / k / k
    root = jnp.sqrt(jnp.where(is_above, above, below))
    return root * jnp.where(is_above, k, 1 / k).astype(x.dtype)


@lengths.defjvp
def _lengths_tangent(
    config: "PoolConfig", primals: tuple[jax.Array], tangents: tuple[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    y = lengths(x, config)
    k = _scale(x)
    # Elements above 1 are in windows above 1.
    below = windows.sum_forward((_below_1(x) * k) * (dx * k), config) * (_inverse(y) / k) / k
    above = windows.sum_forward((x / k) * (dx / k), config) * (_inverse(y) * k) * k
    return y, jnp.where(y < 1, below, above)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def length_dx(x: jax.Array, y: jax.Array, g: jax.Array, config: "PoolConfig") -> jax.Array:
    """Return the cotangent of x from y, its norms, and g, the cotangent of these."""
    return x * windows.sum_dx(lax.optimization_barrier(g * _inverse(y)), config)


@length_dx.defjvp
def _length_dx_tangent(
    config: "PoolConfig",
    primals: tuple[jax.Array, jax.Array, jax.Array],
    tangents: tuple[jax.Array, jax.Array, jax.Array],
) -> tuple[jax.Array, jax.Array]:
    x, y, g = primals
    of_x, of_y, of_g = tangents
    inverse, k = _inverse(y), _scale(x)
    zero = jnp.zeros_like(y)
    tangent = of_x * windows.sum_dx(g * inverse, config) + length_dx(x, y, of_g, config)
    below = jnp.where(y < 1, (g * (inverse / k)) * (of_y * (inverse / k)), zero)
    above = jnp.where(y < 1, zero, (g * (inverse * k)) * (of_y * (inverse * k)))
    of_lengths = (_below_1(x) * k * k) * windows.sum_dx(below, config) + x / k / k * windows.sum_dx(above, config)
    return length_dx(x, y, g, config), tangent - of_lengths


def _inverse(y: jax.Array) -> jax.Array:
    """Return 1 / y, 0 with all derivatives at 0: in a window of zeros, the norm counts as constant."""
    zero = y == 0
    return jnp.where(zero, jnp.zeros_like(y), 1 / jnp.where(zero, jnp.ones_like(y), y))


def _below_1(x: jax.Array) -> jax.Array:
    """Return x, 0 where |x| is 1 or larger."""
    return jnp.where(jnp.abs(x) < 1, x, jnp.zeros_like(x))


def _scale(x: jax.Array) -> float:
    """Return a power of two whose square is far within the range."""
    return 2.0 ** (int(jnp.finfo(x.dtype).maxexp) // 2 - 14)
