"""One training step of the tutorial network on one image, as a chain of layers whose numbers can all be read.

`train_step(by_rules, jaxcnn.ops, ...)` and `train_step(by_autodiff, jaxcnn.reference, ...)` are the two sides that
`scripts/walkthrough.py` prints beside each other.

The cross entropy takes logits, and its rule goes back to them in one step, p - onehot. Textbooks take two, over the
probabilities: `over_softmax` goes that way. It ends where p of the target is too small to divide by.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.gradcheck.layerwise import Layer, Trace, forward
from jaxcnn.models import tutorial

LOSSES = ("squared_error", "cross_entropy")
LARGEST_LOSS_OVER_SOFTMAX = 80.0  # exp(-80), p of the target, is still a normal float32, and so is its inverse


class Given(NamedTuple):
    """What a step starts from."""

    image: np.ndarray  # [4, 4]
    params: dict[str, Any]  # of `tutorial()`
    onehot: np.ndarray  # [2], 1 at the target
    learning_rate: float


class Step(NamedTuple):
    """What a step computes, as NumPy arrays."""

    trace: Trace
    probabilities: jax.Array  # [1, 2]
    updated: dict[str, Any]  # the parameters after the step
    updated_loss: jax.Array  # []
    model_grads: dict[str, Any]  # the gradients of the loss of `tutorial()`, by jax.grad of the whole


def tutorial_params(kernel: np.ndarray) -> dict[str, Any]:
    """Return parameters of `tutorial()` in float32: the first kernel as given, `[2, 2]`, the rest with few digits."""
    kernels = np.stack([kernel, np.array([[0, 1], [-1, 1]], np.float32)], axis=-1)
    return {
        "conv1": {"kernel": kernels[:, :, None, :], "bias": np.array([0, -0.5], np.float32)},
        "dense1": {
            "kernel": np.array([[0.5, -0.25], [0.2, 0.4]], np.float32),
            "bias": np.array([0, -0.75], np.float32),
        },
    }


def network(ops: ModuleType) -> tuple[Layer, ...]:
    """Return the layers of `tutorial()`, one by one."""
    return (
        Layer("conv1", lambda params, x: ops.conv(x, **params, padding="VALID")),
        Layer("relu", lambda _, x: ops.relu(x)),
        Layer("pool", lambda _, x: ops.max_pool(x, (2, 2), 2)),
        Layer("flatten", lambda _, x: ops.flatten(x)),
        Layer("dense1", lambda params, x: ops.dense(x, **params)),
    )


def head(ops: ModuleType, loss: str, onehot: jax.Array) -> tuple[Layer, ...]:
    """Return the layers from the logits to a loss of `LOSSES`, for labels `[N, 2]`.

    The squared error is that of the probabilities; both losses are summed.
    """
    if loss == "squared_error":
        return (
            Layer("softmax", lambda _, logits: ops.softmax(logits)),
            Layer("loss", lambda _, p: ops.squared_error(p, onehot).sum()),
        )
    return (Layer("loss", lambda _, logits: ops.softmax_cross_entropy(logits, onehot).sum()),)


def train_step(by: Callable[..., Trace], ops: ModuleType, loss: str, given: Given) -> Step:
    """Compute one step of gradient descent.

    Args:
      by: `by_rules` or `by_autodiff`.
      ops: where the layers come from, `jaxcnn.ops` or `jaxcnn.reference`.
      loss: one of `LOSSES`.
      given: the image, the parameters, the target and the learning rate.

    Returns:
      A `Step`.
    """
    image, onehot = jnp.asarray(given.image)[None, :, :, None], jnp.asarray(given.onehot)[None]
    to_loss = head(ops, loss, onehot)
    layers = (*network(ops), *to_loss)
    trace = by(layers, given.params, image)
    updated = jax.tree.map(lambda w, gradient: w - given.learning_rate * gradient, given.params, trace.grads)
    apply = tutorial(ops).apply
    model_grads = jax.grad(lambda params: forward(to_loss, {}, apply(params, {}, image, train=True)[0]))(given.params)
    probabilities = ops.softmax(trace.values["dense1"])
    return jax.device_get(Step(trace, probabilities, updated, forward(layers, updated, image), model_grads))


def over_softmax(by: Callable[..., Trace], ops: ModuleType, given: Given, logits: jax.Array) -> Trace:
    """Go back from the cross entropy, -log p of the target, to the logits `[1, 2]` in two steps, over the softmax."""
    target = int(given.onehot.argmax())
    softmax = Layer("softmax", lambda _, logits: ops.softmax(logits))
    return jax.device_get(by((softmax, Layer("loss", lambda _, p: -jnp.log(p[0, target]))), {}, logits))
