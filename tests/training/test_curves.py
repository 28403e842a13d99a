"""Training with the hand-derived rules and with jax.grad gives the same losses, step by step."""

import json

import jax
import numpy as np
import pytest

import jaxcnn.ops
import jaxcnn.reference
from jaxcnn.data import load
from jaxcnn.models import lenet
from jaxcnn.training import (
    MetricsFile,
    fit,
    init_train_state,
    make_evaluate,
    make_optimizer,
    make_schedule,
    make_train_step,
    scale_images,
)


def losses(ops, dtype, batch_size, steps, path):
    """The losses of the first steps of the main job: LeNet on the embedded subset, adamw with one cycle."""
    data = scale_images(load("mnist-10k"), dtype)
    data = data._replace(test_images=data.test_images[:10], test_labels=data.test_labels[:10])
    model, loss = lenet(ops), ops.softmax_cross_entropy_with_integer_labels
    optimizer = make_optimizer("adamw", make_schedule("onecycle", 3e-3, 316))
    params, model_state = model.init(jax.random.key(0), (28, 28, 1), dtype)
    with MetricsFile(path) as metrics:
        fit(
            make_train_step(model, loss, optimizer),
            make_evaluate(model, loss),
            init_train_state(params, model_state, optimizer),
            data,
            key=jax.random.key(1),
            epochs=1,
            batch_size=batch_size,
            max_steps=steps,
            metrics=metrics,
        )
    records = [json.loads(line) for line in path.read_text().splitlines()]
    curve = np.array([record["loss"] for record in records if record["kind"] == "step"])
    assert curve.shape == (steps,)
    return curve


def differences(dtype, batch_size, steps, folder):
    with jax.enable_x64(dtype == "float64"):
        manual = losses(jaxcnn.ops, dtype, batch_size, steps, folder / "manual.jsonl")
        auto = losses(jaxcnn.reference, dtype, batch_size, steps, folder / "auto.jsonl")
    assert auto[-1] < 0.9 * auto[0]  # it learns, so that the curves have something to show
    return np.abs(manual - auto) / np.abs(auto)


def test_10_steps_in_float32(tmp_path):
    assert np.max(differences("float32", 128, 10, tmp_path)) <= 2e-6


def test_50_small_steps_in_float64(tmp_path):
    found = differences("float64", 24, 50, tmp_path)
    assert np.max(found[:10]) <= 1e-13
    assert np.max(found) <= 1e-10


@pytest.mark.full
def test_50_steps_in_float64(tmp_path):
    found = differences("float64", 128, 50, tmp_path)
    assert np.max(found[:10]) <= 1e-13
    assert np.max(found) <= 1e-10
