"""A linear model that NumPy can follow, and data for it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.data import Dataset
from jaxcnn.models import Model


@pytest.fixture
def linear():
    """Logits x w + b of flattened images, three classes; the state counts the calls in training."""

    def init(key, input_shape, dtype=jnp.float32):
        kernel = jax.random.normal(key, (int(np.prod(input_shape)), 3), dtype)
        return {"dense1": {"kernel": kernel, "bias": jnp.zeros(3, dtype)}}, {"calls": jnp.zeros((), jnp.int32)}

    def apply(params, state, x, *, train, key=None):
        logits = jaxcnn.dense(jaxcnn.flatten(x), **params["dense1"])
        return logits, {"calls": state["calls"] + 1} if train else state

    return Model(init, apply)


@pytest.fixture
def small_data():
    """22 training and 13 test images of 4x4, three classes."""
    rng = np.random.default_rng(0)
    return Dataset(
        rng.random((22, 4, 4, 1), np.float32),
        rng.integers(0, 3, 22, np.int32),
        rng.random((13, 4, 4, 1), np.float32),
        rng.integers(0, 3, 13, np.int32),
    )
