import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcnn
from tests import checks
from tests.oracles import losses


class TestCosine(checks.OpChecks):
    ops = ("cosine_similarity", "cosine_distance")
    oracle = staticmethod(losses.oracle)


def test_values_are_those_of_optax():
    rng = np.random.default_rng(0)
    a, b = (jnp.asarray(rng.standard_normal((3, 4, 5)), jnp.float32) for _ in range(2))
    where = jnp.asarray(rng.random((3, 4, 5)) < 0.6)
    for name in ("cosine_similarity", "cosine_distance"):
        for options in ({}, {"axis": (0, 2)}, {"axis": None}, {"axis": 1, "where": where, "epsilon": 2.0}):
            mine, theirs = (getattr(module, name)(a, b, **options) for module in (jaxcnn, optax))
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_zeros():
    """A vector of zeros has no direction; with epsilon its norm counts as constant."""
    zero, b = jnp.zeros(2), jnp.array([3.0, 4.0])
    assert np.isnan(jaxcnn.cosine_similarity(zero, b))
    value, gradients = jax.value_and_grad(jaxcnn.cosine_similarity, (0, 1))(zero, b, epsilon=0.25)
    assert value == 0
    np.testing.assert_allclose(gradients[0], [1.2, 1.6], rtol=1e-6)
    np.testing.assert_array_equal(gradients[1], 0)
    distance = jaxcnn.cosine_distance(jnp.zeros((2, 2)), jnp.ones((2, 2)), where=jnp.array([False, False]))
    np.testing.assert_array_equal(distance, 0)


MAGNITUDES = (1e-37, 1e-30, 1e-20, 1e-10, 1.0, 1e10, 1e19, 1e30, 1e37)


@pytest.mark.parametrize("size", MAGNITUDES)
@pytest.mark.parametrize("other", [1e-30, 1.0, 1e30])
def test_every_magnitude(size, other):
    """cos = 24 / 25, and with it da = (v - u cos) / |a|, for u = (3, 4) / 5 and v = (4, 3) / 5."""
    a, b = jnp.array([3.0, 4.0]) * size, jnp.array([4.0, 3.0]) * other
    value, (da, db) = jax.value_and_grad(jaxcnn.cosine_similarity, (0, 1))(a, b)
    np.testing.assert_allclose(value, 0.96, rtol=1e-6)
    np.testing.assert_allclose(jaxcnn.cosine_distance(a, b), 0.04, rtol=1e-5)
    if 1e-35 < size < 1e35:
        np.testing.assert_allclose(np.float64(da) * size, [(0.8 - 0.576) / 5, (0.6 - 0.768) / 5], rtol=1e-5)
    np.testing.assert_allclose(np.float64(db) * other, [(0.6 - 0.768) / 5, (0.8 - 0.576) / 5], rtol=1e-5)


def test_magnitudes_side_by_side_and_masked():
    sizes = np.array(MAGNITUDES)[:, None]
    a, b = (jnp.asarray(v, jnp.float32) for v in (np.array([3, 4, 7]) * sizes, np.array([4, 3, -5]) / sizes))
    where = jnp.array([True, True, False])
    np.testing.assert_allclose(jaxcnn.cosine_similarity(a, b, where=jnp.broadcast_to(where, a.shape)), 0.96, rtol=1e-6)
    lanes = jax.vmap(lambda a, b: jaxcnn.cosine_similarity(a, b, where=where))(
        a.astype(jnp.bfloat16), b.astype(jnp.bfloat16)
    )
    np.testing.assert_allclose(lanes, 0.96, rtol=1e-2)


def test_only_vectors_out_of_range_take_another_pass_over_all():
    """It is a branch, also under a vmap, where a branch of each lane would be both ways for all."""
    a = jnp.ones((3, 4, 5))
    for function in (jaxcnn.cosine_similarity, jax.vmap(jaxcnn.cosine_similarity)):
        assert str(jax.make_jaxpr(function)(a, a)).count(" cond[") == 2


def test_epsilon_decides_at_every_magnitude():
    """No squared norm counts as less than epsilon: (3, 4) s has the squared norm 25 s^2."""
    for size, epsilon in ((1e-18, 26e-36), (1e18, 26e36), (1.0, 26.0), (1e-18, 24e-36), (1e18, 24e36)):
        a, b = jnp.array([3.0, 4.0]) * size, jnp.array([0.0, 10.0]) * size
        value, da = jax.value_and_grad(lambda a, e=epsilon, b=b: jaxcnn.cosine_similarity(a, b, epsilon=e))(a)
        constant = size * size * 25 < epsilon
        np.testing.assert_allclose(value, 4 / np.sqrt(26) if constant else 0.8, rtol=1e-5)
        np.testing.assert_allclose(np.float64(da[0]) * size, 0 if constant else -0.48 / 5, rtol=1e-5)


def test_second_order_of_every_magnitude():
    a, b = np.array([3.0, 4.0, -1.0]), np.array([4.0, 3.0, 2.0])
    with jax.enable_x64(True):
        right = jax.hessian(lambda a: jaxcnn.reference.cosine_similarity(a, jnp.asarray(b)))(jnp.asarray(a))
    for size in (1e-12, 1.0, 1e12, 1e15):
        found = jax.hessian(jaxcnn.cosine_similarity)(jnp.float32(a * size), jnp.float32(b))
        checks.assert_close(np.float64(found) * size**2, np.asarray(right), 1e-5)


def test_residuals_are_the_operands():
    a = jnp.ones((4, 5), jnp.bfloat16)
    assert checks.residuals(jaxcnn.cosine_similarity, a, a) == ["bfloat16[4, 5]"] * 2


@pytest.mark.parametrize("name", ["cosine_similarity", "cosine_distance"])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epsilon": -1.0}, ValueError, r"epsilon \(=-1.0\) must be at least 0"),
        ({"epsilon": "0"}, TypeError, r"epsilon \(='0'\) must be a static number"),
        ({"axis": 2}, ValueError, r"axis \(=2\) must name different axes"),
    ],
)
def test_errors_name_argument_value_and_requirement(name, options, error, message):
    with pytest.raises(error, match=message):
        getattr(jaxcnn, name)(jnp.ones((2, 3)), jnp.ones((2, 3)), **options)
