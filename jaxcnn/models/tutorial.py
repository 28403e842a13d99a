"""The smallest network that has every part of a CNN, small enough to work through by hand.

With an image of 4x4 pixels and two classes:

    x        [4, 4, 1]
    conv1    [3, 3, 2]   two 2x2 kernels, stride 1, no padding, and a bias each
    relu     [3, 3, 2]
    pool     [1, 1, 2]   maximum over 2x2, stride 2; the last row and column fill no window
    flatten  [2]
    dense1   [2]         the logits, one a class

It has 10 parameters in conv1 and 6 in dense1. `scripts/walkthrough.py` prints every number of its forward and
backward pass.
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


def tutorial(ops: ModuleType = jaxcnn.ops, *, num_classes: int = 2) -> Model:
    """Make the tutorial network: convolution, ReLU, max-pool, flatten, dense.

    To see each step of training in numbers; `lenet` is the sibling that classifies images well. The image of the
    tutorial is 4x4x1, but any size from 3x3 on fits: on 28x28x1 the pooled maps are 13x13x2, and dense1 grows to
    match.

    Math:
      logits = flatten(max_pool(relu(conv(x, conv1)))) dense1.kernel + dense1.bias. The softmax belongs to the loss
      (`jaxcnn.softmax_cross_entropy_with_integer_labels`); `jaxcnn.softmax(logits)` gives the probabilities.

    Args:
      ops: where the layers come from: `jaxcnn.ops` for the hand-derived rules, `jaxcnn.reference` for `jax.grad`.
      num_classes: the number of logits.

    Returns:
      A `Model`. Its parameters are conv1 `[2, 2, C, 2]` and `[2]`, dense1 `[2 F, num_classes]` and `[num_classes]`,
      with F = ((H - 1) // 2) * ((W - 1) // 2). Kernels start normal with variance 2 / fan-in before the ReLU and
      1 / fan-in before the logits, biases at 0. Its state is empty.

    Raises:
      ValueError: num_classes is less than 1; or, from `init`, `input_shape` is not `[H, W, C]` with H and W at least
        3, or `dtype` is no floating dtype that JAX has switched on.
      TypeError: from `apply`, x is not floating.

    Example:
      >>> import jax, jaxcnn.models
      >>> model = jaxcnn.models.tutorial()
      >>> params, state = model.init(jax.random.key(0), (4, 4, 1))
      >>> model.apply(params, state, jax.numpy.ones((8, 4, 4, 1)), train=False)[0].shape
      (8, 2)

    References:
      He et al. 2015, "Delving deep into rectifiers", arXiv:1502.01852 (the variance before a ReLU).
    """
    check_num_classes(num_classes)
    return Model(functools.partial(_init, num_classes), WithLayers(_apply, ops))


def _init(
    num_classes: int, key: jax.Array, input_shape: Sequence[int], dtype: Any = jnp.float32
) -> tuple[dict[str, Any], dict[str, Any]]:
    height, width, channels = check_input_shape(input_shape, smallest=3)
    dtype = check_dtype(dtype)
    features = ((height - 1) // 2) * ((width - 1) // 2) * 2
    conv1_key, dense1_key = jax.random.split(key)
    params = {
        "conv1": init_layer(conv1_key, (2, 2, channels, 2), dtype, he_normal()),
        "dense1": init_layer(dense1_key, (features, num_classes), dtype, lecun_normal()),
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
    x = ops.relu(ops.conv(x, **params["conv1"], padding="VALID"))
    x = ops.max_pool(x, (2, 2), 2)
    x = ops.flatten(x, batch_rank=x.ndim - 3)
    return ops.dense(x, **params["dense1"]), state
