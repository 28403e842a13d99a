import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.norms import oracle


class TestGroupNorms(checks.OpChecks):
    ops = ("group_norm", "instance_norm", "weight_standardization")
    oracle = staticmethod(oracle)


X = jnp.asarray(np.random.default_rng(0).standard_normal((2, 3, 4, 6)), jnp.float32)


def test_a_channel_a_group_is_instance_norm_and_one_group_of_a_vector_is_layer_norm():
    np.testing.assert_array_equal(jaxcnn.group_norm(X, num_groups=6), jaxcnn.instance_norm(X))
    flat = X.reshape(6, 24)
    np.testing.assert_allclose(jaxcnn.group_norm(flat, num_groups=1), jaxcnn.layer_norm(flat), atol=1e-6)


def test_a_kernel_has_mean_0_and_variance_1_at_every_output_channel():
    y = np.asarray(jaxcnn.weight_standardization(3 + 2 * X, epsilon=1e-12))
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(y.std((0, 1, 2)), 1, rtol=1e-6)


def test_no_batch_axis():
    np.testing.assert_allclose(jaxcnn.instance_norm(X[0], spatial_rank=2), jaxcnn.instance_norm(X)[0], atol=1e-6)
    np.testing.assert_allclose(
        jaxcnn.group_norm(X[0], num_groups=2, spatial_rank=2), jaxcnn.group_norm(X, num_groups=2)[0], atol=1e-6
    )


def test_residuals_are_the_operands_and_three_numbers_an_example_and_channel():
    kept = checks.residuals(lambda x, s, b: jaxcnn.group_norm(x, s, b, num_groups=2), X, jnp.ones(6), jnp.ones(6))
    assert kept == sorted([*["float32[2, 1, 1, 6]"] * 3, "float32[2, 3, 4, 6]", "float32[6]"])


@pytest.mark.parametrize(
    ("fn", "x", "options", "error", "message"),
    [
        (jaxcnn.group_norm, X, {}, ValueError, r"num_groups \(=32\) must divide the channels of x \(=6\)"),
        (jaxcnn.group_norm, X, {"num_groups": 0}, ValueError, r"num_groups \(=0\) must be at least 1"),
        (jaxcnn.group_norm, X, {"num_groups": 2.0}, TypeError, r"num_groups \(=2.0\) must be an int"),
        (jaxcnn.group_norm, X, {"num_groups": 2, "spatial_rank": 4}, ValueError, r"spatial_rank \(=4\) must be 0 to 3"),
        (jaxcnn.instance_norm, X[0, 0], {}, ValueError, r"spatial_rank \(=0\) must be 1 to 1"),
        (jaxcnn.instance_norm, X[:, :1, :1], {}, ValueError, r"x \(shape \(2, 1, 1, 6\)\) must hold more than one element"),
        (jaxcnn.group_norm, X[:, :1, :1], {"num_groups": 6}, ValueError, r"must hold more than one element .* \(groups: 6\)"),
        (jaxcnn.group_norm, X[0, 0], {"num_groups": 6}, ValueError, r"x \(shape \(4, 6\)\) must hold more than one element"),
        (jaxcnn.instance_norm, X[:, :0], {}, ValueError, r"x shape \(=\(2, 0, 4, 6\)\) must have no empty axis but batch"),
        (jaxcnn.weight_standardization, X[0, 0, 0], {}, ValueError, r"kernel shape \(=\(6,\)\) must be \[\*window"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(fn, x, options, error, message):
    with pytest.raises(error, match=message):
        fn(x, **options)


def test_the_gradient_of_standardised_weights_is_orthogonal_to_them_and_to_a_constant():
    """Neither a shift nor a stretch of the kernel changes it (but for epsilon)."""
    kernel = 1 + X
    (dkernel,) = jax.vjp(lambda k: jaxcnn.weight_standardization(k, epsilon=1e-12), kernel)[1](jnp.sin(9 * X))
    np.testing.assert_allclose(np.sum(dkernel, (0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.sum(dkernel * kernel, (0, 1, 2)), 0, atol=1e-5)
