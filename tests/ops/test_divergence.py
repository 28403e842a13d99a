import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcnn
from tests import checks
from tests.oracles import losses

kl = jaxcnn.kl_divergence


class TestDivergence(checks.OpChecks):
    ops = ("kl_divergence",)
    oracle = staticmethod(losses.oracle)


def test_values_are_those_of_optax():
    rng = np.random.default_rng(0)
    q, t = (jax.nn.log_softmax(jnp.asarray(rng.standard_normal((3, 4, 5)), jnp.float32)) for _ in range(2))
    t = jnp.exp(t)
    where = jnp.asarray(rng.random((3, 4, 5)) < 0.6)
    for axis in (-1, 1, (0, 2), None):
        for mask in (None, where):
            np.testing.assert_allclose(kl(q, t, axis, mask), optax.kl_divergence(q, t, axis, mask), rtol=1e-5)


def test_a_target_of_zero_takes_no_part():
    """optax gives nan here: 0 times infinity."""
    q, t = jnp.array([-jnp.inf, math.log(0.5), math.log(0.5)]), jnp.array([0.0, 0.0, 1.0])
    value, gradients = jax.value_and_grad(kl, (0, 1))(q, t)
    assert value == pytest.approx(math.log(2))
    np.testing.assert_array_equal(gradients[0], [0, 0, -1])
    np.testing.assert_allclose(gradients[1], [0, 0, 1 + math.log(2)], rtol=1e-6)
    hessian = jax.hessian(lambda q, t: kl(q, t) ** 2, (0, 1))(q, t)
    assert all(np.isfinite(block).all() for block in jax.tree.leaves(hessian))
    assert kl(q, jnp.array([0.5, 0.5, 0])) == jnp.inf


def test_examples_may_be_masked_and_residuals_are_the_operands():
    q, t = jnp.zeros((2, 3)), jnp.full((2, 3), 0.5)
    each = kl(q, t, where=jnp.array([True, False]))
    np.testing.assert_allclose(each, [1.5 * math.log(0.5), 0], rtol=1e-6)
    assert kl(q, t, where=jnp.array([True, False]), reduction="mean") == each[0]
    assert checks.residuals(kl, q, t) == ["float32[2, 3]"] * 2


def test_targets_may_be_logarithms():
    """That of a probability of 0, -inf, takes no part; its gradient is 0, the limit of exp(s) (s + 1 - q)."""
    q = jnp.array([-math.inf, math.log(0.5), math.log(0.5)])
    s = jnp.array([-math.inf, math.log(0.25), math.log(0.75)])
    value, gradients = jax.value_and_grad(lambda q, s: kl(q, s, log_target=True), (0, 1))(q, s)
    assert value == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))
    np.testing.assert_allclose(gradients[0], [0, -0.25, -0.75], rtol=1e-6)
    right = [0, 0.25 * (1 + math.log(0.5)), 0.75 * (1 + math.log(1.5))]
    np.testing.assert_allclose(gradients[1], right, rtol=1e-5)
    hessian = jax.hessian(lambda q, s: kl(q, s, log_target=True), (0, 1))(q, s)
    right = np.diag([0, 0.25 * (2 + math.log(0.5)), 0.75 * (2 + math.log(1.5))])
    np.testing.assert_allclose(hessian[1][1], right, rtol=1e-5)
    np.testing.assert_allclose(hessian[0][1], np.diag([0, -0.25, -0.75]), rtol=1e-6)
    rng = np.random.default_rng(0)
    q, s = (jax.nn.log_softmax(jnp.asarray(rng.standard_normal((3, 4)), jnp.float32)) for _ in range(2))
    theirs = optax.losses.kl_divergence_with_log_targets(q, s)
    np.testing.assert_allclose(kl(q, s, log_target=True), theirs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(kl(q, s, log_target=True), kl(q, jnp.exp(s)), rtol=1e-5, atol=1e-6)
    assert checks.residuals(lambda q, s: kl(q, s, log_target=True), q, s) == ["float32[3, 4]"] * 2
    with pytest.raises(TypeError, match=r"log_target \(=1\) must be a static bool"):
        kl(q, s, log_target=1)


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ((jnp.ones((2, 3)), jnp.ones((2, 2))), ValueError, r"targets shape \(=\(2, 2\)\) must broadcast to \(2, 3\)"),
        ((jnp.ones(3, int), jnp.ones(3)), TypeError, r"log_predictions dtype \(=int32\) must be a floating"),
        ((jnp.ones(3), jnp.ones(3), 1), ValueError, r"axis \(=1\) must name different axes"),
    ],
)
def test_errors_name_argument_value_and_requirement(args, error, message):
    with pytest.raises(error, match=message):
        kl(*args)
