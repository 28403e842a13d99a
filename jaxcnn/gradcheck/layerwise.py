"""Backpropagation one layer at a time: every value, every error term and every gradient of a chain, to look at.

A chain is layers applied one after the other, x_0 = x, x_k = f_k(params_k, x_{k-1}), whose last value is the loss L.
The error term of layer k is e_k = dL/dx_k: 1 for the loss itself, and backwards, by the chain rule,

    e_{k-1} = e_k dx_k/dx_{k-1}          dL/dparams_k = e_k dx_k/dparams_k

Both are what the backward rule of layer k returns when it is given e_k, so that `by_rules` has each of them at hand.
`by_autodiff` asks JAX for the same numbers without these steps: each error term is `jax.grad` of the tail of the
chain, the layers after k, and the gradients of the parameters are `jax.grad` of the whole.

References: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.gradcheck.tolerances import absolute_difference, largest_finite


class Layer(NamedTuple):
    """One layer of a chain."""

    name: str  # under which its parameters, value, error term and gradients are found
    apply: Callable[[Any, jax.Array], jax.Array]  # (its parameters, None where it has none; its input) -> its output


class Trace(NamedTuple):
    """All numbers of one pass forward and back; a pytree, its dicts in the order of the layers."""

    values: dict[str, jax.Array]  # the output of each layer; that of the last is the loss, of shape []
    errors: dict[str, jax.Array]  # dL/d(output), in the shape of the output
    grads: dict[str, Any]  # dL/d(parameters) in their structure, for the layers that have any
    dx: jax.Array  # dL/d(input of the chain), in the shape of x


class Difference(NamedTuple):
    """The largest difference between two pytrees of numbers."""

    absolute: float
    relative: float  # to the largest magnitude in the second tree
    path: str  # where it sits


def forward(layers: Sequence[Layer], params: Mapping[str, Any], x: jax.Array) -> jax.Array:
    """Apply layers one after the other.

    Args:
      layers: the chain; without a layer it returns x.
      params: the parameters of each layer, any pytree, by its name; a layer without any is left out.
      x: the input of the first layer.

    Returns:
      The output of the last layer.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> dense = Layer("dense", lambda kernel, x: jaxcnn.dense(x, kernel))
      >>> print(forward([dense, dense], {"dense": 2 * jnp.eye(2)}, jnp.ones(2)))
      [4. 4.]
    """
    for layer in layers:
        x = layer.apply(params.get(layer.name), x)
    return x


def by_rules(layers: Sequence[Layer], params: Mapping[str, Any], x: jax.Array) -> Trace:
    """Run a chain forward and back, one layer at a time, by the backward rule of each layer.

    `by_autodiff` gets the same numbers without these steps.

    Args:
      layers: the chain, under different names; the output of the last is the loss.
      params: the parameters of each layer, any pytree of floating arrays, by its name; a layer without any is left
        out.
      x: the input of the first layer, floating.

    Returns:
      A `Trace`; each error term has the shape and dtype of the value under the same name.

    Raises:
      ValueError: there is no layer, two have one name, params names none, or the last output is not one number.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> relu = Layer("relu", lambda _, x: jaxcnn.relu(x))
      >>> loss = Layer("loss", lambda _, y: jaxcnn.squared_error(y).sum())
      >>> print(by_rules([relu, loss], {}, jnp.array([-1.0, 3.0])).errors["relu"])
      [0. 6.]
    """
    _require_layers(layers, params)
    values, pullbacks, errors, grads = {}, {}, {}, {}
    value = x
    for layer in layers:
        value, pullbacks[layer.name] = jax.vjp(layer.apply, params.get(layer.name), value)
        values[layer.name] = value
    _require_loss(layers, value)
    error = jnp.ones_like(value)
    for name in reversed(values):
        errors[name] = error
        grads[name], error = pullbacks[name](error)
    return _in_order(values, errors, grads, params, error)


def by_autodiff(layers: Sequence[Layer], params: Mapping[str, Any], x: jax.Array) -> Trace:
    """Run a chain forward, and take its error terms and gradients by `jax.grad`, of its tails and of the whole.

    To judge `by_rules`, give this one the same chain made of `jaxcnn.reference`.

    Args:
      layers: the chain, under different names; the output of the last is the loss.
      params: the parameters of each layer, any pytree of floating arrays, by its name; a layer without any is left
        out.
      x: the input of the first layer, floating.

    Returns:
      A `Trace`; each error term has the shape and dtype of the value under the same name.

    Raises:
      ValueError: there is no layer, two have one name, params names none, or the last output is not one number.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> relu = Layer("relu", lambda _, x: jaxcnn.reference.relu(x))
      >>> loss = Layer("loss", lambda _, y: jaxcnn.reference.squared_error(y).sum())
      >>> print(by_autodiff([relu, loss], {}, jnp.array([-1.0, 3.0])).errors["relu"])
      [0. 6.]
    """
    _require_layers(layers, params)
    values, errors = {}, {}
    value = x
    for layer in layers:
        value = values[layer.name] = layer.apply(params.get(layer.name), value)
    _require_loss(layers, value)
    for number, name in enumerate(values, start=1):
        errors[name] = jax.grad(functools.partial(forward, layers[number:], params))(values[name])
    grads, dx = jax.grad(functools.partial(forward, layers), argnums=(0, 1))(dict(params), x)
    return _in_order(values, errors, grads, params, dx)


def largest_difference(ours: Any, theirs: Any) -> Difference:
    """Find where two pytrees of numbers differ most.

    For two traces of one chain, or for the gradients of a chain and those of a model; `jaxcnn.gradcheck.compare` is
    the judge of a single function, array by array. Here the measure is the largest number of the whole tree, because
    the numbers of a pass are made from each other: the error term p - onehot of a sure prediction has few right
    digits left, and so has all that follows from it.

    Args:
      ours: a pytree of arrays.
      theirs: the judge, a pytree of the same structure and shapes.

    Returns:
      The `Difference`; 0 where both are nan or the same infinity, inf where only one of them is.

    Raises:
      ValueError: the structures or the shapes differ, or there is no array.

    Example:
      >>> largest_difference({"a": 1.0, "b": 4.0}, {"a": 1.0, "b": 5.0})
      Difference(absolute=1.0, relative=0.2, path="['b']")
    """
    leaves, judges = jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs)
    structure = jax.tree.structure(theirs)
    if jax.tree.structure(ours) != structure or not judges:
        raise ValueError(f"ours ({jax.tree.structure(ours)}) must hold arrays in the structure of theirs ({structure})")
    differences = {}
    for (path, a), b in zip(leaves, judges, strict=True):
        place = jax.tree_util.keystr(path)
        if jnp.shape(a) != jnp.shape(b):
            raise ValueError(f"ours{place} shape (={jnp.shape(a)}) must equal that of theirs (={jnp.shape(b)})")
        differences[place] = float(absolute_difference(a, b).max(initial=0.0))
    place = max(differences, key=lambda name: differences[name])
    absolute, scale = differences[place], max(map(largest_finite, judges))
    relative = absolute / scale if scale else (math.inf if absolute else 0.0)
    return Difference(absolute, relative, place)


def _require_layers(layers: Sequence[Layer], params: Mapping[str, Any]) -> None:
    names = [layer.name for layer in layers]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"layers (named {names}) must be one or more, under different names")
    if unknown := sorted(set(params) - set(names)):
        raise ValueError(f"params (for {unknown}) must belong to the layers (named {names})")


def _require_loss(layers: Sequence[Layer], loss: jax.Array) -> None:
    if jnp.shape(loss) != ():
        raise ValueError(f"the last layer (={layers[-1].name!r}) must give one number, not shape {jnp.shape(loss)}")


def _in_order(
    values: dict[str, jax.Array],
    errors: dict[str, jax.Array],
    grads: dict[str, Any],
    params: Mapping[str, Any],
    dx: jax.Array,
) -> Trace:
    """Return the trace, its dicts in the order of `values`, without gradients of what has no parameters."""
    errors = {name: errors[name] for name in values}
    return Trace(values, errors, {name: grads[name] for name in values if name in params}, dx)
