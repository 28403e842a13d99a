import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcnn
from tests import checks
from tests.oracles import losses

OPS = ("sigmoid_binary_cross_entropy", "hinge_loss")
cross_entropy = jaxcnn.sigmoid_binary_cross_entropy


class TestBinaryLosses(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(losses.oracle)


def test_values_are_those_of_optax():
    rng = np.random.default_rng(0)
    z = jnp.asarray(3 * rng.standard_normal((3, 4)), jnp.float32)
    y = jnp.asarray(rng.random((3, 4)), jnp.float32)
    np.testing.assert_allclose(cross_entropy(z, y), optax.sigmoid_binary_cross_entropy(z, y), rtol=1e-5)
    for hard in (y > 0.5, (y > 0.5).astype(jnp.uint8)):
        np.testing.assert_allclose(cross_entropy(z, hard), optax.sigmoid_binary_cross_entropy(z, hard), rtol=1e-5)
    signs = jnp.where(y > 0.5, jnp.ones_like(y), -jnp.ones_like(y))
    for targets in (signs, signs.astype(jnp.int8)):
        np.testing.assert_allclose(jaxcnn.hinge_loss(z, targets), optax.hinge_loss(z, signs), rtol=1e-6)


INF, NAN = math.inf, math.nan


def test_extreme_logits():
    """0 log 0 is 0, and so are its derivatives: the products would be nan."""
    z = jnp.array([INF, -INF, INF, -INF, 1e4, -1e4, 1e4, 100.0, -3e38, NAN])
    y = jnp.array([1.0, 0, 0, 1, 1, 1, 0, 1, 1, 1])
    value, pull = jax.vjp(cross_entropy, z, y)
    np.testing.assert_array_equal(value, [0, 0, INF, INF, 0, 1e4, 1e4, 0, jnp.float32(3e38), NAN])
    dz, dy = pull(jnp.ones_like(z))
    np.testing.assert_array_equal(dz, [0, 0, 1, -1, 0, -1, 1, 0, -1, NAN])
    np.testing.assert_array_equal(dy, [0, 0, -INF, INF, -1e4, 1e4, -1e4, -100, jnp.float32(3e38), NAN])
    weighted = jax.vmap(jax.grad(lambda z, y: cross_entropy(z, y, pos_weight=3.0)))(z, y)
    np.testing.assert_array_equal(weighted, [0, 0, 1, -3, 0, -3, 1, 0, -3, NAN])
    hessian = jax.vmap(jax.hessian(cross_entropy, (0, 1)))(z[:-1], y[:-1])
    np.testing.assert_array_equal(hessian[0][0], 0)
    for mixed in (hessian[0][1], hessian[1][0]):
        np.testing.assert_array_equal(mixed[4:], [-1] * 5)
        assert np.isfinite(mixed).all()


def test_the_derivative_of_the_value_is_that_of_the_rule_at_a_logit_of_zero():
    """Where the two formulas for z > 0 and z < 0 meet."""
    z, y = jnp.array(0.0), jnp.array(0.25)
    assert jax.grad(cross_entropy)(z, y) == 0.25
    twice = jax.hessian(lambda z, y: cross_entropy(z, y) ** 2, (0, 1))(z, y)
    right = [[2 * 0.25**2 + 2 * math.log(2) / 4, -2 * math.log(2)], [-2 * math.log(2), 0]]
    np.testing.assert_allclose(np.array(twice), right, rtol=1e-6, atol=1e-7)


def test_hinge_kink_infinities_and_nan():
    z = jnp.array([0.5, 1.0, 2.0, INF, -INF, NAN])
    value, pull = jax.vjp(jaxcnn.hinge_loss, z, jnp.ones(6))
    np.testing.assert_array_equal(value, [0.5, 0, 0, 0, INF, NAN])
    dz, dy = pull(jnp.ones(6))
    np.testing.assert_array_equal(dz[:-1], [-1, 0, 0, 0, -1])
    np.testing.assert_array_equal(dy[:-1], [-0.5, 0, 0, 0, INF])
    twice = jax.hessian(lambda z, y: jaxcnn.hinge_loss(z, y) ** 2, (0, 1))
    np.testing.assert_array_equal(np.array(twice(jnp.array(1.0), jnp.array(1.0))), 0)
    np.testing.assert_array_equal(np.array(twice(jnp.array(INF), jnp.array(1.0))), 0)


def test_labels_of_other_dtypes_and_shapes():
    z = jnp.ones((2, 3), jnp.bfloat16)
    with jax.numpy_dtype_promotion("standard"):
        assert cross_entropy(z, jnp.ones((2, 3), jnp.float32)).dtype == jnp.float32
    assert cross_entropy(z, jnp.ones((2, 3), bool)).dtype == jnp.bfloat16
    dlabels = jax.grad(lambda y: cross_entropy(z, y).sum())(jnp.zeros((1, 3), jnp.bfloat16))
    np.testing.assert_array_equal(dlabels, [[-2, -2, -2]])
    dlabel = jax.grad(lambda y: cross_entropy(z, y).sum())(jnp.zeros((), jnp.bfloat16))  # one for all
    assert dlabel == -6


def test_weights_of_elements():
    """An element of weight 0 takes no part, where its loss is infinite or nan too; a mean counts it, as torch's does."""
    z, y = jnp.array([0.0, INF, NAN, -1.0]), jnp.array([1.0, 0.0, 1.0, 0.0])
    weight = jnp.array([3.0, 0.0, 0.0, 2.0])
    value, pull = jax.vjp(lambda z, y: cross_entropy(z, y, weight=weight), z, y)
    np.testing.assert_allclose(value, [3 * math.log(2), 0, 0, 2 * math.log1p(math.exp(-1))], rtol=1e-6)
    dz, dy = pull(jnp.ones(4))
    np.testing.assert_allclose(dz, [-1.5, 0, 0, 2 / (1 + math.e)], rtol=1e-6)
    np.testing.assert_array_equal(dy, [0, 0, 0, 2])
    mean = cross_entropy(z, y, weight=weight, reduction="mean")
    np.testing.assert_allclose(mean, value.sum() / 4, rtol=1e-6)
    hessian = jax.hessian(lambda z, y: jnp.sum(cross_entropy(z, y, weight=weight) ** 2), (0, 1))(z, y)
    assert all(np.isfinite(block).all() for block in jax.tree.leaves(hessian))
    both = cross_entropy(z[:1], y[:1], weight=(0.5,), pos_weight=4)
    np.testing.assert_allclose(both, [2 * math.log(2)], rtol=1e-6)
    a_row = cross_entropy(jnp.zeros((2, 2)), jnp.ones((2, 2)), weight=jnp.array([[1.0], [3.0]]))
    np.testing.assert_allclose(a_row, math.log(2) * np.array([[1, 1], [3, 3]]), rtol=1e-6)
    dweight = jax.grad(lambda w: cross_entropy(z[:1], y[:1], weight=w).sum())(jnp.ones(1))
    np.testing.assert_array_equal(dweight, 0)


def test_residuals_are_the_operands():
    z, y = jnp.ones((4, 5), jnp.bfloat16), jnp.ones((4, 5), jnp.bfloat16)
    for name in OPS:
        assert checks.residuals(getattr(jaxcnn, name), z, y) == ["bfloat16[4, 5]"] * 2


Z = jnp.ones((4, 5))


@pytest.mark.parametrize(
    ("fn", "args", "options", "error", "message"),
    [
        (cross_entropy, (Z.astype(int), Z), {}, TypeError, r"logits dtype \(=int32\) must be a floating"),
        (cross_entropy, (Z, Z[:, :3]), {}, ValueError, r"labels shape \(=\(4, 3\)\) must broadcast to \(4, 5\)"),
        (cross_entropy, (Z, 1j * Z), {}, TypeError, r"labels dtype \(=complex64\) must be real"),
        (cross_entropy, (Z, "yes"), {}, TypeError, r"labels \(='yes'\) must be an array of numbers"),
        (cross_entropy, (Z, Z), {"pos_weight": Z[:2]}, ValueError, r"pos_weight shape \(=\(2, 5\)\) must broadcast to \(4, 5\)"),
        (cross_entropy, (Z, Z), {"weight": Z[:2]}, ValueError, r"weight shape \(=\(2, 5\)\) must broadcast to \(4, 5\)"),
        (cross_entropy, (Z, Z), {"weight": 1j}, TypeError, r"weight dtype \(=complex64\) must be real"),
        (jaxcnn.hinge_loss, (Z.astype(int), Z), {}, TypeError, r"predictor_outputs dtype \(=int32\) must be a floating"),
        (jaxcnn.hinge_loss, (Z, Z[:3]), {}, ValueError, r"targets shape \(=\(3, 5\)\) must broadcast to \(4, 5\)"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(fn, args, options, error, message):
    with pytest.raises(error, match=message):
        fn(*args, **options)
