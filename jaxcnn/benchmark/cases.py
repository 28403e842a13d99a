"""What the commands `ops` and `scaling` measure: one layer of one shape a row.

A new layer needs one line in `_OTHERS`: its name in `jaxcnn.ops` and `jaxcnn.reference`, the shapes of its arrays by
the names of its parameters, and its options. A column of PyTorch needs the same name in `torch_layers.py`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

Kind = Literal["normal", "classes", "distribution"]


@dataclasses.dataclass(frozen=True)
class Input:
    """An array that a row passes to its layer.

    Attributes:
      name: that of the parameter, which is positional; its cotangent is `d{name}`.
      shape: of the array.
      kind: "normal" is differentiated; "classes" are class numbers below ten, "distribution" weights of classes.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind = "normal"

    def make(self, random: np.random.Generator) -> np.ndarray:
        """Return the array."""
        if self.kind == "classes":
            return random.integers(10, size=self.shape).astype(np.int32)
        values = random.standard_normal(self.shape).astype(np.float32)
        if self.kind == "normal":
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
        return ("forward", *(f"d{self.inputs[i].name}" for i in self.differentiated), "all")

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
        inputs = [dataclasses.replace(first, shape=(2, *spatial, first.shape[-1]))]
        for array in rest:
            of_examples = array.kind != "normal" or array.name == "targets"
            inputs.append(dataclasses.replace(array, shape=(2, *array.shape[1:])) if of_examples else array)
        return dataclasses.replace(self, inputs=tuple(inputs))


def conv_row(name: str, x: tuple[int, ...], kernel: tuple[int, ...], **options: Any) -> Row:
    """Return the row of a convolution; groups follow from the channels."""
    groups = x[-1] // kernel[-2]
    if groups > 1:
        options["feature_group_count"] = groups
    return Row(name, "conv", (Input("x", x), Input("kernel", kernel)), options, linear=True)


def _row(name: str, op: str, x: tuple[int, ...], *more: Input, linear: bool = False, **options: Any) -> Row:
    first = "logits" if "entropy" in op else "predictions" if op == "squared_error" else "x"
    return Row(name, op, (Input(first, x), *more), options, linear)


_CONVOLUTIONS = (
    conv_row("LeNet conv1", (128, 28, 28, 1), (5, 5, 1, 32)),
    conv_row("LeNet conv2", (128, 14, 14, 32), (5, 5, 32, 64)),
    conv_row("RGB stem", (64, 32, 32, 3), (3, 3, 3, 64)),
    conv_row("ResNet 64", (32, 32, 32, 64), (3, 3, 64, 64)),
    conv_row("ResNet 128", (32, 16, 16, 128), (3, 3, 128, 128)),
    conv_row("ResNet 256", (32, 8, 8, 256), (3, 3, 256, 256)),
    conv_row("stride 2", (32, 32, 32, 64), (3, 3, 64, 128), strides=2),
    conv_row("1x1", (32, 32, 32, 64), (1, 1, 64, 256)),
    conv_row("1x1 stride 2", (32, 32, 32, 64), (1, 1, 64, 128), strides=2),
    conv_row("7x7 stride 2", (16, 64, 64, 3), (7, 7, 3, 64), strides=2),
    conv_row("dilated 2", (16, 32, 32, 64), (3, 3, 64, 64), kernel_dilation=2),
    conv_row("4 groups", (16, 32, 32, 64), (3, 3, 16, 64)),
    conv_row("32 groups", (16, 32, 32, 128), (3, 3, 4, 128)),
    conv_row("depthwise 3x3", (16, 32, 32, 64), (3, 3, 1, 64)),
    conv_row("depthwise 7x7", (4, 32, 32, 96), (7, 7, 1, 96)),
    conv_row("depthwise 1-D", (8, 512, 128), (5, 1, 128)),
    conv_row("depthwise x2 stride 2", (16, 32, 32, 64), (3, 3, 1, 128), strides=2),
    conv_row("depthwise dilated 2", (16, 32, 32, 64), (3, 3, 1, 64), kernel_dilation=2),
    conv_row("3-D", (2, 16, 32, 32, 16), (3, 3, 3, 16, 32)),
    conv_row("transposed k4 s2", (8, 16, 16, 64), (4, 4, 64, 32), input_dilation=2, padding=2),
    conv_row("patchify 4x4", (32, 64, 64, 3), (4, 4, 3, 96), strides=4, padding="VALID"),
    conv_row("patchify 2x2", (32, 16, 16, 80), (2, 2, 80, 160), strides=2, padding="VALID"),
    conv_row("patchify 16x16", (8, 224, 224, 3), (16, 16, 3, 384), strides=16),
    Row("1x1 in scan", "conv_in_scan", (Input("x", (16, 32, 32, 64)), Input("kernels", (8, 1, 1, 64, 64)))),
)

