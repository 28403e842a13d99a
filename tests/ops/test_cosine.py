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
