"""Which algorithm computes a convolution and its gradients: one readable table on static shapes, by platform.

A choice maps a platform ("cpu", "cuda", "rocm", "tpu") to the name of an algorithm, and "default" to that of every
platform that is not named. It is made from the static configuration, the shapes and the dtype alone, never by asking
which device the process has, so that one traced function compiles for every platform; `run` resolves it when the
function is lowered. `direct`, which is lax itself, is the choice wherever nothing else was measured to be faster. The
number of images may be a symbol: a condition on it then holds if it does for every number.

Nothing can be asked about the processor that a function will run on. So a line stands in the table only for what was
measured to win on both kinds that were tried, an AMD EPYC with AVX2 and an Intel Xeon with AVX-512, in the dtypes that
it names and at the sizes that it asks for: what is ahead on one of them may be behind on the other.
"""

import functools
import math
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

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
from jaxcnn.algorithms._sizes import at_least, at_most
from jaxcnn.algorithms._taps import MOST_TAPS
from jaxcnn.ops._window import conv_output_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints

Part = Literal["forward", "dx", "dkernel"]
PARTS: tuple[Part, ...] = ("forward", "dx", "dkernel")
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


class Layer(NamedTuple):
    """What is static about a convolution."""

    config: "ConvConfig"
    x_shape: "Ints"
    kernel_shape: "Ints"

    @property
    def columns(self) -> int:
        """The number of elements that all taps of all windows of the input read."""
        return math.prod(self.x_shape) * math.prod(self.kernel_shape[:-2])

    @property
    def positions(self) -> tuple[int, int, int]:
        """The numbers of positions of the input, of the kernel, and of the output."""
        inputs, windows = self.x_shape[1:-1], self.kernel_shape[:-2]
        return math.prod(inputs), math.prod(windows), math.prod(conv_output_size(inputs, windows, self.config))

    @property
    def images(self) -> int:
        """The number of images."""
        return self.x_shape[0]

    @property
    def channels(self) -> tuple[int, int]:
        """The numbers of input channels and of output channels."""
        c_in, c_out = self.kernel_shape[-2:]
        return c_in, c_out

    @property
    def output_elements(self) -> int:
        """The number of elements of the output."""
        return self.images * self.positions[2] * self.channels[1]

    @property
    def products(self) -> int:
        """The number of products of which the output, or the cotangent of the kernel, is the sums."""
        return self.output_elements * math.prod(self.kernel_shape[:-1])

    @property
    def is_wide(self) -> bool:
        """Whether it has 16 channels or more on both sides, 1024 pairs, and 64 numbers in a window."""
        many_channels = min(self.channels) >= 16 and math.prod(self.channels) >= 1024
        return many_channels and math.prod(self.kernel_shape[:-1]) >= 64


class Rule(NamedTuple):
    """A line of the table: these parts of such layers take this algorithm on this platform, for this reason.

    Attributes:
      algorithm: its name.
      parts: what it computes.
      when: whether it was measured to win for such a layer.
      why: what was measured.
      dtypes: in which it was measured to win.
      platform: where it is taken.
    """

    algorithm: str
    parts: tuple[Part, ...]
    when: Callable[[Layer], bool]
    why: str
    dtypes: tuple[str, ...]
    platform: str = "cpu"


