import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.norms import oracle


class TestNorms(checks.OpChecks):
    ops = ("layer_norm", "rms_norm")
    oracle = staticmethod(oracle)


def test_one_channel():
    x = jnp.array([[3.0], [5.0]])
    np.testing.assert_array_equal(jaxcnn.layer_norm(x, bias=jnp.array([2.0])), [[2], [2]])
    np.testing.assert_array_equal(jax.grad(lambda x: jaxcnn.layer_norm(x).sum())(x), [[0], [0]])


def test_rms_norm_of_zeros():
    y, pull = jax.vjp(jaxcnn.rms_norm, jnp.zeros((2, 3)), jnp.ones(3))
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0], 1e3, rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_residuals(dtype):
    x, scale, bias, name = jnp.ones((4, 5, 3, 2), dtype), jnp.ones(2, dtype), jnp.ones(2, dtype), jnp.dtype(dtype).name
    operands = sorted([f"{name}[2]", f"{name}[4, 5, 3, 2]"])
    assert checks.residuals(jaxcnn.layer_norm, x, scale, bias) == operands
    assert checks.residuals(jaxcnn.rms_norm, x, scale) == operands
