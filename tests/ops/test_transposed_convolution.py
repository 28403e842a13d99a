import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.convolution import oracle


class TestConvTranspose(checks.OpChecks):
    ops = ("conv_transpose",)
    oracle = staticmethod(oracle)


def numbers(shape, seed):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size", [7, 8, 9, 10])
@pytest.mark.parametrize(("window", "strides", "dilation"), [(3, 2, 1), (2, 3, 1), (3, 3, 2), (4, 1, 1)])
def test_it_is_the_adjoint_of_the_convolution_with_the_same_kernel(padding, size, window, strides, dilation):
    """For every size that the convolution maps to the same one: <conv(x), y> = <x, conv_transpose(y)>."""
    options = {"strides": strides, "padding": padding, "kernel_dilation": dilation}
    x, kernel = numbers((2, size, 4), 0), numbers((window, 2, 6), 1)
    y = jaxcnn.conv(x, kernel, feature_group_count=2, **options)
    g = numbers(y.shape, 2)
    back = jaxcnn.conv_transpose(g, kernel, feature_group_count=2, output_shape=size, transpose_kernel=True, **options)
    assert back.shape == x.shape
    np.testing.assert_allclose(jnp.vdot(y, g), jnp.vdot(x, back), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["SAME", "VALID", ((2, 1), (0, 3))])
@pytest.mark.parametrize("transpose_kernel", [False, True])
def test_values_are_those_of_lax(padding, transpose_kernel):
    x, kernel = numbers((2, 4, 3, 2), 0), numbers((3, 4, 3, 2) if transpose_kernel else (3, 4, 2, 3), 1)
    numbers_of_axes = ("NHWC", "HWIO", "NHWC")
    right = jax.lax.conv_transpose(x, kernel, (2, 3), padding, (2, 1), numbers_of_axes, transpose_kernel)
    found = jaxcnn.conv_transpose(
        x, kernel, strides=(2, 3), padding=padding, kernel_dilation=(2, 1), transpose_kernel=transpose_kernel
    )
    np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5)


X, K = jnp.ones((2, 4, 3, 2)), jnp.ones((3, 3, 2, 4))


@pytest.mark.parametrize(
    ("x", "kernel", "options", "error", "message"),
    [
        (X.astype(int), K, {}, TypeError, r"x dtype \(=int32\) must be a floating dtype"),
        (X, K[0, 0], {}, ValueError, r"kernel shape \(=\(2, 4\)\) must be \[\*window, C_in"),
        (X, K[:0], {}, ValueError, r"kernel shape \(=\(0, 3, 2, 4\)\) must have no empty axis but batch"),
        (X, K, {"padding": "FULL"}, ValueError, r"padding \(='FULL'\) must be \"SAME\", \"VALID\""),
        (X, K, {"output_padding": -1}, ValueError, r"output_padding \(=-1\) must be at least 0"),
        (X, K, {"strides": 2, "output_shape": 12}, ValueError, r"output_shape \(=12\) must be one that a SAME convolution brings"),
        (X, K, {"padding": 1, "output_shape": 4}, ValueError, r"output_shape \(=4\) must be None unless padding \(=1\)"),
        (X, K, {"output_padding": 1, "output_shape": 4}, ValueError, r"output_shape \(=4\) must be None unless .* output_padding \(=1\)"),
        (X, K, {"transpose_kernel": 1}, TypeError, r"transpose_kernel \(=1\) must be a static bool"),
        (X, K, {"feature_group_count": 3, "transpose_kernel": True}, ValueError, r"feature_group_count \(=3\) must divide the input"),
        (X, jnp.ones((3, 3, 3, 4)), {}, ValueError, r"the kernel's input channels \(=3\) times feature_group_count"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(x, kernel, options, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.conv_transpose(x, kernel, **options)
