"""Convolutions of plain lax, in every layout, before and after `accelerate`, in float64, to second order."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxcnn.transforms import accelerate
from tests.transforms.pattern_checks import arrays, close, replaced, reported, value_and_gradients

NHWC, NCHW, CHWN = ("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("CHWN", "IHWO", "CHWN")


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def conv(strides=(1, 1), padding="SAME", **options):
    return lambda x, kernel: lax.conv_general_dilated(x, kernel, strides, padding, **options)


CONVOLUTIONS = {
    "NHWC": (conv((2, 1), dimension_numbers=NHWC), (2, 7, 6, 3), (3, 2, 3, 4)),
    "NCHW": (conv((1, 2), "VALID"), (2, 3, 7, 6), (4, 3, 3, 2)),
    "CHWN": (conv(dimension_numbers=CHWN), (3, 7, 6, 2), (3, 3, 2, 4)),
    "mixed layouts": (conv(dimension_numbers=("HNWC", "OHIW", "CNHW")), (7, 2, 6, 3), (4, 3, 3, 2)),
    "1-D": (conv((2,), [(2, 1)], rhs_dilation=(2,), dimension_numbers=("NWC", "WIO", "NWC")), (2, 9, 3), (3, 3, 4)),
    "3-D": (conv((1, 2, 1), dimension_numbers=("NDHWC", "DHWIO", "NDHWC")), (1, 4, 5, 4, 2), (2, 3, 2, 2, 3)),
    "1x1": (conv(dimension_numbers=NHWC), (2, 5, 4, 8), (1, 1, 8, 4)),
    "1x1, a stride": (conv((2, 2), dimension_numbers=NHWC), (2, 5, 4, 8), (1, 1, 8, 4)),
    "patches": (conv((2, 2), "VALID", dimension_numbers=NHWC), (2, 6, 4, 3), (2, 2, 3, 5)),
    "dilated kernel": (conv((2, 1), rhs_dilation=(1, 2), dimension_numbers=NHWC), (2, 8, 7, 3), (3, 2, 3, 4)),
    "dilated input": (conv(padding=((2, 1), (1, 2)), lhs_dilation=(2, 3), dimension_numbers=NHWC), (2, 4, 3, 3), (3, 2, 3, 4)),
    "dilated input, a stride": (conv((2, 1), ((2, 1), (1, 2)), lhs_dilation=(1, 3), dimension_numbers=NHWC), (2, 5, 3, 3), (3, 2, 3, 4)),
    "depthwise": (conv((2, 2), feature_group_count=4, dimension_numbers=NHWC), (2, 7, 6, 4), (3, 3, 1, 8)),
    "groups": (conv(feature_group_count=2, dimension_numbers=NHWC), (2, 5, 6, 4), (3, 3, 2, 6)),
    "groups, dilated input": (conv(padding=((1, 1), (1, 1)), lhs_dilation=(2, 2), feature_group_count=2), (2, 4, 4, 3), (6, 2, 3, 2)),
    "groups of the batch": (conv(batch_group_count=2, dimension_numbers=NHWC), (4, 5, 6, 3), (3, 3, 3, 4)),
    "cropped": (conv((1, 1), ((-1, 2), (0, -1)), dimension_numbers=NHWC), (2, 6, 6, 3), (2, 3, 3, 4)),
    "an image of the size of the window": (conv(dimension_numbers=NHWC), (2, 2, 2, 3), (3, 3, 3, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name):
    fn, *shapes = CONVOLUTIONS[name]
    x, kernel = arrays(*shapes)
    close(value_and_gradients(accelerate(fn), x, kernel), value_and_gradients(fn, x, kernel))
    _, report = reported(fn, x, kernel)
    assert [one.primitive for one in report.findings] == ["conv_general_dilated"]
    assert report.share == 1


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_gradients_of_convolutions_that_are_in_the_program_already(name):
    fn, *shapes = CONVOLUTIONS[name]
    x, kernel = arrays(*shapes)

    def gradients(x, kernel):
        y, pull = jax.vjp(fn, x, kernel)
        return pull(jnp.cos(y))

    found, report = reported(gradients, x, kernel)
    close(found, gradients(x, kernel))
    assert report.share == 1
    if name != "groups of the batch":  # whose gradient is one of groups of channels
        assert ("conv_general_dilated", "jaxcnn.conv, dkernel") in replaced(report)
    close(jax.jit(jax.grad(lambda x, k: sum(jnp.sum(g**2) for g in accelerate(gradients)(x, k)), (0, 1)))(x, kernel),
          jax.jit(jax.grad(lambda x, k: sum(jnp.sum(g**2) for g in gradients(x, k)), (0, 1)))(x, kernel))  # fmt: skip


def test_dx_of_a_strided_layer_is_seen():
    x, kernel = arrays((2, 7, 6, 4), (3, 3, 1, 8))
    fn = CONVOLUTIONS["depthwise"][0]
    _, report = reported(jax.grad(lambda x: jnp.sum(fn(x, kernel) ** 2)), x)
    assert ("conv_general_dilated", "jaxcnn.conv, dx") in replaced(report)


@pytest.mark.parametrize("name", ["CHWN", "an image of the size of the window"])
def test_a_layer_that_looks_like_dkernel_is_a_layer(name):
    fn, *shapes = CONVOLUTIONS[name]
    x, kernel = arrays(*shapes)
    _, report = reported(fn, x, kernel)
    assert replaced(report) == [("conv_general_dilated", "jaxcnn.conv")]


@pytest.mark.parametrize("precision", [None, "highest", (lax.Precision.HIGH, lax.Precision.DEFAULT)])
def test_precision_and_preferred_dtype_are_kept(precision):
    x, kernel = arrays((2, 5, 5, 3), (3, 3, 3, 4), dtype=jnp.float32)
    fn = conv(dimension_numbers=NHWC, precision=precision, preferred_element_type=jnp.float64)
    found, report = reported(fn, x, kernel)
    close(found, fn(x, kernel))
    assert report.share == 1


def test_gradients_with_a_wider_result_are_replaced():
    x, kernel = arrays((2, 7, 7, 3), (3, 3, 3, 4), dtype=jnp.float32)
    fn = conv((2, 2), dimension_numbers=NHWC, preferred_element_type=jnp.float32)
    gradient = jax.grad(lambda x, k: jnp.sum(fn(x, k) ** 2), (0, 1))
    found, report = reported(gradient, x, kernel)
    close(found, gradient(x, kernel), 1e-6)
    assert report.share == 1


def test_what_conv_does_not_take_is_left_with_the_reason():
    x, kernel = jnp.ones((1, 4, 4, 2), jnp.int32), jnp.ones((3, 3, 2, 2), jnp.int32)
    found, report = reported(conv(dimension_numbers=NHWC), x, kernel)
    assert jnp.array_equal(found, conv(dimension_numbers=NHWC)(x, kernel))
    (left,) = report.findings
    assert left.by is None
    assert "int32" in left.why
    assert report.share == 0
