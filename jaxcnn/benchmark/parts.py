"""The functions that are timed: a part of a row, a train step, and a product with a Hessian.

Each returns every output that it claims, so that the compiler drops nothing.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxcnn.reference
from jaxcnn.benchmark import plain
from jaxcnn.benchmark.cases import Row
from jaxcnn.benchmark.networks import Network

OPTIMIZER = optax.sgd(0.05, momentum=0.9)


def part_function(row: Row, part: str, ops: Any) -> Callable[..., Any]:
    """Return a part of a row as a function.

    Args:
      row: the layer.
      part: one of `row.parts`.
      ops: `jaxcnn.ops` or `jaxcnn.reference`.

    Returns:
      `forward(*arrays) -> y`, or of one cotangent `dx(g, *arrays) -> dx`, or `all(g, *arrays) -> (y, *cotangents)`.
    """
    function, wanted = row.function(plain.row_layers(ops)), row.wanted(part)

    def gradient(g: Any, *arrays: Any) -> Any:
        def of_wanted(*chosen: Any) -> Any:
            given = dict(zip(wanted, chosen, strict=True))
            return function(*(given.get(i, array) for i, array in enumerate(arrays)))

        y, vjp = jax.vjp(of_wanted, *(arrays[i] for i in wanted))
        cotangents = vjp(g)
        return (y, *cotangents) if part == "all" else cotangents[0]

    return function if part == "forward" else gradient


def part_args(row: Row, part: str, dtype: str = "float32") -> list[Any]:
    """Return the arrays on which a part is timed: those of the row, after the incoming cotangent if there is one.

    Args:
      row: the layer.
      part: one of `row.parts`.
      dtype: of the floating arrays; float64 must be switched on in JAX.
    """
    arrays = [jnp.asarray(a, dtype if np.issubdtype(a.dtype, np.floating) else a.dtype) for a in row.arrays()]
    if part == "forward":
        return arrays
    y = jax.eval_shape(row.function(plain.row_layers(jaxcnn.reference)), *arrays)
    random = np.random.default_rng(1)
    g = jax.tree.map(lambda leaf: jnp.asarray(random.standard_normal(leaf.shape), leaf.dtype), y)
    return [g, *arrays]


def loss_function(network: Network, ops: Any) -> Callable[..., jax.Array]:
    """Return `loss(params, images, labels)`, the mean cross entropy of a network."""
    layers = plain.network_layers(ops)

    def loss(params: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
        logits = network.apply(layers, params, images)
        return jnp.mean(ops.softmax_cross_entropy_with_integer_labels(logits, labels))

    return loss


def step_function(network: Network, ops: Any) -> Callable[..., Any]:
    """Return the train step of a network, `step_of` its loss."""
    return step_of(loss_function(network, ops))


def step_of(loss: Callable[..., jax.Array]) -> Callable[..., Any]:
    """Return `step(params, opt_state, images, labels) -> (params, opt_state, loss)`: SGD with momentum.

    Args:
      loss: `loss(params, images, labels)`, a scalar.
    """

    def step(params: Any, opt_state: Any, images: jax.Array, labels: jax.Array) -> Any:
        value, grads = jax.value_and_grad(loss)(params, images, labels)
        updates, opt_state = OPTIMIZER.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, value

    return step


def hvp_function(network: Network, ops: Any) -> Callable[..., Any]:
    """Return `hvp(params, tangents, images, labels)`: the Hessian of the loss times a vector, reverse over reverse."""
    loss = loss_function(network, ops)

    def hvp(params: Any, tangents: Any, images: jax.Array, labels: jax.Array) -> Any:
        def directional(params: Any) -> jax.Array:
            grads = jax.grad(loss)(params, images, labels)
            return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, grads, tangents)), jnp.zeros(()))

        return jax.grad(directional)(params)

    return hvp


NETWORK_PARTS: dict[str, Callable[[Network, Any], Callable[..., Any]]] = {"step": step_function, "hvp": hvp_function}


def network_args(network: Network, part: str, batch: int | None = None) -> tuple[Any, Any, jax.Array, jax.Array]:
    """Return the arguments on which a part of a network is timed.

    Args:
      network: the network.
      part: "step" or "hvp".
      batch: the number of images; None is the network's own.
    """
    params_key, tangents_key = jax.random.split(jax.random.key(0))
    params = network.init(params_key)
    images, labels = examples(network.batch if batch is None else batch, network.image)
    return params, OPTIMIZER.init(params) if part == "step" else network.init(tangents_key), images, labels


def examples(batch: int, image: tuple[int, int, int]) -> tuple[jax.Array, jax.Array]:
    """Return fixed random images `[batch, *image]`, float32, and their labels of ten classes, int32."""
    random = np.random.default_rng(0)
    images = jnp.asarray(random.standard_normal((batch, *image)), jnp.float32)
    return images, jnp.asarray(random.integers(10, size=batch), jnp.int32)
