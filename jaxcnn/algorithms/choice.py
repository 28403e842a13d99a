"""Which algorithm computes a convolution and its gradients: one readable table on static shapes, by platform.

A choice maps a platform ("cpu", "cuda", "rocm", "tpu") to the name of an algorithm, and "default" to that of every
platform that is not named. It is made from the static configuration, the shapes and the dtype alone, never by asking
which device the process has, so that one traced function compiles for every platform; `run` resolves it when the
function is lowered. `direct`, which is lax itself, is the choice wherever nothing else was measured to be faster. The
number of images may be a symbol: a condition on it then holds if it does for every number. The lines of the table are
in `cpu`.
"""

import functools
import math
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from jaxcnn.algorithms import (
    canonical,
    col2im,
    columns,
    depthwise,
    direct,
    grouped,
    input_dilated,
    lattice,
    outer_products,
    patches,
    per_example,
    planes,
    pointwise,
)
from jaxcnn.algorithms._derivatives import derived_by
from jaxcnn.algorithms._lines import PARTS as PARTS
from jaxcnn.algorithms._lines import Layer, Part
from jaxcnn.algorithms._lines import Rule as Rule
from jaxcnn.algorithms._mesh import spec_of
from jaxcnn.algorithms._taps import MOST_TAPS
from jaxcnn.algorithms.cpu import TABLE
from jaxcnn.algorithms.cpu import WIDE as WIDE

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints

ALGORITHMS: dict[str, ModuleType] = {
    "direct": direct,
    "canonical": canonical,
    "depthwise": depthwise,
    "grouped": grouped,
    "pointwise": pointwise,
    "patches": patches,
    "planes": planes,
    "input_dilated": input_dilated,
    "col2im": col2im,
    "columns": columns,
    "lattice": lattice,
    "outer_products": outer_products,
}
# Parts whose derivatives are lax's, for second order. XLA has no fast routine for the adjoint of a forward convolution
# on a lattice (3 s where lax takes 0.03), and that of outer products is a sum over all positions for every product.
DERIVED_BY_LAX = {("lattice", "forward"), ("lattice", "dx"), ("outer_products", "forward")}


def choose(part: Part, config: "ConvConfig", x_shape: "Ints", kernel_shape: "Ints", dtype: Any) -> Mapping[str, str]:
    """Return {platform: algorithm} for a part of the convolution of x and kernel."""
    choice = {
        platform: rule.algorithm
        for platform in {rule.platform for rule in TABLE}
        if (rule := rule_for(platform, part, config, x_shape, kernel_shape, dtype)) is not None
    }
    return choice | {"default": "direct"}


def rule_for(
    platform: str, part: Part, config: "ConvConfig", x_shape: "Ints", kernel_shape: "Ints", dtype: Any
) -> Rule | None:
    """Return the line of the table that a platform follows, or None where it follows lax."""
    layer = Layer(config, x_shape, kernel_shape)
    for rule in TABLE:
        fits = rule.platform == platform and part in rule.parts and jnp.dtype(dtype).name in rule.dtypes
        if fits and ALGORITHMS[rule.algorithm].accepts(config, kernel_shape) and rule.when(layer):
            return rule
    return None


def run(part: Part, choice: Mapping[str, str], *operands: jax.Array, static: tuple[Any, ...]) -> jax.Array:
    """Run the algorithm that was chosen for the platform at hand.

    Args:
      part: what to compute, the function's name in the algorithm's module.
      choice: as `choose` returns it.
      operands: its arrays.
      static: its arguments after the arrays.
    """
    choice = _kept_apart(choice, operands[0], static[-1])

    def branch(platform: str) -> Callable[..., jax.Array]:
        return _compiled(choice[platform], part, platform, static)

    def value(*arrays: jax.Array) -> jax.Array:
        if len(set(choice.values())) == 1:
            return branch("default")(*arrays)
        return jax.lax.platform_dependent(*arrays, **{platform: branch(platform) for platform in choice})

    by_lax = any((name, part) in DERIVED_BY_LAX for name in choice.values())
    other = (lambda *arrays: getattr(direct, part)(*arrays, *static)) if by_lax else value
    if part == "dkernel" and per_example.accepts(static[-1]):
        return derived_by(other, _apart_under_vmap(value, static))(*operands)
    return derived_by(other, value)(*operands) if by_lax else value(*operands)


def _kept_apart(choice: Mapping[str, str], x: jax.Array, config: "ConvConfig") -> Mapping[str, str]:
    """Return the choice for an array of which an Explicit mesh has the examples apart.

    XLA gathers all of them on every device for a convolution of lax in groups of several channels, or in groups with a
    dilated input, of which other algorithms are made, too; `depthwise` and `grouped` have none, and move no examples.
    """
    groups, several = config.feature_group_count, x.shape[-1] > config.feature_group_count
    if groups == 1 or not (several or max(config.input_dilation) > 1) or spec_of(x)[0] is None:
        return choice
    apart = "grouped" if several else "depthwise"
    return {platform: name if name == "depthwise" else apart for platform, name in choice.items()}


def _apart_under_vmap(value: Callable[..., jax.Array], static: tuple[Any, ...]) -> Callable[..., jax.Array]:
    """Return `value`, a dkernel, which under a vmap over x and g is computed for all examples at once."""
    whole = custom_vmap(value)

    @whole.def_vmap
    def of_many(axis_size: int, in_batched: list[bool], x: jax.Array, g: jax.Array) -> tuple[jax.Array, bool]:
        if all(in_batched) and math.prod(static[0]) <= MOST_TAPS:
            return per_example.dkernel(x, g, *static), True
        axes = tuple(0 if batched else None for batched in in_batched)
        return jax.vmap(value, axes, axis_size=axis_size)(x, g), True

    return whole


@functools.cache
def _compiled(algorithm: str, part: Part, platform: str, static: tuple[Any, ...]) -> Callable[..., jax.Array]:
    """Return a part of an algorithm as a jitted function: the same one for equal layers, which JAX then traces once."""

    def compute(*arrays: jax.Array) -> jax.Array:
        return getattr(ALGORITHMS[algorithm], part)(*arrays, *static)

    compute.__name__ = compute.__qualname__ = f"{algorithm}_{part}_{platform}"
    return jax.jit(compute)
