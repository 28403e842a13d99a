"""The cases on which every public op is checked, by the tests and by `scripts/compare_gradients.py`.

Shapes are non-square; strides that do not divide, one image, one channel, C_in other than C_out, asymmetric kernels
and paddings, windows larger and smaller than the stride each occur: symmetric cases hide transposed axes.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcnn
from jaxcnn import reference


class Normal(NamedTuple):
    """Normally distributed numbers."""

    shape: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in float64."""
        return rng.standard_normal(self.shape)


class Distinct(NamedTuple):
    """Numbers of which no two are close and none is near a multiple of `step`, where an activation has its kinks.

    They are the odd multiples of step / 2 around 0, exact in every dtype while there are at most 128 of one sign.
    """

    shape: tuple[int, ...]
    step: float = 1 / 64

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in float64."""
        size = int(np.prod(self.shape))
        return ((rng.permutation(size) - size // 2) + 0.5).reshape(self.shape) * self.step


class Weights(NamedTuple):
    """Positive numbers that sum to 1 along the last axis, a few of them 0."""

    shape: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in float64."""
        weights = np.maximum(rng.standard_normal(self.shape), 0) + 1e-3 * rng.random(self.shape)
        return weights / weights.sum(-1, keepdims=True)


class Classes(NamedTuple):
    """Class numbers, int32."""

    shape: tuple[int, ...]
    classes: int

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in int32."""
        return rng.integers(0, self.classes, self.shape, np.int32)


class Mask(NamedTuple):
    """Bools, about three quarters of them True."""

    shape: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array of bool."""
        return rng.random(self.shape) < 0.75


@dataclasses.dataclass(frozen=True)
class Case:
    """One op, inputs to draw, and its static options."""

    op: str
    label: str
    inputs: tuple[Any, ...]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """The op and what is special about the case."""
        return f"{self.op} {self.label}"

    @property
    def manual(self) -> Callable[..., Any]:
        """The op with the hand rule, options bound."""
        return functools.partial(getattr(jaxcnn, self.op), **self.options)

    @property
    def auto(self) -> Callable[..., Any]:
        """Its autodiff twin, options bound."""
        return functools.partial(getattr(reference, self.op), **self.options)

    @property
    def argnums(self) -> tuple[int, ...]:
        """The arguments that have a gradient."""
        return tuple(i for i, spec in enumerate(self.inputs) if not isinstance(spec, Classes | Mask))

    def args(self, dtype: Any, seed: int = 0) -> tuple[jax.Array, ...]:
        """Return the arguments, floating ones in `dtype`."""
        rng = np.random.default_rng(seed)
        drawn = [spec.draw(rng) for spec in self.inputs]
        return tuple(jnp.asarray(a, dtype if a.dtype == np.float64 else a.dtype) for a in drawn)


def _conv(label: str, x: tuple[int, ...], kernel: tuple[int, ...], bias: bool = False, **options: Any) -> Case:
    inputs = [Normal(x), Normal(kernel)] + [Normal(kernel[-1:])] * bias
    return Case("conv", label, tuple(inputs), options)


def _pools(label: str, x: tuple[int, ...], window: tuple[int, ...], **options: Any) -> list[Case]:
    options = {"window_shape": window, **options}
    return [
        Case("max_pool", label, (Distinct(x),), options),
        Case("avg_pool", label, (Normal(x),), options),
        Case("avg_pool", f"{label}, pad not counted", (Normal(x),), options | {"count_include_pad": False}),
    ]


def _norms(label: str, x: tuple[int, ...], parameters: int, **options: Any) -> list[Case]:
    inputs = (Normal(x), *[Normal(x[-1:])] * parameters)
    return [Case(op, label, inputs, options) for op in ("batch_norm", "layer_norm")]


