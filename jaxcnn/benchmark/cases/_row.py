"""A row of the benchmark: one layer of one shape."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

Kind = Literal["normal", "held", "classes", "distribution"]

IMAGES = (64, 32, 32, 64)  # the input of layers whose cost is that of their bytes


@dataclasses.dataclass(frozen=True)
class Input:
    """An array that a row passes to its layer.

    Attributes:
      name: that of the parameter, which is positional; its cotangent is `d{name}`.
      shape: of the array.
      kind: "normal" is differentiated, "held" is normal and is not; "classes" are class numbers below ten,
        "distribution" weights of classes.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind = "normal"

    def make(self, random: np.random.Generator) -> np.ndarray:
        """Return the array."""
        if self.kind == "classes":
            return random.integers(10, size=self.shape).astype(np.int32)
        values = random.standard_normal(self.shape).astype(np.float32)
        if self.kind in ("normal", "held"):
            return values
        weights = np.exp(values)
        return weights / weights.sum(-1, keepdims=True)


@dataclasses.dataclass(frozen=True)
class Row:
    """One layer of one shape.

    Attributes:
      name: how the row is called in tables.
      op: the name of the function, in each namespace of layers.
      inputs: its arrays.
      options: its other arguments.
      linear: whether the value is linear in each array, so that no cotangent needs a forward pass.
    """

    name: str
    op: str
    inputs: tuple[Input, ...]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    linear: bool = False

    @property
    def differentiated(self) -> tuple[int, ...]:
        """The positions of the arrays that have a gradient."""
        return tuple(i for i, array in enumerate(self.inputs) if array.kind == "normal")

    @property
    def parts(self) -> tuple[str, ...]:
        """What is timed: the value, each cotangent alone, and all of these in one program."""
        cotangents = [f"d{self.inputs[i].name}" for i in self.differentiated]
        return ("forward", *cotangents, "all") if cotangents else ("forward",)

    @property
    def shapes(self) -> str:
        """The shapes of all arrays, for people."""
        return " · ".join(",".join(map(str, array.shape)) for array in self.inputs)

    def wanted(self, part: str) -> tuple[int, ...]:
        """Return the positions of the arrays whose cotangents a part computes."""
        return tuple(i for i in self.differentiated if part in ("all", f"d{self.inputs[i].name}"))

    def function(self, layers: Any) -> Callable[..., Any]:
        """Return the layer of a namespace as a function of the arrays alone."""
        op = getattr(layers, self.op)
        return lambda *arrays: op(*arrays, **self.options)

    def arrays(self) -> list[np.ndarray]:
        """Return the arrays, always the same."""
        random = np.random.default_rng(0)
        return [array.make(random) for array in self.inputs]

    def shrunk(self) -> "Row":
        """Return the row with at most 2 examples of at most 8 positions a side, for tests."""
        first, *rest = self.inputs
        spatial = tuple(min(size, 8) for size in first.shape[1:-1])
        batch = (2,) * (len(first.shape) > 1)
        inputs = [dataclasses.replace(first, shape=(*batch, *spatial, first.shape[-1]))]
        for array in rest:
            if array.kind == "held":
                inputs.append(dataclasses.replace(array, shape=(2, *spatial, array.shape[-1])))
            elif array.kind != "normal" or array.name == "targets":
                inputs.append(dataclasses.replace(array, shape=(2, *array.shape[1:])))
            else:
                inputs.append(array)
        return dataclasses.replace(self, inputs=tuple(inputs))


def conv_row(name: str, x: tuple[int, ...], kernel: tuple[int, ...], **options: Any) -> Row:
    """Return the row of a convolution; groups follow from the channels."""
    groups = x[-1] // kernel[-2]
    if groups > 1:
        options["feature_group_count"] = groups
    return Row(name, "conv", (Input("x", x), Input("kernel", kernel)), options, linear=True)


def row(name: str, op: str, first: Input | tuple[int, ...], *more: Input, linear: bool = False, **options: Any) -> Row:
    """Return the row of another layer, from its arrays; a shape stands for the array x."""
    return Row(name, op, (first if isinstance(first, Input) else Input("x", first), *more), options, linear)
