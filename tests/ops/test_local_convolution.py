import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.convolution import oracle


class TestConvLocal(checks.OpChecks):
    ops = ("conv_local",)
    oracle = staticmethod(oracle)


X, K = jnp.ones((2, 4, 3, 2)), jnp.ones((4, 3, 3, 2, 2, 3))


def test_the_same_kernel_everywhere_is_a_convolution():
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal(X.shape).astype(np.float32), rng.standard_normal((3, 2, 2, 3)).astype(np.float32)
    everywhere = np.broadcast_to(kernel, (4, 3, *kernel.shape))
    np.testing.assert_allclose(jaxcnn.conv_local(x, everywhere), jaxcnn.conv(x, kernel), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "bias", "error", "message"),
    [
        (
            K[0],
            None,
            ValueError,
            r"kernel shape \(=\(3, 3, 2, 2, 3\)\) must be \[\*spatial_out, \*window, C_in, C_out\]",
        ),
        (K[:3], None, ValueError, r"kernel shape \(=\(3, 3, .*\) must begin with the size of the output \(=\(4, 3\)\)"),
        (K.astype(jnp.bfloat16), None, TypeError, r"kernel dtype \(=bfloat16\) must equal x dtype \(=float32\)"),
        (
            K,
            jnp.ones((3, 3)),
            ValueError,
            r"bias shape \(=\(3, 3\)\) must be \[\*spatial_out, C_out\] \(=\(4, 3, 3\)\)",
        ),
        (K, jnp.ones(2), ValueError, r"bias shape \(=\(2,\)\) must be"),
        (K[:, :, :, :, :1], None, ValueError, r"the kernel's input channels \(=1\) times feature_group_count"),
    ],
)
def test_errors_name_argument_value_and_requirement(kernel, bias, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.conv_local(X, kernel, bias)