_IMAGES = (64, 32, 32, 64)
_OTHERS = (
    _row("max-pool 2x2 s2", "max_pool", (128, 28, 28, 32), window_shape=(2, 2), strides=2),
    _row("max-pool 3x3 s2", "max_pool", (32, 32, 32, 64), window_shape=(3, 3), strides=2, padding=1),
    _row("max-pool 3x3 s1", "max_pool", (32, 16, 16, 64), window_shape=(3, 3), strides=1, padding="SAME"),
    _row("avg-pool 2x2 s2", "avg_pool", (128, 28, 28, 32), linear=True, window_shape=(2, 2), strides=2),
    _row("avg-pool 3x3 s2", "avg_pool", (32, 32, 32, 64), linear=True, window_shape=(3, 3), strides=2, padding="SAME"),
    _row("global avg-pool", "global_avg_pool", (32, 16, 16, 128), linear=True),
    _row("bias_add", "bias_add", _IMAGES, Input("bias", _IMAGES[-1:]), linear=True),
    _row("dense", "dense", (128, 3136), Input("kernel", (3136, 256)), linear=True),
    _row("relu", "relu", _IMAGES),
    _row("relu6", "relu6", _IMAGES),
    _row("leaky_relu", "leaky_relu", _IMAGES),
    _row("sigmoid", "sigmoid", _IMAGES),
    _row("tanh", "tanh", _IMAGES),
    _row("gelu", "gelu", _IMAGES),
    _row("batch_norm", "batch_norm", (32, 32, 32, 64), Input("scale", (64,)), Input("bias", (64,))),
    _row("layer_norm", "layer_norm", _IMAGES, Input("scale", _IMAGES[-1:]), Input("bias", _IMAGES[-1:])),
    _row("softmax", "softmax", (1024, 1000)),
    _row("log_softmax", "log_softmax", (1024, 1000)),
    _row("softmax_cross_entropy", "softmax_cross_entropy", (1024, 1000), Input("labels", (1024, 1000), "distribution")),
    _row(
        "softmax_cross_entropy, int",
        "softmax_cross_entropy_with_integer_labels",
        (1024, 1000),
        Input("labels", (1024,), "classes"),
    ),
    _row("squared_error", "squared_error", (1024, 1000), Input("targets", (1024, 1000))),
)

ROWS = _CONVOLUTIONS + _OTHERS


def _scaling() -> tuple[Row, ...]:
    sizes = [(batch, 32) for batch in (8, 16, 32, 64, 128, 256)] + [(8, side) for side in (16, 56, 112, 224)]
    rows = []
    for batch, side in sizes:
        x, where = (batch, side, side, 32), f"batch {batch}, image {side}"
        rows.append(conv_row(f"3x3, {where}", x, (3, 3, 32, 32)))
        rows.append(conv_row(f"depthwise 3x3, {where}", x, (3, 3, 1, 32)))
        rows.append(_row(f"max-pool 2x2, {where}", "max_pool", x, window_shape=(2, 2), strides=2))
    return tuple(sorted(rows, key=lambda row: row.name.split(",")[0]))


SCALING = _scaling()
