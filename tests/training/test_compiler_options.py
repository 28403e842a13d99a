import jax
import numpy as np
import optax
import pytest

import jaxcnn
from jaxcnn.models import lenet
from jaxcnn.training import (
    compiler_options,
    init_train_state,
    make_evaluate,
    make_train_step,
    recommended_compiler_options,
)

LOSS = jaxcnn.softmax_cross_entropy_with_integer_labels
UNKNOWN = {"xla_no_such_option": "1"}


@pytest.fixture(autouse=True)
def probe_again():
    """Let nothing that a test changes outlast it; and compile as users do."""
    compiler_options._is_known.cache_clear()
    with jax.default_matmul_precision("default"):
        yield
    compiler_options._is_known.cache_clear()


def one_step(options):
    """Return the loss and the parameters after a step of LeNet, and its evaluation, on small images."""
    model, optimizer = lenet(), optax.sgd(0.1)
    images = np.random.default_rng(0).standard_normal((8, 8, 8, 1)).astype(np.float32)
    params, model_state = model.init(jax.random.key(0), images.shape[1:])
    step = make_train_step(model, LOSS, optimizer, compiler_options=options)
    state, metrics = step(init_train_state(params, model_state, optimizer), images, np.arange(8), jax.random.key(1))
    measured = make_evaluate(model, LOSS, compiler_options=options)(params, model_state, images, np.arange(8))
    return metrics["loss"], state.params, measured["loss"]


def test_they_change_no_result_beyond_rounding():
    for a, b in zip(*(jax.tree.leaves(one_step(o)) for o in (recommended_compiler_options(), None)), strict=True):
        assert np.max(np.abs(a - b)) <= 4e-6 * np.max(np.abs(b))


@pytest.mark.parametrize("backend", ["gpu", "tpu"])
def test_other_platforms_have_none(monkeypatch, backend):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert recommended_compiler_options() == {}


def test_there_are_none_where_xla_does_not_know_the_option(monkeypatch):
    monkeypatch.setattr(compiler_options, "_OPTION", "xla_no_such_option")
    assert recommended_compiler_options() == {}


def test_xla_is_asked_once_and_each_caller_gets_a_dict_of_its_own(monkeypatch):
    first = recommended_compiler_options()
    monkeypatch.setattr(jax, "jit", None)
    second = recommended_compiler_options()
    assert first == second
    assert first is not second


def test_they_can_be_asked_for_inside_a_jit():
    expected, seen = recommended_compiler_options(), []
    compiler_options._is_known.cache_clear()
    jax.jit(lambda x: seen.append(recommended_compiler_options()) or x)(1.0)
    assert seen == [expected]


def test_options_reach_the_jit_of_the_step_and_of_the_evaluation(linear, small_data):
    optimizer = optax.sgd(0.1)
    params, model_state = linear.init(jax.random.key(0), (4, 4, 1))
    state = init_train_state(params, model_state, optimizer)
    step = make_train_step(linear, LOSS, optimizer, compiler_options=UNKNOWN)
    with pytest.raises(RuntimeError, match="xla_no_such_option"):
        step(state, small_data.train_images, small_data.train_labels, jax.random.key(0))
    evaluate = make_evaluate(linear, LOSS, compiler_options=UNKNOWN)
    with pytest.raises(RuntimeError, match="xla_no_such_option"):
        evaluate(params, model_state, small_data.test_images, small_data.test_labels)


def test_a_step_with_options_still_takes_the_old_state(linear, small_data):
    optimizer = optax.sgd(0.1)
    old = init_train_state(*linear.init(jax.random.key(0), (4, 4, 1)), optimizer)
    step = make_train_step(linear, LOSS, optimizer, compiler_options=recommended_compiler_options())
    step(old, small_data.train_images, small_data.train_labels, jax.random.key(0))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(old.params))


def test_a_step_without_options_can_be_part_of_another_jit(linear, small_data):
    optimizer = optax.sgd(0.1)
    state = init_train_state(*linear.init(jax.random.key(0), (4, 4, 1)), optimizer)
    for options in (None, {}):
        step = make_train_step(linear, LOSS, optimizer, compiler_options=options)
        key = jax.random.key(0)
        _, metrics = jax.jit(step)(state, small_data.train_images, small_data.train_labels, key)
        assert np.isfinite(metrics["loss"])
