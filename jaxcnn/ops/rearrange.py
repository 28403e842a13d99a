"""Layers that only move elements.

flatten, forward: y[n, j] = x[n, p, c], where j numbers the positions p and channels c in row-major order.

Derivation. Each y is one x, and each x is read once: dx[n, p, c] = g[n, j], the same renaming backwards.

Residuals: none; the shape of x is static.
"""

import functools
import math

import jax

from jaxcnn.ops._dtypes import as_array
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import canonical_ints


def flatten(x: jax.Array, *, batch_rank: int = 1) -> jax.Array:
    """Merge all axes but the leading batch axes into one.

    The step from feature maps to `dense`; `global_avg_pool` is the sibling that averages positions away.

    Math:
      y[n, j] = x[n, p, c], j in row-major order of (p, c). VJP: dx = g in the shape of x.

    Args:
      x: `[*batch, ...]`, any dtype.
      batch_rank: the number of leading axes to keep.

    Returns:
      `[*batch, F]` with F the product of the other sizes (1 where there are none), in the dtype of x.

    Gradient:
      Linear, so there are no kinks.

    Raises:
      TypeError: batch_rank is not an int.
      ValueError: x has fewer axes than batch_rank.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.flatten(jnp.zeros((8, 7, 7, 64))).shape)
      (8, 3136)

    References:
      LeCun et al. 1998, "Gradient-based learning applied to document recognition".
    """
    x = as_array(x)
    (rank,) = canonical_ints("batch_rank", batch_rank, 1, minimum=0)
    if rank > x.ndim:
        raise ValueError(f"batch_rank (={rank}) must not exceed the rank of x (shape {x.shape})")
    return _compiled_flatten(x, x.shape, rank)


def _flatten_impl(x: jax.Array, shape: tuple[int, ...], batch_rank: int) -> jax.Array:
    return x.reshape(*shape[:batch_rank], math.prod(shape[batch_rank:]))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _flatten(x: jax.Array, shape: tuple[int, ...], batch_rank: int) -> jax.Array:
    return _flatten_impl(x, shape, batch_rank)


def _flatten_fwd(x: jax.Array, shape: tuple[int, ...], batch_rank: int) -> tuple[jax.Array, None]:
    return _flatten_impl(x, shape, batch_rank), None


def _flatten_bwd(shape: tuple[int, ...], batch_rank: int, residuals: None, g: jax.Array) -> tuple[jax.Array]:
    del batch_rank, residuals
    return (g.reshape(shape),)


_flatten.defvjp(_flatten_fwd, _flatten_bwd)
_compiled_flatten = compiled(_flatten, "flatten", static_argnums=(1, 2))
