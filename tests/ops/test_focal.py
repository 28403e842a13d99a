import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcnn
from tests import checks
from tests.oracles import losses

focal = jaxcnn.sigmoid_focal_loss


class TestFocalLoss(checks.OpChecks):
    ops = ("sigmoid_focal_loss",)
    oracle = staticmethod(losses.oracle)


def test_values_are_those_of_optax_and_gamma_0_is_the_cross_entropy():
    rng = np.random.default_rng(0)
    z = jnp.asarray(3 * rng.standard_normal((3, 4)), jnp.float32)
    y = jnp.asarray(rng.random((3, 4)), jnp.float32)
    for alpha, gamma in ((None, 2.0), (0.25, 0.5), (0.75, 3)):
        theirs = optax.sigmoid_focal_loss(z, y, alpha=alpha, gamma=gamma)
        np.testing.assert_allclose(focal(z, y, alpha, gamma), theirs, rtol=2e-5)
    plain, pull = jax.vjp(jaxcnn.sigmoid_binary_cross_entropy, z, y)
    mine, pull_mine = jax.vjp(lambda z, y: focal(z, y, gamma=0), z, y)
    np.testing.assert_allclose(mine, plain, rtol=1e-6)
    for a, b in zip(pull_mine(mine), pull(mine), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_extreme_logits(alpha, gamma):
    """Beyond +-88 exp(-|z|) is 0 in float32; what is wrong costs |z|, and what is right costs nothing."""
    z = jnp.array([INF, -INF, INF, -INF, 1e4, -1e4, 3e38, INF, 0.0, NAN])
    y = jnp.array([1.0, 0, 0, 1, 1, 1, 0, 0.5, 1, 1])
    no, yes = (1.0, 1.0) if alpha is None else (1 - alpha, alpha)
    value, gradient = jax.vmap(jax.value_and_grad(lambda z, y: focal(z, y, alpha, gamma)))(z, y)
    weight = 0.5 ** (gamma + 1) * (yes + no if alpha is not None else 2)
    middle = yes * 0.5**gamma * math.log(2)
    right = [0, 0, INF, INF, 0, yes * 1e4, no * 3e38, INF, middle, NAN]
    np.testing.assert_allclose(value, right, rtol=1e-6)
    slope = -yes * 0.5**gamma * (0.5 + gamma * math.log(2) / 2)
    steep = [0, 0, no, -yes, 0, -yes, no, 0.5 * weight, slope, NAN]
    np.testing.assert_allclose(gradient, steep, rtol=1e-6)
    hessian = jax.vmap(jax.grad(jax.grad(lambda z, y: focal(z, y, alpha, gamma))))(z[:-2], y[:-2])
    np.testing.assert_array_equal(hessian, 0)


def test_the_largest_gamma_leaves_the_loss_of_what_is_surely_wrong():
    z = jnp.array([0.0, 2.0, -2.0, -100.0, -INF])
    value, gradient = jax.vmap(jax.value_and_grad(lambda z: focal(z, jnp.array(1.0), gamma=1e10)))(z)
    np.testing.assert_array_equal(value, [0, 0, 0, 100, INF])
    np.testing.assert_array_equal(gradient, [0, 0, 0, -1, -1])


def test_small_losses_do_not_underflow_early():
    """At z = 100, y = 1 the loss is exp(-150) with gamma 0.5; its gradient in y is -100 exp(-50)."""
    dlabels = jax.grad(focal, 1)(jnp.array(100.0), jnp.array(1.0), None, 0.5)
    assert float(dlabels) == pytest.approx(-100 * math.exp(-50), rel=1e-2)


def test_residuals_are_the_operands():
    z = jnp.ones((4, 5), jnp.bfloat16)
    assert checks.residuals(focal, z, z) == ["bfloat16[4, 5]"] * 2


Z = jnp.ones((4, 5))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"alpha": 1.5}, ValueError, r"alpha \(=1.5\) must be from 0 to 1"),
        ({"alpha": Z}, TypeError, r"alpha \(=Array.*"),
        ({"gamma": -1}, ValueError, r"gamma \(=-1\) must be from 0 to 1e\+10"),
        ({"gamma": math.inf}, ValueError, r"gamma \(=inf\) must be from 0 to 1e\+10"),
        ({"gamma": 1e300}, ValueError, r"gamma \(=1e\+300\) must be from 0 to 1e\+10"),
        ({"gamma": "2"}, TypeError, r"gamma \(='2'\) must be a static number"),
    ],
)
def test_errors_name_argument_value_and_requirement(options, error, message):
    with pytest.raises(error, match=message):
        focal(Z, Z, **options)
