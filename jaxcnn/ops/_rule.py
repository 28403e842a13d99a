"""What all rules share: the compiled wrapper of a private op, the constructor of elementwise rules, one batch axis."""

from collections.abc import Callable
from typing import Any

import jax

from jaxcnn.algorithms._mesh import merge_axes, unmerge_axes
from jaxcnn.algorithms._varying import varying_alike
from jaxcnn.ops._tracers import transposing


class NotTransposableError(NotImplementedError):
    """A layer was given to `jax.linear_transpose`, which JAX has not for functions with a custom_vjp rule."""


def compiled(rule: Callable[..., Any], name: str, static_argnums: tuple[int, ...] = ()) -> Callable[..., Any]:
    """Wrap a private op in `jax.jit` and `jax.named_scope`.

    An eager call then runs one fused program, forward and backward, and profiles and errors name the layer. A call by
    `jax.linear_transpose`, which would end in an error of JAX's inner parts, ends in one of ours.
    """

    def call(*args: Any) -> Any:
        with jax.named_scope(name):
            return rule(*varying_alike(*args))

    call.__name__ = call.__qualname__ = name
    jitted = jax.jit(call, static_argnums=static_argnums)

    def checked(*args: Any) -> Any:
        if transposing(args):
            raise NotTransposableError(
                f"jax.linear_transpose of {name} is not possible, for the layer has a custom_vjp rule; the transposed "
                "map of a linear fn is jax.vjp(fn, *args)[1]"
            )
        return jitted(*args)

    return checked


def elementwise(
    name: str,
    impl: Callable[..., jax.Array],
    residual: Callable[..., jax.Array],
    cotangent: Callable[..., jax.Array],
    static: int = 0,
) -> Callable[..., jax.Array]:
    """Make the compiled op y = f(x) of one array from its value, its one residual, and its derived rule.

    Args:
      name: the scope under which the op appears in profiles.
      impl: `impl(x, *static) -> y`, whose own derivative is the rule's, kinks included.
      residual: `residual(x, y, *static)`, the array that the backward rule needs.
      cotangent: `cotangent(residual, g, *static) -> dx`, in the dtype of g, which is that of x.
      static: the number of static arguments after x.
    """
    rule = jax.custom_vjp(impl, nondiff_argnums=tuple(range(1, 1 + static)))

    def forward(x: jax.Array, *config: Any) -> tuple[jax.Array, jax.Array]:
        y = impl(x, *config)
        return y, residual(x, y, *config)

    def backward(*args: Any) -> tuple[jax.Array]:
        *config, saved, g = args
        return (cotangent(saved, g, *config),)

    rule.defvjp(forward, backward)
    return compiled(rule, name, tuple(range(1, 1 + static)))


def merge_batch(x: jax.Array, trailing: int) -> jax.Array:
    """Return `x` with all axes before the last `trailing` ones merged into one batch axis."""
    count = x.ndim - trailing
    return x if count == 1 else merge_axes(x, count)


def split_batch(y: jax.Array, x: jax.Array, trailing: int) -> jax.Array:
    """Return `y`, whose first axis is what `merge_batch(x, trailing)` made, with the batch axes of x in its place."""
    count = x.ndim - trailing
    return y if count == 1 else unmerge_axes(y, x, count)
