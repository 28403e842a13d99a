import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn.ops
import jaxcnn.reference
from jaxcnn.models import tutorial

BOTH = pytest.mark.parametrize("ops", [jaxcnn.ops, jaxcnn.reference], ids=["manual", "auto"])


def by_hand(dtype):
    """A 4x4 image and parameters of which every number of the forward pass can be worked out on paper."""
    image = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]], dtype).reshape(1, 4, 4, 1)
    kernel = np.stack([[[1, -1], [1, -1]], [[0, 1], [2, 0]]], axis=-1).astype(dtype).reshape(2, 2, 1, 2)
    return image, {
        "conv1": {"kernel": kernel, "bias": np.array([0, -1], dtype)},
        "dense1": {"kernel": np.array([[1, 2], [3, -1]], dtype), "bias": np.array([0.5, 0], dtype)},
    }


@BOTH
def test_logits_are_those_worked_out_by_hand(ops):
    # Top left of the two 3x3 maps: the first kernel gives 1, 1 over 0, 1 with a maximum of 1 after the ReLU; the
    # second, less its bias of 1, gives 1, 1 over 0, -1 with a maximum of 1. The logits are [1 + 3 + 0.5, 2 - 1].
    image, params = by_hand("float32")
    logits, state = tutorial(ops).apply(params, {}, image, train=False)
    np.testing.assert_array_equal(logits, [[4.5, 1.0]])
    assert state == {}


@BOTH
def test_only_the_winners_of_the_pool_have_a_gradient(ops):
    # In each map the first maximum is the top left element, so d logits_0 / d kernel is the top left patch of the
    # image times the weight of the map, and the bias of each map gets the weight itself.
    image, params = by_hand("float32")
    grads = jax.grad(lambda params: tutorial(ops).apply(params, {}, image, train=True)[0][0, 0])(params)
    np.testing.assert_array_equal(grads["conv1"]["kernel"][..., 0, 0], [[1, 0], [1, 1]])
    np.testing.assert_array_equal(grads["conv1"]["kernel"][..., 0, 1], [[3, 0], [3, 3]])
    np.testing.assert_array_equal(grads["conv1"]["bias"], [1, 3])
    np.testing.assert_array_equal(grads["dense1"]["kernel"], [[1, 0], [1, 0]])
    np.testing.assert_array_equal(grads["dense1"]["bias"], [1, 0])


@pytest.mark.parametrize(("size", "features"), [((4, 4, 1), 2), ((3, 3, 1), 2), ((28, 28, 1), 338), ((7, 4, 3), 6)])
def test_init_gives_the_documented_shapes(size, features):
    params, state = tutorial().init(jax.random.key(0), size)
    assert params["conv1"]["kernel"].shape == (2, 2, size[-1], 2)
    assert params["dense1"]["kernel"].shape == (features, 2)
    assert state == {}
    logits, _ = tutorial().apply(params, state, jnp.ones((5, *size)), train=False)
    assert logits.shape == (5, 2)


def test_num_classes_sets_the_number_of_logits():
    params, _ = tutorial(num_classes=10).init(jax.random.key(0), (28, 28, 1))
    assert params["dense1"]["bias"].shape == (10,)


def test_float64_parameters_give_float64_logits():
    with jax.enable_x64(True):
        image, params = by_hand("float64")
        assert tutorial().apply(params, {}, image.astype("float32"), train=False)[0].dtype == "float64"


@pytest.mark.parametrize("input_shape", [(4, 4), (2, 4, 1), (4, 2, 1)])
def test_an_input_shape_that_does_not_fit_is_an_error(input_shape):
    with pytest.raises(ValueError, match=r"input_shape \(=.*must be the \[H, W, C\].*at least 3"):
        tutorial().init(jax.random.key(0), input_shape)
