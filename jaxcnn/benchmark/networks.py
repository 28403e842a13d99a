"""Four networks as plain functions over a namespace of layers, so that JAX and PyTorch run the same lines.

Parameters are nested dicts and lists of arrays. A convolution has a kernel `[*window, C_in / groups, C_out]`; a norm
has a scale and a bias; images are `[N, H, W, C]`. ResNet-18 (He et al. 2016, arXiv:1512.03385) and MobileNetV2
(Sandler et al. 2018, arXiv:1801.04381) are those for images of 32x32; ConvNeXt (Liu et al. 2022, arXiv:2201.03545)
begins with patches of 2x2. Batch norms take the statistics of the batch, as in training, and keep no averages.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn import models

Shapes = Any  # a tree of dicts and lists whose leaves are the shapes of arrays, tuples


@dataclasses.dataclass(frozen=True)
class Network:
    """A network and the batch that it is timed with.

    Attributes:
      name: how it is called in tables.
      batch: the number of images.
      image: the shape of one.
      shapes: returns the shapes of its parameters, a tree.
      apply: `logits = apply(layers, params, images)`.
    """

    name: str
    batch: int
    image: tuple[int, int, int]
    shapes: Callable[[], Shapes]
    apply: Callable[[Any, Any, Any], Any]

    def init(self, key: jax.Array) -> Any:
        """Return random parameters: kernels of variance 2 / fan-in, scales of 1, biases of 0."""
        leaves, tree = jax.tree.flatten_with_path(self.shapes(), is_leaf=lambda node: isinstance(node, tuple))
        keys = jax.random.split(key, len(leaves))
        arrays = [_init_leaf(k, path[-1].key, shape) for k, (path, shape) in zip(keys, leaves, strict=True)]
        return jax.tree.unflatten(tree, arrays)

    def count(self) -> int:
        """Return the number of parameters."""
        leaves = jax.tree.leaves(self.shapes(), is_leaf=lambda node: isinstance(node, tuple))
        return sum(math.prod(shape) for shape in leaves)


def _init_leaf(key: jax.Array, name: str, shape: tuple[int, ...]) -> jax.Array:
    if name == "kernel":
        return jax.random.normal(key, shape) * math.sqrt(2 / math.prod(shape[:-1]))
    value = {"scale": 1.0, "bias": 0.0, "gamma": 0.1}[name]  # a gamma of 1e-6 would hide its branch in the comparison
    return jnp.full(shape, value, jnp.float32)


def _norm(channels: int) -> dict[str, tuple[int, ...]]:
    return {"scale": (channels,), "bias": (channels,)}


def _dense(c_in: int, c_out: int) -> dict[str, tuple[int, ...]]:
    return {"kernel": (c_in, c_out), "bias": (c_out,)}


def _unit(side: int, c_in: int, c_out: int) -> dict[str, Any]:
    """Return the shapes of a convolution without a bias, before a batch norm."""
    return {"conv": {"kernel": (side, side, c_in, c_out)}, "norm": _norm(c_out)}


def _conv_norm(layers: Any, x: Any, params: Any, **options: Any) -> Any:
    return layers.batch_norm(layers.conv(x, **params["conv"], **options), **params["norm"])


def _lenet_shapes() -> Shapes:
    return {
        "conv1": {"kernel": (5, 5, 1, 32), "bias": (32,)},
        "conv2": {"kernel": (5, 5, 32, 64), "bias": (64,)},
        "dense1": _dense(3136, 128),
        "dense2": _dense(128, 10),
    }


def _lenet(layers: Any, params: Any, x: Any) -> Any:
    return models.lenet(layers).apply(params, {}, x, train=True)[0]


RESNET_BLOCKS = tuple(
    (c_in, c_out, stride)
    for before, c_out, first in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
    for c_in, stride in ((before, first), (c_out, 1))
)


def _resnet_shapes() -> Shapes:
    blocks = []
    for c_in, c_out, stride in RESNET_BLOCKS:
        block = {"first": _unit(3, c_in, c_out), "second": _unit(3, c_out, c_out)}
        if stride != 1 or c_in != c_out:
            block["shortcut"] = _unit(1, c_in, c_out)
        blocks.append(block)
    return {"stem": _unit(3, 3, 64), "blocks": blocks, "head": _dense(512, 10)}


def _resnet(layers: Any, params: Any, x: Any) -> Any:
    x = layers.relu(_conv_norm(layers, x, params["stem"], padding=1))
    for block, (_, _, stride) in zip(params["blocks"], RESNET_BLOCKS, strict=True):
        y = layers.relu(_conv_norm(layers, x, block["first"], strides=stride, padding=1))
        y = _conv_norm(layers, y, block["second"], padding=1)
        if "shortcut" in block:
            x = _conv_norm(layers, x, block["shortcut"], strides=stride, padding=0)
        x = layers.relu(x + y)
    return layers.dense(layers.global_avg_pool(x), **params["head"])


MOBILENET_STAGES = (  # expansion, channels, blocks, stride of the first
    (1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
MOBILENET_BLOCKS = tuple(
    (expansion, c_out, stride if block == 0 else 1)
    for expansion, c_out, count, stride in MOBILENET_STAGES
    for block in range(count)
)


def _mobilenet_shapes() -> Shapes:
    blocks, c_in = [], 32
    for expansion, c_out, stride in MOBILENET_BLOCKS:
        hidden = expansion * c_in
        block = {"expand": _unit(1, c_in, hidden), "depthwise": _unit(3, 1, hidden), "project": _unit(1, hidden, c_out)}
        if stride == 1 and c_in != c_out:
            block["shortcut"] = _unit(1, c_in, c_out)
        blocks.append(block)
        c_in = c_out
    return {"stem": _unit(3, 3, 32), "blocks": blocks, "top": _unit(1, 320, 1280), "head": _dense(1280, 10)}


def _mobilenet(layers: Any, params: Any, x: Any) -> Any:
    x = layers.relu6(_conv_norm(layers, x, params["stem"], padding=1))
    for block, (_, _, stride) in zip(params["blocks"], MOBILENET_BLOCKS, strict=True):
        y = layers.relu6(_conv_norm(layers, x, block["expand"], padding=0))
        options = {"strides": stride, "padding": 1, "feature_group_count": y.shape[-1]}
        y = layers.relu6(_conv_norm(layers, y, block["depthwise"], **options))
        y = _conv_norm(layers, y, block["project"], padding=0)
        if stride == 1:
            y = y + (_conv_norm(layers, x, block["shortcut"], padding=0) if "shortcut" in block else x)
        x = y
    x = layers.relu6(_conv_norm(layers, x, params["top"], padding=0))
    return layers.dense(layers.global_avg_pool(x), **params["head"])


CONVNEXT_DIMS, CONVNEXT_DEPTHS = (40, 80, 160, 320), (2, 2, 6, 2)


def _convnext_shapes() -> Shapes:
    stages, c_in = [], 3
    for index, (dim, depth) in enumerate(zip(CONVNEXT_DIMS, CONVNEXT_DEPTHS, strict=True)):
        block = {
            "depthwise": {"kernel": (7, 7, 1, dim), "bias": (dim,)},
            "norm": _norm(dim),
            "expand": _dense(dim, 4 * dim),
            "project": _dense(4 * dim, dim),
            "gamma": (dim,),
        }
        down = {"conv": {"kernel": (2, 2, c_in, dim), "bias": (dim,)}, "norm": _norm(c_in if index else dim)}
        stages.append({"down": down, "blocks": [block] * depth})
        c_in = dim
    return {"stages": stages, "norm": _norm(c_in), "head": _dense(c_in, 10)}


def _convnext(layers: Any, params: Any, x: Any) -> Any:
    for index, stage in enumerate(params["stages"]):
        down = stage["down"]
        if index:
            x = layers.layer_norm(x, **down["norm"])
        x = layers.conv(x, **down["conv"], strides=2, padding=0)
        if not index:
            x = layers.layer_norm(x, **down["norm"])
        for block in stage["blocks"]:
            y = layers.conv(x, **block["depthwise"], padding=3, feature_group_count=x.shape[-1])
            y = layers.dense(layers.layer_norm(y, **block["norm"]), **block["expand"])
            y = layers.dense(layers.gelu(y), **block["project"])
            x = x + block["gamma"] * y
    return layers.dense(layers.layer_norm(layers.global_avg_pool(x), **params["norm"]), **params["head"])


NETWORKS = (
    Network("LeNet", 128, (28, 28, 1), _lenet_shapes, _lenet),
    Network("ResNet-18", 32, (32, 32, 3), _resnet_shapes, _resnet),
    Network("MobileNetV2", 32, (32, 32, 3), _mobilenet_shapes, _mobilenet),
    Network("ConvNeXt", 32, (32, 32, 3), _convnext_shapes, _convnext),
)
