"""One step of training: forward, loss, backward, update, as one compiled function."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxcnn.models import Model
from jaxcnn.training.state import TrainState

Loss = Callable[[jax.Array, jax.Array], jax.Array]
TrainStep = Callable[[TrainState, Any, Any, jax.Array], tuple[TrainState, dict[str, jax.Array]]]


def make_train_step(
    model: Model,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    *,
    compute_dtype: Any = None,
    compiler_options: Mapping[str, Any] | None = None,
) -> TrainStep:
    """Make the function that takes one step of training.

    `fit` calls it for whole epochs.

    Math:
      L = (1 / N) sum_n loss(logits_n, labels_n); updates = optimizer(dL/dparams); params <- params + updates. With
      plain SGD that is params - learning_rate dL/dparams.

    Args:
      model: a `Model`. Whether its gradients are the hand-derived ones was said when it was made.
      loss: `loss(logits, labels)`, one value an example, as the losses of `jaxcnn` and optax return.
      optimizer: any optax transformation.
      compute_dtype: the dtype of the forward and backward pass, such as `jnp.bfloat16`; None means that of the
        parameters. Parameters and images are cast on entry and the logits back before the loss, so that the loss, the
        gradients that the optimizer sees, and the parameters stay in the dtype of the parameters.
      compiler_options: those of the step's `jax.jit`, such as `recommended_compiler_options` returns. A step that has
        some cannot be called inside another `jax.jit`, and one that XLA does not know is an error of the first call.

    Returns:
      `step(state, images, labels, key) -> (state, metrics)`, jitted. `images` is `[N, H, W, C]`, floating; `labels`
      whatever the loss takes, such as int `[N]`; `key` is one PRNG key for the whole run, into which the number of the
      step is folded. `metrics["loss"]` is L, before the update. The state that is passed in is donated: its arrays
      cannot be used afterwards. `init_train_state` makes one that is nobody else's. Each new batch size is compiled
      once. It raises ValueError where the loss returns something else than one value an example.

    Raises:
      TypeError: compute_dtype is not a floating dtype.
    """
    check_compute_dtype(compute_dtype)

    def step(state: TrainState, images: Any, labels: Any, key: jax.Array) -> tuple[TrainState, dict[str, jax.Array]]:
        def mean_loss(params: Any) -> tuple[jax.Array, Any]:
            step_key = jax.random.fold_in(key, state.step)
            logits, model_state = apply_in(
                compute_dtype, model, params, state.model_state, images, train=True, key=step_key
            )
            return jnp.mean(losses_of(loss, logits, labels)), model_state

        (value, model_state), grads = jax.value_and_grad(mean_loss, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, model_state, opt_state), {"loss": value}

    return jax.jit(step, donate_argnums=0, compiler_options=dict(compiler_options or {}))


def apply_in(
    compute_dtype: Any,
    model: Model,
    params: Any,
    model_state: Any,
    images: Any,
    *,
    train: bool,
    key: jax.Array | None = None,
) -> tuple[jax.Array, Any]:
    """Apply a model in `compute_dtype`, and return its logits in the dtype of the parameters, and its state.

    Args:
      compute_dtype: a floating dtype, or None, which changes nothing.
      model: the model.
      params: its parameters.
      model_state: its state, which is never cast.
      images: `[N, H, W, C]`, floating.
      train: passed to the model.
      key: passed to the model.
    """
    if compute_dtype is None:
        return model.apply(params, model_state, images, train=train, key=key)
    params_dtype = jnp.result_type(*jax.tree.leaves(params))
    params, images = jax.tree.map(
        lambda leaf: leaf.astype(compute_dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, (params, images)
    )
    logits, model_state = model.apply(params, model_state, images, train=train, key=key)
    return logits.astype(params_dtype), model_state


def losses_of(loss: Loss, logits: jax.Array, labels: Any) -> jax.Array:
    """Return the loss of each example.

    Args:
      loss: `loss(logits, labels)`.
      logits: `[N, C]`.
      labels: whatever the loss takes.

    Raises:
      ValueError: the loss returns something else than one value an example.
    """
    losses = loss(logits, labels)
    if losses.shape != logits.shape[:-1]:
        raise ValueError(
            f"loss(logits, labels) shape (={losses.shape}) must be {logits.shape[:-1]}: one value an example"
        )
    return losses


def check_compute_dtype(compute_dtype: Any) -> None:
    """Check a `compute_dtype`.

    Raises:
      TypeError: it is neither None nor a floating dtype.
    """
    if compute_dtype is not None and not jnp.issubdtype(jnp.dtype(compute_dtype), jnp.floating):
        raise TypeError(f"compute_dtype (={jnp.dtype(compute_dtype)}) must be None or a floating dtype")
