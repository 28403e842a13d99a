import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.convolution import oracle


class TestConvolutionVariants(checks.OpChecks):
    ops = ("depthwise_conv", "separable_conv", "weight_standardized_conv")
    oracle = staticmethod(oracle)


X, K = jnp.ones((2, 4, 3, 2)), jnp.ones((3, 3, 1, 4))


def test_a_separable_convolution_is_a_full_one_with_the_product_of_its_kernels():
    rng = np.random.default_rng(0)
    x, depthwise, pointwise = (rng.standard_normal(s).astype(np.float32) for s in (X.shape, K.shape, (1, 1, 4, 3)))
    full = np.einsum("hwcm,cmo->hwco", depthwise.reshape(3, 3, 2, 2), pointwise.reshape(2, 2, 3))
    found = jaxcnn.separable_conv(x, depthwise, pointwise, strides=2)
    np.testing.assert_allclose(found, jaxcnn.conv(x, full, strides=2), rtol=1e-5, atol=1e-5)


def test_errors_name_argument_value_and_requirement():
    with pytest.raises(ValueError, match=r"pointwise_kernel shape \(=\(3, 3, 1, 4\)\) must be \[\*ones, C_in, C_out\]"):
        jaxcnn.separable_conv(X, K, K)
    with pytest.raises(
        ValueError, match=r"the kernel's input channels \(=2\) times feature_group_count \(=2\) must equal"
    ):
        jaxcnn.depthwise_conv(X, jnp.ones((3, 3, 2, 4)))
    with pytest.raises(ValueError, match=r"x shape \(=\(\)\) must be"):
        jaxcnn.depthwise_conv(X[0, 0, 0, 0], K)
