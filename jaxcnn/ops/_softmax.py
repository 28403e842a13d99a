"""What softmax, its logarithm and the cross entropies share: the weights exp(x - max x) and their sum."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.algorithms._mesh import split_like
from jaxcnn.ops._dtypes import widen


class Softmax(NamedTuple):
    """The residuals of all of these: x and the caller's mask, which exist anyway, and two numbers a row."""

    x: jax.Array
    where: jax.Array | None
    top: jax.Array  # the largest element, size 1 along the axes
    total: jax.Array  # the sum of exp(x - top), size 1 along the axes

    @classmethod
    def of(cls, x: jax.Array, where: jax.Array | None, axes: tuple[int, ...]) -> "Softmax":
        """Return the residuals of a softmax along `axes`.

        In float32 or wider. Elements outside `where` count as -inf; in a slice that holds no others, as 0, so that
        nothing turns nan before the caller masks it. The maximum is a constant to differentiation: it cancels.
        """
        wide = widen(x)
        if where is not None:
            where = split_like(where, wide)
            empty = ~jnp.any(where, axes, keepdims=True)
            wide = jnp.where(where, wide, jnp.where(empty, jnp.zeros_like(wide), jnp.full_like(wide, -jnp.inf)))
        top = jax.lax.stop_gradient(jnp.max(wide, axes, keepdims=True))
        return cls(x, where, top, jnp.sum(jnp.exp(wide - top), axes, keepdims=True))

    @property
    def shifted(self) -> jax.Array:
        """X - top in float32 or wider, 0 outside the mask."""
        return unmasked(self.where, widen(self.x) - self.top)

    @property
    def weights(self) -> jax.Array:
        """exp(x - top) in float32 or wider, 0 outside the mask."""
        return unmasked(self.where, jnp.exp(self.shifted))

    @property
    def log_p(self) -> jax.Array:
        """The logarithm of the softmax in float32 or wider; of no meaning outside the mask.

        The two numbers of a row go one after the other: one sum of both would lose the second beside a large first.
        """
        return self.shifted - jnp.log(self.total)


def unmasked(where: jax.Array | None, value: jax.Array) -> jax.Array:
    """Return `value`, 0 where `where` is False."""
    return value if where is None else jnp.where(split_like(where, value), value, jnp.zeros_like(value))
