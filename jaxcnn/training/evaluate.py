"""Accuracy and loss over a whole data set, every example of it counted exactly once."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.models import Model
from jaxcnn.training.step import Loss, apply_in, check_compute_dtype, losses_of

Evaluate = Callable[[Any, Any, np.ndarray, np.ndarray], dict[str, float]]


def make_evaluate(
    model: Model,
    loss: Loss,
    *,
    batch_size: int = 250,
    compute_dtype: Any = None,
    compiler_options: Mapping[str, Any] | None = None,
) -> Evaluate:
    """Make the function that measures a model on a data set.

    Math:
      accuracy = (number of n with argmax_c logits_nc = labels_n) / N; loss = (1 / N) sum_n loss(logits_n, labels_n).
      A last batch that is short is filled up with blank images, which are masked out of both sums.

    Args:
      model: a `Model`, called with `train=False`.
      loss: `loss(logits, labels)`, one value an example.
      batch_size: how many images are computed at once; the result does not depend on it, but for rounding.
      compute_dtype: as for `make_train_step`.
      compiler_options: as for `make_train_step`.

    Returns:
      `evaluate(params, model_state, images, labels) -> {"loss": float, "accuracy": float, "correct": int}`, with
      `images` `[N, H, W, C]`, floating, and `labels` int `[N]`, both NumPy arrays. It donates nothing. Of logits that
      are equal the first counts as the largest. It raises ValueError where images and labels are not as many, or there
      are none, and where the loss returns something else than one value an example.

    Raises:
      ValueError: batch_size is less than 1.
      TypeError: compute_dtype is not a floating dtype.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size (={batch_size}) must be at least 1")
    check_compute_dtype(compute_dtype)

    @functools.partial(jax.jit, compiler_options=dict(compiler_options or {}))
    def sums(params: Any, model_state: Any, images: Any, labels: Any, counts: Any) -> tuple[jax.Array, jax.Array]:
        logits, _ = apply_in(compute_dtype, model, params, model_state, images, train=False)
        losses = losses_of(loss, logits, labels)
        right = counts & (jnp.argmax(logits, axis=-1) == labels)
        return jnp.sum(jnp.where(counts, losses, jnp.zeros_like(losses))), jnp.sum(right)

    def evaluate(params: Any, model_state: Any, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        examples = len(images)
        if examples != len(labels) or examples == 0:
            raise ValueError(f"images (={examples}) and labels (={len(labels)}) must be equally many, and at least one")
        size = min(batch_size, examples)
        parts = []
        for first in range(0, examples, size):
            batch = [_fill(array[first : first + size], size) for array in (images, labels)]
            parts.append(sums(params, model_state, *batch, np.arange(first, first + size) < examples))
        losses, rights = zip(*jax.device_get(parts), strict=True)
        correct = sum(map(int, rights))
        return {"loss": sum(map(float, losses)) / examples, "accuracy": correct / examples, "correct": correct}

    return evaluate


def _fill(batch: np.ndarray, size: int) -> np.ndarray:
    """Return `batch` with zeros after its examples, up to `size` of them."""
    missing = size - len(batch)
    return np.pad(batch, [(0, missing), *[(0, 0)] * (batch.ndim - 1)]) if missing else batch
