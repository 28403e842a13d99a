"""What losses of a logit or score z and a label y share: their constructor, and a cross entropy that is safe.

With p = sigmoid(z) and e = exp(-|z|), log p and log(1 - p) are -log(1 + e) for the decision that z takes, yes where
z > 0, and -log(1 + e) - |z| for the other one, the denied one. With the weights of yes and no, and d that of the denied
one, the cross entropy is

    -yes log p - no log(1 - p) = (yes + no) log(1 + e) + d |z|

where no term is negative, so that no digits are lost. As 0 log 0 is 0, d |z| is 0 where d is 0, at z infinite too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import widen
from jaxcnn.ops._exponentials import log1p_over
from jaxcnn.ops._losses import reduced
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._softmax import unmasked


def binary_loss(
    name: str, value: Callable[..., jax.Array], cotangents: Callable[..., tuple[jax.Array, jax.Array]], static: int = 0
) -> Callable[..., jax.Array]:
    """Make the compiled loss of z, y, a tuple of constant arrays, a mask, a reduction and static arguments.

    Args:
      name: the scope under which the op appears in profiles.
      value: `value(z, y, *constants, *static) -> L`, whose own derivative is the rule's, kinks included.
      cotangents: `cotangents(g, z, y, *constants, *static) -> (dz, dy)`.
      static: the number of static arguments.
    """

    def operands(z: jax.Array, y: jax.Array, where: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        return unmasked(where, widen(z)), unmasked(where, widen(y))

    def impl(z: jax.Array, y: jax.Array, constants: Any, where: jax.Array | None, *config: Any) -> jax.Array:
        return unmasked(where, value(*operands(z, y, where), *constants, *config))

    rule = jax.custom_vjp(impl, nondiff_argnums=tuple(range(4, 4 + static)))

    def forward(z: jax.Array, y: jax.Array, constants: Any, where: jax.Array | None, *config: Any) -> tuple[Any, Any]:
        # The operands and the caller's mask, as they came.
        return impl(z, y, constants, where, *config), (z, y, constants, where)

    def backward(*args: Any) -> tuple[jax.Array, jax.Array, None, None]:
        *config, (z, y, constants, where), g = args
        dz, dy = cotangents(unmasked(where, g), *operands(z, y, where), *constants, *config)
        return dz.astype(z.dtype), dy.astype(y.dtype), None, None

    rule.defvjp(forward, backward)

    def loss(
        z: jax.Array, y: jax.Array, constants: Any, where: jax.Array | None, reduction: str, *config: Any
    ) -> jax.Array:
        return reduced(rule(z, y, constants, where, *config), reduction, where).astype(z.dtype)

    return compiled(loss, name, tuple(range(4, 5 + static)))


class Denied(NamedTuple):
    """What a logit means for the weights of yes and no."""

    positive: jax.Array  # z > 0
    e: jax.Array
    d: jax.Array
    distance: jax.Array  # |z|, but 0 where d is 0 and z infinite, so that d times it is 0 there

    @classmethod
    def of(cls, z: jax.Array, yes: jax.Array, no: jax.Array) -> "Denied":
        """Return it for a logit."""
        positive = z > 0
        size = jnp.where(positive, z, -z)  # not abs, whose slope at 0 is that of neither side
        d = jnp.where(positive, no, yes)
        distance = jnp.where((d == 0) & (size == jnp.inf), jnp.zeros_like(size), size)
        return cls(positive, jnp.exp(-size), d, distance)

    @property
    def softplus(self) -> jax.Array:
        """log(1 + e)."""
        return self.e * log1p_over(self.e)

    @property
    def z(self) -> jax.Array:
        """The logit, but 0 where `distance` is."""
        return jnp.where(self.positive, self.distance, -self.distance)

    def slope(self, yes: jax.Array, no: jax.Array) -> jax.Array:
        """Return the derivative of the cross entropy in z, no p - yes (1 - p)."""
        return jnp.where(self.positive, no - yes * self.e, no * self.e - yes) / (1 + self.e)
