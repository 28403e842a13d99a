import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.models import Model
from jaxcnn.training import make_evaluate

LOSS = jaxcnn.softmax_cross_entropy_with_integer_labels


@pytest.mark.parametrize("batch_size", [1, 5, 12, 13, 100])
def test_every_example_counts_once_whatever_the_batch_size(linear, small_data, batch_size):
    with jax.enable_x64(True):
        params, state = linear.init(jax.random.key(0), (4, 4, 1), jnp.float64)
        images, labels = small_data.test_images.astype(np.float64), small_data.test_labels
        measured = make_evaluate(linear, LOSS, batch_size=batch_size)(params, state, images, labels)
        logits = images.reshape(13, -1) @ np.asarray(params["dense1"]["kernel"])
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        assert measured["correct"] == np.sum(logits.argmax(1) == labels)
        assert measured["accuracy"] == measured["correct"] / 13
        assert measured["loss"] == pytest.approx(-log_p[np.arange(13), labels].mean(), rel=1e-13)


def test_the_last_example_alone_in_its_batch_counts():
    identity = Model(lambda *_: ({}, {}), lambda params, state, x, *, train, key=None: (x, state))
    logits = np.array([[1, 0]] * 4 + [[0, 1]], np.float32)
    measured = make_evaluate(identity, LOSS, batch_size=4)({}, {}, logits, np.array([1, 1, 1, 1, 1]))
    assert (measured["correct"], measured["accuracy"]) == (1, 0.2)


def test_what_the_model_makes_of_the_filling_does_not_matter():
    def apply(params, state, x, *, train, key=None):
        assert not train
        return x / jnp.sum(x, axis=-1, keepdims=True), state  # nan for a blank row

    logits = np.array([[3, 1], [1, 3], [2, 2]], np.float32)
    measured = make_evaluate(Model(lambda *_: ({}, {}), apply), LOSS, batch_size=2)({}, {}, logits, np.array([0, 0, 0]))
    assert measured["correct"] == 2
    assert np.isfinite(measured["loss"])


def test_it_is_compiled_once_for_a_short_last_batch_too(linear, small_data):
    traces = []

    def apply(*args, **kwargs):
        traces.append(None)
        return linear.apply(*args, **kwargs)

    params, state = linear.init(jax.random.key(0), (4, 4, 1))
    evaluate = make_evaluate(Model(linear.init, apply), LOSS, batch_size=5)
    for _ in range(2):
        evaluate(params, state, small_data.test_images, small_data.test_labels)
    assert len(traces) == 1


def test_compute_dtype_reaches_the_model():
    seen = []

    def apply(params, state, x, *, train, key=None):
        seen.append((x.dtype.name, params["w"].dtype.name))
        return x * params["w"], state

    evaluate = make_evaluate(Model(lambda *_: None, apply), LOSS, compute_dtype=jnp.bfloat16)
    evaluate({"w": jnp.ones(2)}, {}, np.ones((3, 2), np.float32), np.zeros(3, np.int32))
    assert seen == [("bfloat16", "bfloat16")]


def test_wrong_arguments_are_errors(linear):
    with pytest.raises(ValueError, match=r"batch_size \(=0\) must be at least 1"):
        make_evaluate(linear, LOSS, batch_size=0)
    with pytest.raises(TypeError, match=r"compute_dtype \(=int8\)"):
        make_evaluate(linear, LOSS, compute_dtype=jnp.int8)
    evaluate = make_evaluate(linear, LOSS)
    with pytest.raises(ValueError, match=r"images \(=2\) and labels \(=3\) must be equally many"):
        evaluate({}, {}, np.zeros((2, 4, 4, 1)), np.zeros(3))
    with pytest.raises(ValueError, match=r"images \(=0\).*at least one"):
        evaluate({}, {}, np.zeros((0, 4, 4, 1)), np.zeros(0))


def test_a_loss_that_was_reduced_is_an_error(linear, small_data):
    params, state = linear.init(jax.random.key(0), (4, 4, 1))
    evaluate = make_evaluate(linear, lambda logits, labels: LOSS(logits, labels).mean())
    with pytest.raises(ValueError, match=r"loss\(logits, labels\) shape \(=\(\)\) must be \(13,\): one value an ex"):
        evaluate(params, state, small_data.test_images, small_data.test_labels)
