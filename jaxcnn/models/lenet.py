"""LeNet-5 with rectified units and 32 and 64 filters, a small network that reads handwritten digits.

With an image of 28x28 pixels and ten classes:

    x        [28, 28, 1]
    conv1    [28, 28, 32]   5x5 kernels, stride 1, padded to the same size
    pool     [14, 14, 32]   after a ReLU; maximum over 2x2, stride 2
    conv2    [14, 14, 64]   5x5 kernels, stride 1, padded to the same size
    pool     [7, 7, 64]     after a ReLU
    flatten  [3136]
    dense1   [128]          and a ReLU
    dense2   [10]           the logits, one a class
"""

import functools
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from jax.nn.initializers import he_normal, lecun_normal

import jaxcnn.ops
from jaxcnn.models._model import (
    Model,
    WithLayers,
    cast_input,
    check_dtype,
    check_input_shape,
    check_num_classes,
    init_layer,
)


def lenet(ops: ModuleType = jaxcnn.ops, *, num_classes: int = 10) -> Model:
    """Make a LeNet: two stages of 5x5 convolution, ReLU and 2x2 max-pool, then two dense layers.

    For small images, such as those of MNIST; `tutorial` is the sibling that can be worked through by hand.

    Math:
      stage(x, conv) = max_pool(relu(conv(x))); h = flatten(stage(stage(x, conv1), conv2));
      logits = dense2(relu(dense1(h))). The softmax belongs to the loss
      (`jaxcnn.softmax_cross_entropy_with_integer_labels`).

    Args:
      ops: where the layers come from: `jaxcnn.ops` for the hand-derived rules, `jaxcnn.reference` for `jax.grad`.
      num_classes: the number of logits.

    Returns:
      A `Model`. Its kernels are conv1 `[5, 5, C, 32]`, conv2 `[5, 5, 32, 64]`, dense1 `[F, 128]` with
      F = 64 (H // 4) (W // 4), and dense2 `[128, num_classes]`; each layer has a bias. Kernels start normal with
      variance 2 / fan-in before a ReLU and 1 / fan-in before the logits, biases at 0. Its state is empty.

    Raises:
      ValueError: num_classes is less than 1; or, from `init`, `input_shape` is not `[H, W, C]` with H and W at least
        4, or `dtype` is no floating dtype that JAX has switched on.
      TypeError: from `apply`, x is not floating.

    Example:
      >>> import jax, jaxcnn.models
      >>> model = jaxcnn.models.lenet()
      >>> params, state = model.init(jax.random.key(0), (28, 28, 1))
      >>> model.apply(params, state, jax.numpy.ones((8, 28, 28, 1)), train=False)[0].shape
      (8, 10)

    References:
      LeCun et al. 1998, "Gradient-based learning applied to document recognition"; He et al. 2015, "Delving deep
      into rectifiers", arXiv:1502.01852 (the variance before a ReLU).
    """
    check_num_classes(num_classes)
    return Model(functools.partial(_init, num_classes), WithLayers(_apply, ops))


def _init(
    num_classes: int, key: jax.Array, input_shape: Sequence[int], dtype: Any = jnp.float32
) -> tuple[dict[str, Any], dict[str, Any]]:
    height, width, channels = check_input_shape(input_shape, smallest=4)
    dtype = check_dtype(dtype)
    features = 64 * (height // 4) * (width // 4)
    keys = jax.random.split(key, 4)
    params = {
        "conv1": init_layer(keys[0], (5, 5, channels, 32), dtype, he_normal()),
        "conv2": init_layer(keys[1], (5, 5, 32, 64), dtype, he_normal()),
        "dense1": init_layer(keys[2], (features, 128), dtype, he_normal()),
        "dense2": init_layer(keys[3], (128, num_classes), dtype, lecun_normal()),
    }
    return params, {}


def _apply(
    ops: ModuleType,
    params: dict[str, Any],
    state: dict[str, Any],
    x: jax.Array,
    *,
    train: bool,
    key: jax.Array | None = None,
) -> tuple[jax.Array, dict[str, Any]]:
    del train, key  # no layer here differs in training
    x = cast_input(x, params)
    x = ops.max_pool(ops.relu(ops.conv(x, **params["conv1"])), (2, 2), 2)
    x = ops.max_pool(ops.relu(ops.conv(x, **params["conv2"])), (2, 2), 2)
    x = ops.flatten(x, batch_rank=x.ndim - 3)
    x = ops.relu(ops.dense(x, **params["dense1"]))
    return ops.dense(x, **params["dense2"]), state