CASES: tuple[Case, ...] = (
    _conv("2-D", (2, 6, 5, 3), (3, 2, 3, 4), bias=True),
    _conv("valid, one image, one channel", (1, 5, 4, 1), (2, 3, 1, 2), padding="VALID"),
    _conv("stride does not divide", (2, 8, 7, 2), (3, 2, 2, 3), strides=(3, 2), padding="VALID"),
    _conv("stride over kernel", (2, 7, 8, 2), (1, 2, 2, 3), strides=3),
    _conv("same lower", (2, 6, 5, 2), (2, 4, 2, 3), strides=(2, 1), padding="SAME_LOWER"),
    _conv("asymmetric padding", (2, 5, 4, 2), (3, 2, 2, 3), padding=((2, 0), (1, 3))),
    _conv("cropped", (2, 7, 6, 2), (3, 2, 2, 3), padding=((-1, 2), (1, -2)), strides=2),
    _conv("kernel dilation", (2, 9, 8, 2), (3, 2, 2, 3), kernel_dilation=(2, 3), strides=(1, 2)),
    _conv("input dilation", (2, 4, 3, 2), (3, 2, 2, 3), input_dilation=(2, 3), strides=(3, 2)),
    _conv("groups", (2, 5, 4, 4), (3, 2, 2, 6), feature_group_count=2, bias=True),
    _conv("depthwise, two a channel", (2, 6, 5, 3), (3, 2, 1, 6), feature_group_count=3, strides=2),
    _conv("all at once", (2, 7, 6, 4), (2, 3, 2, 4), feature_group_count=2, strides=(2, 3), input_dilation=(2, 1),
          kernel_dilation=(1, 2), padding=((1, -1), (-2, 3))),
    _conv("pointwise", (2, 4, 3, 5), (1, 1, 5, 2)),
    _conv("1-D", (2, 9, 3), (4, 3, 2), strides=2, bias=True),
    _conv("3-D", (1, 4, 5, 3, 2), (2, 3, 2, 2, 3), strides=(1, 2, 1), bias=True),
    _conv("two batch axes", (2, 3, 5, 4, 2), (2, 2, 2, 3)),
    _conv("no batch axis", (5, 4, 2), (2, 2, 2, 3), bias=True),
    *_pools("2x2 stride 2", (2, 6, 4, 3), (2, 2), strides=2),
    *_pools("rows left over", (1, 7, 5, 1), (2, 2), strides=2),
    *_pools("overlapping", (2, 6, 5, 2), (3, 2), strides=(2, 1)),
    *_pools("same", (2, 5, 6, 2), (3, 2), strides=2, padding="SAME"),
    *_pools("window under stride", (2, 8, 7, 2), (2, 1), strides=3),
    *_pools("cropped", (2, 7, 6, 2), (2, 3), strides=(2, 1), padding=((-1, 1), (2, -2))),
    *_pools("1-D", (2, 9, 3), (3,), padding=1),
    *_pools("3-D", (1, 4, 5, 3, 2), (2, 3, 2), strides=(2, 1, 1)),
    *_pools("two batch axes", (2, 2, 4, 5, 2), (2, 2)),
    Case("global_avg_pool", "2-D", (Normal((2, 5, 4, 3)),)),
    Case("global_avg_pool", "1-D, two batch axes", (Normal((2, 3, 5, 2)),), {"spatial_rank": 1}),
    Case("flatten", "2-D", (Normal((2, 3, 4, 2)),)),
    Case("flatten", "two batch axes", (Normal((2, 3, 4, 2)),), {"batch_rank": 2}),
    Case("dense", "with bias", (Normal((4, 5)), Normal((5, 3)), Normal((3,)))),
    Case("dense", "two batch axes", (Normal((2, 3, 5)), Normal((5, 4)))),
    Case("dense", "no batch axis", (Normal((5,)), Normal((5, 4)), Normal((4,)))),
    Case("bias_add", "2-D", (Normal((2, 5, 4, 3)), Normal((3,)))),
    Case("bias_add", "no batch axis", (Normal((3,)), Normal((3,)))),
    *(Case(op, "2-D", (Distinct((2, 5, 4, 3)),)) for op in ("relu", "leaky_relu", "sigmoid", "tanh")),
    Case("relu6", "2-D, from -7.5 to 7.5", (Distinct((2, 5, 4, 3), step=1 / 8),)),
    Case("gelu", "tanh", (Normal((2, 5, 4, 3)),)),
    Case("gelu", "erf", (Normal((2, 5, 4, 3)),), {"approximate": False}),
    *_norms("2-D, scale and bias", (2, 5, 4, 3), 2),
    *_norms("2-D, scale, large epsilon", (2, 3, 4, 5), 1, epsilon=0.5),
    *_norms("no spatial axis", (6, 5), 0),
    *_norms("no spatial axis, scale and bias", (5, 4), 2),
    Case("layer_norm", "no batch axis", (Normal((5,)), Normal((5,)), Normal((5,)))),
    Case("leaky_relu", "slope 0.3", (Distinct((7, 3)),), {"negative_slope": 0.3}),
    *(
        case
        for op in ("softmax", "log_softmax")
        for case in (
            Case(op, "last axis", (Normal((4, 5)),)),
            Case(op, "two axes", (Normal((3, 4, 5)),), {"axis": (0, 2)}),
        )
    ),
    Case("softmax_cross_entropy", "soft labels", (Normal((4, 5)), Weights((4, 5)))),
    Case("softmax_cross_entropy", "first axis", (Normal((5, 3, 2)), Weights((5, 3, 2))), {"axis": 0}),
    Case("softmax_cross_entropy_with_integer_labels", "last axis", (Normal((4, 5)), Classes((4,), 5))),
    Case("softmax_cross_entropy_with_integer_labels", "axis 1", (Normal((2, 5, 3)), Classes((2, 3), 5)), {"axis": 1}),
    Case("squared_error", "two arrays", (Normal((4, 3)), Normal((4, 3)))),
    Case("squared_error", "to zero", (Normal((4, 3)),)),
)  # fmt: skip


def cases_of(op: str) -> tuple[Case, ...]:
    """Return the cases of one public op.

    Raises:
      ValueError: there are none.
    """
    found = tuple(case for case in CASES if case.op == op)
    if not found:
        raise ValueError(f"op (={op!r}) must be one of {sorted({case.op for case in CASES})}")
    return found
