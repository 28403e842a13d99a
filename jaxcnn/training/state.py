"""What a training run carries from step to step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class TrainState(NamedTuple):
    """Everything that a training step reads and replaces, as one pytree.

    Attributes:
      step: int32 scalar, the number of steps taken.
      params: the parameters, as the model's `init` returned them.
      model_state: what the model carries besides parameters; an empty dict where it carries nothing.
      opt_state: the state of the optax transformation.
    """

    step: jax.Array
    params: Any
    model_state: Any
    opt_state: optax.OptState


def init_train_state(params: Any, model_state: Any, optimizer: optax.GradientTransformation) -> TrainState:
    """Make the state before the first step.

    Every array in it is a copy of its own. A step gives the buffers of its state back to be written over (donation),
    and must not take the caller's arrays with them; nor may two leaves be one buffer, which some optimizers, whose
    state begins as the parameters, would otherwise cause.

    Args:
      params: the parameters, a pytree of floating arrays.
      model_state: the model's state, a pytree of arrays.
      optimizer: any optax transformation.

    Returns:
      A `TrainState` at step 0.

    Example:
      >>> import optax
      >>> state = init_train_state({"w": jnp.ones(3)}, {}, optax.sgd(0.1))
      >>> int(state.step), state.params["w"].shape
      (0, (3,))
    """
    return own(TrainState(jnp.zeros((), jnp.int32), params, model_state, optimizer.init(params)))


def own(state: TrainState) -> TrainState:
    """Return a copy of `state` that shares no buffer with it, nor two of its own leaves one."""
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), state)
