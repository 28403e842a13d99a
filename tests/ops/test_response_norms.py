import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.norms import oracle


class TestLocalResponseNorm(checks.OpChecks):
    ops = ("local_response_norm",)
    oracle = staticmethod(oracle)


def test_by_hand():
    """The window of two channels is the one before and the channel itself, as in torch."""
    x = jnp.array([1.0, 2.0, 4.0])
    y = jaxcnn.local_response_norm(x, 2, alpha=2.0, beta=1.0, k=1.0)
    np.testing.assert_allclose(y, [1 / 2, 2 / 6, 4 / 21], rtol=1e-6)
    dx = jax.grad(lambda x: jaxcnn.local_response_norm(x, 2, alpha=2.0, beta=1.0)[1])(x)
    np.testing.assert_allclose(dx, [-4 / 36, 1 / 6 - 8 / 36, 0], rtol=1e-6)


def test_values_of_torch():
    """`torch.nn.functional.local_response_norm(x.T[None], 3, alpha=0.3, beta=0.6, k=1.5)` of torch 2.13."""
    x = jnp.arange(10.0).reshape(2, 5) / 4 - 1
    first = [-0.7387959, -0.5491385, -0.3789150, -0.1936031, 0.0]
    second = [0.1936031, 0.3789150, 0.5491385, 0.6998955, 0.8915757]
    np.testing.assert_allclose(jaxcnn.local_response_norm(x, 3, 0.3, 0.6, 1.5), [first, second], rtol=1e-6)


def test_residual_is_the_input():
    x = jnp.ones((2, 3), jnp.bfloat16)
    assert checks.residuals(lambda x: jaxcnn.local_response_norm(x, 2), x) == ["bfloat16[2, 3]"]


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        ((jnp.arange(3), 2), {}, TypeError, r"x dtype \(=int32\) must be a floating dtype"),
        ((jnp.array(1.0), 2), {}, ValueError, r"x shape \(=\(\)\) must be \[..., C\]"),
        ((jnp.ones(3), 0), {}, ValueError, r"size \(=0\) must be at least 1"),
        ((jnp.ones(3), 2), {"alpha": -1.0}, ValueError, r"alpha \(=-1.0\) must be at least 0"),
        ((jnp.ones(3), 2), {"k": 0}, ValueError, r"k \(=0\) must be above 0"),
        ((jnp.ones(3), 2), {"beta": "1"}, TypeError, r"beta \(='1'\) must be a static number"),
    ],
)
def test_errors_name_argument_value_and_requirement(args, options, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.local_response_norm(*args, **options)
