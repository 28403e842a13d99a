import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.convolution import oracle


class TestConvGeneralDilated(checks.OpChecks):
    ops = ("conv_general_dilated",)
    oracle = staticmethod(oracle)


def numbers(shape, seed):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


@pytest.mark.parametrize(
    "dimension_numbers",
    [
        ("CHWN", "IHWO", "HWNC"),
        ("NWHC", "HWIO", "NCWH"),
        jax.lax.ConvDimensionNumbers((3, 0, 2, 1), (0, 2, 3, 1), (1, 3, 0, 2)),
    ],
)
def test_axes_stand_where_lax_has_them(dimension_numbers):
    specs = jax.lax.conv_dimension_numbers((1,) * 4, (1,) * 4, dimension_numbers)
    x, kernel = np.empty(4, int), np.empty(4, int)
    x[list(specs.lhs_spec)], kernel[list(specs.rhs_spec)] = (2, 3, 6, 5), (4, 3, 3, 2)
    args = numbers(x, 0), numbers(kernel, 1), (2, 1), ((1, 0), (2, 1)), (1, 2), (2, 1), dimension_numbers
    found, right = jaxcnn.conv_general_dilated(*args), jax.lax.conv_general_dilated(*args)
    np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5)


def test_three_dimensions_and_none_of_the_options():
    x, kernel = numbers((2, 3, 4, 3, 5), 0), numbers((2, 3, 2, 2, 3), 1)
    found = jaxcnn.conv_general_dilated(x, kernel, (1, 2, 1), "VALID")
    right = jax.lax.conv_general_dilated(x, kernel, (1, 2, 1), "VALID")
    np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5)


X, K = jnp.ones((4, 2, 5, 5)), jnp.ones((6, 2, 3, 3))


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        ((X.astype(bool), K), {}, TypeError, r"lhs dtype \(=bool\) must be a floating or an integer dtype"),
        ((X, K.astype(jnp.bfloat16)), {}, TypeError, r"rhs dtype \(=bfloat16\) must equal lhs dtype \(=float32\)"),
        ((X, K[0]), {}, ValueError, r"x \(rank 4\) and kernel \(rank 3\) must both have"),
        ((X[0, 0], K[0, 0]), {}, ValueError, r"x \(rank 2\) and kernel \(rank 2\) must both have"),
        ((X, K), {"batch_group_count": 3}, ValueError, r"batch_group_count \(=3\) must divide the examples of lhs \(=4\)"),
        ((X, K), {"batch_group_count": 4}, ValueError, r"batch_group_count \(=4\) must divide the output channels \(=6\)"),
        ((X, K), {"batch_group_count": 2, "feature_group_count": 2}, ValueError, r"one of batch_group_count \(=2\) and"),
        ((X, K), {"dimension_numbers": ("NCHW", "OIHW")}, TypeError, r"dimension_numbers \(=.*\) must be three strings"),
        ((X, K), {"dimension_numbers": ("NCHW", "OIHW", "NCHX")}, ValueError, r"dimension_numbers \(=.*\) must be three"),
        ((X, K), {"dimension_numbers": ("NCHH", "OIHH", "NCHH")}, ValueError, r"dimension_numbers \(=.*\) must be three"),
        ((X, K), {"dimension_numbers": jax.lax.ConvDimensionNumbers((0, 1, 2), (0, 1, 2), (0, 1, 2))}, ValueError, r"must name each of the 4 axes"),
        ((X, K), {"out_sharding": jax.P()}, ValueError, r"out_sharding \(=.*\) must be None"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(args, options, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.conv_general_dilated(*args, (1, 1), "SAME", **options)


def test_integers_are_convolved_and_checked():
    x, kernel = (jnp.arange(18).reshape(1, 2, 3, 3), jnp.arange(16).reshape(2, 2, 2, 2))
    y = jaxcnn.conv_general_dilated(x, kernel, (2, 1), "SAME", rhs_dilation=(1, 2))
    assert y.dtype == x.dtype
    right = jax.lax.conv_general_dilated(x.astype(float), kernel.astype(float), (2, 1), "SAME", rhs_dilation=(1, 2))
    assert jnp.array_equal(y, right.astype(int))
    with pytest.raises(ValueError, match=r"feature_group_count \(=3\) must divide"):
        jaxcnn.conv_general_dilated(x, kernel, (1, 1), "SAME", feature_group_count=3)