ALL = PARTS
BACK: tuple[Part, ...] = ("dx", "dkernel")
SINGLE, WIDE, HALF = ("float32",), ("float32", "float64"), ("bfloat16", "float16")
# The first line that fits is taken. The numbers are ms of lax and of the algorithm, 2 cores, float32, default flags.
TABLE = (
    Rule(
        "depthwise",
        ALL,
        lambda layer: layer.config.feature_group_count > 1,
        "x 16,32,32,64, kernel 3x3: forward 27/0.7, dx 27/0.8, dkernel 13/1.5; at stride 2, two a "
        "channel: dx 68/1.0, dkernel 1230/1.7",
        WIDE,
    ),
    Rule(
        "grouped",
        ALL,
        lambda _: True,
        "x 16,32,32,64, 4 groups: forward 32/6, dx 32/3.7, dkernel 420/6; 32 groups of 4: 81/7, 81/7, 5000/10",
        SINGLE,
    ),
    Rule(
        "pointwise",
        ALL,
        lambda layer: set(layer.config.strides) == {1},
        "x 32,32,32,64 to 256 channels: forward 30/14, dx 28/6, dkernel 54/9",
        WIDE,
    ),
    Rule(
        "pointwise",
        BACK,
        lambda _: True,
        "x 32,32,32,64 to 128 channels at stride 2: dx 1.7/1.0, dkernel 5.3/1.5; forward: see lattice",
        WIDE,
    ),
    Rule(
        "patches",
        BACK,
        lambda _: True,
        "x 8,224,224,3, window 16x16: dx 89/5, dkernel 6.6/5.2; forward: lax",
        WIDE,
    ),
    Rule(
        "input_dilated",
        ("dkernel",),
        lambda layer: max(layer.config.input_dilation) > 1,
        "x 8,16,16,64 dilated by 2, window 4x4: 34/1.3; forward and dx are as fast in lax",
        WIDE,
    ),
    Rule(
        "columns",
        ("forward",),
        lambda layer: layer.positions[1] > layer.positions[0] and at_most(layer.columns, 2**26),
        "x 16,2,2,512, kernel 3x3: 136/2.2; x 16,4,4,128, kernel 5x5: 20/1.5; x 16,2,2,16, kernel 3x3: 0.12/0.05; "
        "lax has a fast routine for as many positions of x as of the kernel",
        WIDE,
    ),
    Rule(
        "col2im",
        ("dx",),
        lambda layer: layer.positions[1] > layer.positions[2] and at_most(layer.columns, 2**26),
        "x 16,2,2,512, kernel 3x3: 143/2.1; x 16,4,4,256 to 512 at stride 2: 37/1.0; lax as above, of positions of g",
        WIDE,
    ),
    Rule(
        "planes",
        ALL,
        lambda layer: layer.kernel_shape[0] <= 16,
        "x 2,16,32,32,16, kernel 3x3x3: forward 28/11, dx 50/11, dkernel 45/11",
        WIDE,
    ),
    Rule(
        "col2im",
        ("dx",),
        lambda layer: (
            layer.channels[0] <= 4
            and layer.channels[1] >= 32
            and set(layer.config.strides) == {1}
            and (layer.channels[0] == 1 or at_least(layer.columns, 2**20))
            and at_most(layer.columns, 2**23)
        ),
        "x 128,28,28,1, kernel 5x5: 11/2.0, x 4,28,28,1: 0.6/0.25; x 64,32,32,3, kernel 3x3: 6.8/2.3, x 2,32,32,3: "
        "0.23/0.27; slower at stride 2; columns past 32 MB cost page faults",
        WIDE,
    ),
    Rule(
        "outer_products",
        ("forward",),
        lambda layer: (
            math.prod(layer.kernel_shape[:-2]) > 1
            and set(layer.config.strides) == {1}
            and layer.channels[1] >= 32
            and at_least(layer.output_elements, 3_200_000)
        ),
        "x 64,32,32,3, kernel 3x3, to 64 channels: 4.4/3.0; x 128,28,28,1, kernel 5x5, to 32: 2.7/2.6; smaller on the "
        "Xeon: not measured, and in float64 0.6/1.1; with a stride lax is as fast",
        SINGLE,
    ),
    Rule(
        "lattice",
        ("forward",),
        lambda layer: layer.is_wide and layer.channels[1] >= 32 and at_least(layer.output_elements, 320_000),
        "x 32,32,32,64, kernel 3x3, to 64 channels: 42/20, at stride 2 18/8; x 32,8,8,256: 22/16; x 16,14,14,32, "
        "kernel 5x5, to 64: 4.3/2.8, but on the Xeon 2.5/5.5; with options that already give it to Eigen 14.7/15.4; "
        "in float64 XLA has no fast routine for it",
        SINGLE,
    ),
    Rule(
        "lattice",
        ("dx",),
        lambda layer: (
            layer.is_wide
            and layer.channels[0] >= 32
            and set(layer.config.strides) == {1}
            and at_least(math.prod(layer.x_shape), 520_000)
        ),
        "x 32,32,32,64, kernel 3x3: 37/19; x 128,14,14,32, kernel 5x5, to 64: 39/22; x 32,8,8,256: 20/16; with a "
        "stride lax's is Eigen's",
        SINGLE,
    ),
    Rule(
        "lattice",
        ("dkernel",),
        lambda layer: (
            layer.is_wide
            and layer.channels[1] >= 32
            and at_least(layer.images, 8 if math.prod(layer.channels) >= 2048 else 64)
            and at_least(layer.products, 300_000_000)
        ),
        "x 32,32,32,64, kernel 3x3: 497/25; x 128,14,14,32, kernel 5x5, to 64 channels: 69/20; x 8,32,32,64: 27/14, "
        "4 images 3.5/5.2; to 32 channels x 128,14,14,32: 10.7/6.7, x 16,32,32,32: 3.8/4.2",
        SINGLE,
    ),
    Rule(
        "lattice",
        ("dkernel",),
        lambda layer: at_least(layer.images, 16) and layer.channels[0] <= 4 and at_least(layer.products, 80_000_000),
        "x 128,28,28,1, kernel 5x5: 18/4.5; x 64,32,32,3, kernel 3x3: 21/5.6; x 16,64,64,3, 7x7 at stride 2: 18/4.6",
        SINGLE,
    ),
    Rule(
        "canonical",
        ("dkernel",),
        lambda _: True,
        "in a scan, x 16,16,16,64, kernel 3x3: 287/8.5; x 8,64,16, kernel 5: 0.9/0.1; elsewhere it is lax's program",
        (*HALF, *WIDE),
    ),
)


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
