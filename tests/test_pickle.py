"""What users pickle and copy: networks, what training returns, what is reported, and the layers themselves."""

import copy
import inspect
import pickle
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import models, training
from jaxcnn.data import Dataset
from jaxcnn.training.optimizers import OPTIMIZERS

CONSTRUCTORS = {name: fn for name, fn in vars(models).items() if isinstance(fn, types.FunctionType)}
COPIES = {
    **{f"pickle {protocol}": lambda it, p=protocol: pickle.loads(pickle.dumps(it, p)) for protocol in (2, 5)},
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}
NAMESPACES = {"manual": jaxcnn.ops, "auto": jaxcnn.reference}


def same(a, b):
    leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(np.array_equal(x, y) for x, y in leaves)


def test_all_constructors_are_tried():
    assert sorted(CONSTRUCTORS) == ["lenet", "tutorial"]


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("ops", NAMESPACES)
@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_networks(name, ops, how):
    model = CONSTRUCTORS[name](NAMESPACES[ops], num_classes=3)
    again = COPIES[how](model)
    assert isinstance(again, models.Model)
    (params, state), others = (m.init(jax.random.key(1), (6, 5, 2)) for m in (model, again))
    assert same((params, state), others)
    x = jax.random.normal(jax.random.key(2), (2, 6, 5, 2))

    def logits_and_gradient(m):
        return jax.value_and_grad(lambda p: jnp.sum(m.apply(p, state, x, train=True)[0] ** 2))(params)

    assert same(logits_and_gradient(model), logits_and_gradient(again))
    assert again.apply.args == (NAMESPACES[ops],)  # the module itself, and not a copy of it
    assert same(COPIES[how](again.init)(jax.random.key(1), (6, 5, 2)), others)
    for a, b in zip(model, again, strict=True):
        assert inspect.signature(a) == inspect.signature(b)


def test_the_signatures_are_those_that_a_model_states():
    for make in CONSTRUCTORS.values():
        assert list(inspect.signature(make().init).parameters) == ["key", "input_shape", "dtype"]
        assert list(inspect.signature(make().apply).parameters) == ["params", "state", "x", "train", "key"]


def test_a_network_is_read_in_another_process(tmp_path):
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(models.tutorial(jaxcnn.reference)))
    read = f"import pickle, pathlib; m = pickle.loads(pathlib.Path({str(path)!r}).read_bytes()); print(m.apply.args[0])"
    done = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("<module 'jaxcnn.reference'")


def test_a_namespace_that_is_no_module_is_pickled_itself():
    ops = types.SimpleNamespace(
        **{name: getattr(jaxcnn.reference, name) for name in ("conv", "dense", "flatten", "relu")}
    )
    ops.max_pool = jaxcnn.ops.max_pool
    model = pickle.loads(pickle.dumps(models.tutorial(ops)))
    params, state = model.init(jax.random.key(0), (4, 4, 1))
    assert model.apply(params, state, jnp.ones((4, 4, 1)), train=False)[0].shape == (2,)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_states_of_training(name):
    model = models.tutorial(num_classes=2)
    optimizer = training.make_optimizer(name, 0.1)
    state = training.init_train_state(*model.init(jax.random.key(0), (4, 4, 1)), optimizer)
    images, labels = np.ones((6, 4, 4, 1), np.float32), np.zeros(6, np.int32)
    data = Dataset(images, labels, images, labels)
    loss = jaxcnn.softmax_cross_entropy_with_integer_labels
    step, evaluate = training.make_train_step(model, loss, optimizer), training.make_evaluate(model, loss)
    result = training.fit(step, evaluate, state, data, key=jax.random.key(1), epochs=1, batch_size=3)
    for copied in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result)):
        assert type(copied) is training.FitResult
        assert same(copied.state, result.state)
        assert (copied.epochs, copied.interrupted) == (result.epochs, False)
        resumed = training.fit(step, evaluate, copied.state, data, key=jax.random.key(2), epochs=1, batch_size=3)
        assert int(resumed.state.step) == 4
    assert same(pickle.loads(pickle.dumps(data)), data)


def test_reports():
    x, kernel = jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 2))
    reports = []
    jaxcnn.accelerate(lambda x, k: jax.lax.conv(x, k, (1, 1), "SAME"), report=reports.append)(x, jnp.ones((2, 4, 3, 1)))
    explained = jaxcnn.explain(jaxcnn.conv, x, kernel, platform="cpu")
    compared = jaxcnn.gradcheck.compare(jaxcnn.relu, jaxcnn.reference.relu, jnp.array([1.0, -2.0]))
    for report in (reports[0], explained, compared):
        for again in (pickle.loads(pickle.dumps(report)), copy.deepcopy(report)):
            assert type(again) is type(report)
            assert str(again) == str(report)
            assert again == report


def test_layers():
    for namespace in (jaxcnn, jaxcnn.ops, jaxcnn.reference):
        layers = [fn for name, fn in vars(namespace).items() if callable(fn) and name[0] != "_"]
        assert len(layers) > 50
        assert all(pickle.loads(pickle.dumps(fn)) is fn for fn in layers)
