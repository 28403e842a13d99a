"""Chains run layer by layer: against numbers worked out by hand, against models as a whole, and their errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn.ops
import jaxcnn.reference
from jaxcnn.gradcheck.layerwise import Layer, by_autodiff, by_rules, forward, largest_difference
from jaxcnn.gradcheck.tutorial_step import LOSSES, Given, head, network, over_softmax
from jaxcnn.models import tutorial

SIDES = {"rules": (by_rules, jaxcnn.ops), "autodiff": (by_autodiff, jaxcnn.reference)}


def small_chain(ops):
    """x [1, 2] -> dense (kernel and bias) -> relu -> scale (a bare array) -> sum of squares."""
    return [
        Layer("dense", lambda params, x: ops.dense(x, params["kernel"], params["bias"])),
        Layer("relu", lambda _, x: ops.relu(x)),
        Layer("scale", lambda factor, x: factor * x),
        Layer("loss", lambda _, x: ops.squared_error(x).sum()),
    ]


SMALL_PARAMS = {
    "scale": jnp.array([[3.0, 3.0]]),
    "dense": {"kernel": jnp.array([[1.0, -1.0], [2.0, 1.0]]), "bias": jnp.array([0.5, -1.0])},
}


@pytest.mark.parametrize("side", SIDES)
def test_a_chain_worked_out_by_hand(side):
    by, ops = SIDES[side]
    trace = by(small_chain(ops), SMALL_PARAMS, jnp.array([[1.0, 1.0]]))
    expected_values = {
        "dense": [[3.5, -1.0]],  # 1 + 2 + 0.5, -1 + 1 - 1
        "relu": [[3.5, 0.0]],
        "scale": [[10.5, 0.0]],
        "loss": 110.25,  # 10.5^2
    }
    expected_errors = {
        "dense": [[63.0, 0.0]],  # the second is cut off by relu
        "relu": [[63.0, 0.0]],  # 3 * 21
        "scale": [[21.0, 0.0]],  # 2 * 10.5
        "loss": 1.0,
    }
    assert list(trace.values) == list(trace.errors) == ["dense", "relu", "scale", "loss"]
    for name in trace.values:
        np.testing.assert_array_equal(trace.values[name], expected_values[name])
        np.testing.assert_array_equal(trace.errors[name], expected_errors[name])
    assert list(trace.grads) == ["dense", "scale"]
    np.testing.assert_array_equal(trace.grads["dense"]["kernel"], [[63.0, 0.0], [63.0, 0.0]])  # x_i * error_j
    np.testing.assert_array_equal(trace.grads["dense"]["bias"], [63.0, 0.0])
    np.testing.assert_array_equal(trace.grads["scale"], [[73.5, 0.0]])  # 3.5 * 21
    np.testing.assert_array_equal(trace.dx, [[63.0, 126.0]])  # 63 * 1, 63 * 2


def test_the_rules_are_stepped_without_jax_grad(monkeypatch):
    def forbidden(*args, **options):
        raise AssertionError("jax.grad was called")

    monkeypatch.setattr(jax, "grad", forbidden)
    assert by_rules(small_chain(jaxcnn.ops), SMALL_PARAMS, jnp.ones((1, 2))).values["loss"] == 110.25


def test_each_step_is_the_rule_of_its_layer():
    @jax.custom_vjp
    def odd(x):
        return x

    odd.defvjp(lambda x: (x, None), lambda _, g: (g + 10.0,))
    layers = [Layer("first", lambda _, x: odd(x)), Layer("second", lambda _, x: odd(x)), Layer("loss", lambda _, x: x)]
    trace = by_rules(layers, {}, jnp.array(0.0))
    assert {name: float(error) for name, error in trace.errors.items()} == {"first": 11, "second": 1, "loss": 1}
    assert trace.dx == 21


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_of_the_tutorial_network_as_a_whole_is_that_of_the_chain(loss):
    with jax.enable_x64(True):
        params, state = tutorial().init(jax.random.key(0), (4, 4, 1), jnp.float64)
        x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4, 4, 1)))
        onehot = jnp.asarray(np.eye(2)[np.arange(8) % 2])
        traces = {}
        for side, (by, ops) in SIDES.items():
            to_loss = head(ops, loss, onehot)
            layers = (*network(ops), *to_loss)

            def whole(params, x, ops=ops, to_loss=to_loss):
                return forward(to_loss, {}, tutorial(ops).apply(params, state, x, train=True)[0])

            @jax.jit
            def both(params, x, by=by, layers=layers, whole=whole):
                return by(layers, params, x), jax.value_and_grad(whole, argnums=(0, 1))(params, x)

            trace, (value, grads) = both(params, x)
            chain = (trace.values["loss"], (trace.grads, trace.dx))
            assert largest_difference(chain, (value, grads)).relative <= 1e-13
            assert trace.dx.dtype == jnp.float64
            traces[side] = trace
        assert largest_difference(traces["rules"], traces["autodiff"]).relative <= 1e-13


@pytest.mark.parametrize("side", SIDES)
def test_both_ways_back_from_the_cross_entropy_meet_at_the_logits(side):
    by, ops = SIDES[side]
    onehot, logits = np.array([1, 0], np.float32), jnp.array([[-0.5, 1.0]])
    given = Given(np.zeros((4, 4), np.float32), {}, onehot, learning_rate=0.1)
    long_way = over_softmax(by, ops, given, logits)
    one_step = by(head(ops, "cross_entropy", jnp.asarray(onehot)[None]), {}, logits)
    # p 0 = 1 / (1 + exp(1.5)) = 1 / 5.4816891
    np.testing.assert_allclose(long_way.errors["softmax"], [[-5.4816891, 0]], rtol=1e-6)
    np.testing.assert_allclose(long_way.dx, [[-0.8175745, 0.8175745]], rtol=1e-6)
    np.testing.assert_allclose(one_step.dx, [[-0.8175745, 0.8175745]], rtol=1e-6)


def test_a_chain_without_layers_is_the_identity():
    assert forward([], {}, jnp.array(2.0)) == 2.0


def test_the_largest_difference_is_found_and_measured_by_the_largest_number():
    ours = {"a": jnp.array([1.0, 2.0]), "b": [jnp.array(4.0)]}
    theirs = {"a": jnp.array([1.0, 2.5]), "b": [jnp.array(5.0)]}
    assert largest_difference(ours, theirs) == (1.0, 0.2, "['b'][0]")
    assert largest_difference(theirs, theirs)[:2] == (0.0, 0.0)


@pytest.mark.parametrize(
    ("a", "b", "relative"),
    [
        ([np.nan, np.inf], [np.nan, np.inf], 0.0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([np.inf, 1.0], [-np.inf, 1.0], np.inf),
        ([0.0], [0.0], 0.0),
        ([1e-30], [0.0], np.inf),
        ([], [], 0.0),
    ],
)
def test_the_largest_difference_where_numbers_are_special(a, b, relative):
    assert largest_difference(np.array(a), np.array(b)).relative == relative


def passes(name):
    return Layer(name, lambda _, x: x)


@pytest.mark.parametrize("by", [by_rules, by_autodiff])
@pytest.mark.parametrize(
    ("layers", "params", "message"),
    [
        ([], {}, r"layers \(named \[\]\) must be one or more, under different names"),
        ([passes("a"), passes("a")], {}, r"layers \(named \['a', 'a'\]\) must be .* under different names"),
        ([passes("a")], {"b": 1.0}, r"params \(for \['b'\]\) must belong to the layers \(named \['a'\]\)"),
        ([passes("a")], {}, r"the last layer \(='a'\) must give one number, not shape \(2,\)"),
    ],
)
def test_what_is_no_chain_is_refused(by, layers, params, message):
    with pytest.raises(ValueError, match=message):
        by(layers, params, jnp.zeros(2))


@pytest.mark.parametrize(
    ("ours", "theirs", "message"),
    [
        ({"a": 1.0}, {"b": 1.0}, r"ours \(PyTreeDef\({'a': \*}\)\) must hold arrays in the structure of theirs"),
        ({}, {}, "must hold arrays"),
        ({"a": jnp.zeros(2)}, {"a": jnp.zeros((2, 1))}, r"ours\['a'\] shape \(=\(2,\)\) must equal that of theirs"),
    ],
)
def test_trees_that_cannot_be_compared_are_refused(ours, theirs, message):
    with pytest.raises(ValueError, match=message):
        largest_difference(ours, theirs)
