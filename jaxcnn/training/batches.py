"""Images scaled for a network, and the order in which training goes through them."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.data import Dataset


def scale_images(data: Dataset, dtype: Any = np.float32) -> Dataset:
    """Turn the bytes of a data set's images into numbers from 0 to 1.

    Args:
      data: a data set with uint8 images, as `jaxcnn.data.load` returns it.
      dtype: a floating dtype of NumPy.

    Returns:
      The data set with `images / 255` in `dtype`, and the same labels.

    Raises:
      TypeError: the images are not uint8, so that they may have been scaled before; or dtype is not a floating dtype.

    Example:
      >>> from jaxcnn.data import load
      >>> images = scale_images(load("mnist-10k")).test_images
      >>> images.dtype.name, float(images.min()), float(images.max())
      ('float32', 0.0, 1.0)
    """
    if not jnp.issubdtype(jnp.dtype(dtype), jnp.floating):
        raise TypeError(f"dtype (={jnp.dtype(dtype)}) must be a floating dtype")
    for name in ("train_images", "test_images"):
        if getattr(data, name).dtype != np.uint8:
            raise TypeError(f"{name} dtype (={getattr(data, name).dtype}) must be uint8")
    one = np.asarray(255, dtype)
    return data._replace(train_images=data.train_images / one, test_images=data.test_images / one)


def shuffled_batches(
    images: np.ndarray, labels: np.ndarray, batch_size: int, key: jax.Array
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Go through a data set once, in random order.

    Every example comes exactly once. Where `batch_size` does not divide their number, the last batch has the ones that
    are left over; none is dropped or repeated.

    Args:
      images: `[N, ...]`.
      labels: `[N]`.
      batch_size: how many examples a batch has, at least 1.
      key: a PRNG key; the same one gives the same order.

    Returns:
      An iterator over `images` and `labels` of one batch after the other.

    Raises:
      ValueError: batch_size is less than 1, or there are not as many labels as images.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size (={batch_size}) must be at least 1")
    if len(images) != len(labels):
        raise ValueError(f"images (={len(images)}) and labels (={len(labels)}) must be equally many")
    order = np.asarray(jax.random.permutation(key, len(images)))
    batches = (order[first : first + batch_size] for first in range(0, len(images), batch_size))
    return ((images[chosen], labels[chosen]) for chosen in batches)


def count_steps(examples: int, batch_size: int, epochs: int, max_steps: int | None = None) -> int:
    """Return how many steps a run takes, which is what schedules are laid out over.

    Args:
      examples: the number of training examples.
      batch_size: how many a step takes; the last step of an epoch takes what is left over.
      epochs: how many times the run goes through the examples.
      max_steps: where the run ends at the latest; None means that it has no such limit.

    Raises:
      ValueError: an argument is less than 1.

    Example:
      >>> count_steps(10_000, 128, 4)
      316
    """
    limits = {"examples": examples, "batch_size": batch_size, "epochs": epochs, "max_steps": max_steps}
    for name, value in limits.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} (={value}) must be at least 1")
    steps = epochs * -(-examples // batch_size)
    return steps if max_steps is None else min(steps, max_steps)
