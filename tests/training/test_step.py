import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcnn
from jaxcnn.models import Model, lenet
from jaxcnn.training import init_train_state, make_train_step

LOSS = jaxcnn.softmax_cross_entropy_with_integer_labels
LEARNING_RATE = 0.1


def numpy_sgd_step(kernel, bias, images, labels):
    """One step of SGD on the mean cross entropy of a linear model: the loss before it, and the new parameters."""
    x = images.reshape(len(images), -1)
    logits = x @ kernel + bias
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(p[rows, labels]).mean()
    p[rows, labels] -= 1
    return loss, kernel - LEARNING_RATE * x.T @ p / len(x), bias - LEARNING_RATE * p.mean(0)


def test_steps_are_those_of_plain_numpy(linear, small_data):
    with jax.enable_x64(True):
        optimizer = optax.sgd(LEARNING_RATE)
        params, model_state = linear.init(jax.random.key(0), (4, 4, 1), jnp.float64)
        state = init_train_state(params, model_state, optimizer)
        step = make_train_step(linear, LOSS, optimizer)
        images, labels = small_data.train_images.astype(np.float64), small_data.train_labels
        kernel, bias = (np.asarray(params["dense1"][name]) for name in ("kernel", "bias"))
        for batch in (slice(0, 8), slice(8, 16), slice(16, 22)):
            loss, kernel, bias = numpy_sgd_step(kernel, bias, images[batch], labels[batch])
            state, metrics = step(state, images[batch], labels[batch], jax.random.key(1))
            assert float(metrics["loss"]) == pytest.approx(loss, rel=1e-13)
        np.testing.assert_allclose(state.params["dense1"]["kernel"], kernel, rtol=0, atol=1e-14)
        np.testing.assert_allclose(state.params["dense1"]["bias"], bias, rtol=0, atol=1e-14)
        assert int(state.step) == int(state.model_state["calls"]) == 3


def test_donation_takes_the_old_state_and_nothing_of_the_callers(linear, small_data):
    optimizer = optax.adam(1e-3)
    params, model_state = linear.init(jax.random.key(0), (4, 4, 1))
    images, labels, key = jnp.asarray(small_data.train_images), jnp.asarray(small_data.train_labels), jax.random.key(1)
    old = init_train_state(params, model_state, optimizer)
    new, _ = make_train_step(linear, LOSS, optimizer)(old, images, labels, key)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(old.params))
    kept = jax.tree.leaves((params, model_state, images, labels, key, new))
    assert not any(leaf.is_deleted() for leaf in kept)


def test_the_key_of_a_model_changes_with_every_step():
    seen = []

    def apply(params, state, x, *, train, key=None):
        jax.debug.callback(lambda data: seen.append(tuple(data.tolist())), jax.random.key_data(key))
        return x * params["scale"], state

    optimizer = optax.sgd(LEARNING_RATE)
    step = make_train_step(Model(lambda *_: None, apply), LOSS, optimizer)
    state = init_train_state({"scale": jnp.ones(3)}, {}, optimizer)
    for _ in range(3):
        state, _ = step(state, np.ones((2, 3), np.float32), np.array([0, 1]), jax.random.key(7))
    jax.effects_barrier()
    assert len(set(seen)) == 3


def test_bfloat16_computes_in_it_and_keeps_float32_parameters():
    inner, labelled = [], []
    model = lenet()

    def apply(params, state, x, *, train, key=None):
        inner.append({leaf.dtype.name for leaf in jax.tree.leaves((params, x))})
        return model.apply(params, state, x, train=train, key=key)

    def loss(logits, labels):
        labelled.append(logits.dtype.name)
        return LOSS(logits, labels)

    optimizer = optax.adamw(1e-3)
    params, model_state = model.init(jax.random.key(0), (8, 8, 1))
    step = make_train_step(Model(model.init, apply), loss, optimizer, compute_dtype=jnp.bfloat16)
    state = init_train_state(params, model_state, optimizer)
    state, metrics = step(state, np.ones((4, 8, 8, 1), np.float32), np.arange(4), jax.random.key(0))
    assert (inner, labelled) == ([{"bfloat16"}], ["float32"])
    assert {leaf.dtype.name for leaf in jax.tree.leaves(state.params)} == {"float32"}
    assert metrics["loss"].dtype == "float32"
    changed = jax.tree.map(lambda a, b: bool((a != b).any()), params, state.params)
    assert jax.tree.all(changed)


def test_bytes_are_refused_in_bfloat16_too():
    model, optimizer = lenet(), optax.sgd(0.1)
    step = make_train_step(model, LOSS, optimizer, compute_dtype=jnp.bfloat16)
    state = init_train_state(*model.init(jax.random.key(0), (8, 8, 1)), optimizer)
    with pytest.raises(TypeError, match=r"x dtype \(=uint8\) must be a floating dtype"):
        step(state, np.ones((4, 8, 8, 1), np.uint8), np.arange(4), jax.random.key(0))


def test_a_compute_dtype_that_is_not_floating_is_an_error(linear):
    with pytest.raises(TypeError, match=r"compute_dtype \(=int32\) must be None or a floating dtype"):
        make_train_step(linear, LOSS, optax.sgd(0.1), compute_dtype=jnp.int32)


def test_a_loss_that_was_reduced_is_an_error(linear, small_data):
    optimizer = optax.sgd(0.1)
    step = make_train_step(linear, lambda logits, labels: LOSS(logits, labels).mean(), optimizer)
    state = init_train_state(*linear.init(jax.random.key(0), (4, 4, 1)), optimizer)
    with pytest.raises(ValueError, match=r"loss\(logits, labels\) shape \(=\(\)\) must be \(22,\): one value an ex"):
        step(state, small_data.train_images, small_data.train_labels, jax.random.key(0))
