import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.algorithms import depthwise
from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import case_of


class TestDepthwise(algorithm_checks.AlgorithmChecks):
    name = "depthwise"
    more = (
        case_of("rows that do not divide into eight blocks", (1, 19, 3, 2), (3, 2, 1, 2)),
        case_of("cropped", (2, 9, 7, 3), (3, 2, 1, 3), padding=((-1, 2), (1, -2))),
        case_of("three a channel, 1-D, stride does not divide", (2, 10, 2), (4, 1, 6), strides=3, padding="VALID"),
        case_of("3-D", (1, 4, 5, 3, 2), (2, 3, 1, 1, 2), strides=(1, 2, 1)),
        case_of("twelve taps, two a channel", (2, 9, 8, 2), (4, 3, 1, 4), strides=(2, 1), kernel_dilation=(2, 3),
                padding=((2, 0), (1, 3))),
        case_of("ten taps, input dilation", (1, 5, 4, 3), (5, 2, 1, 3), input_dilation=(2, 3), padding=((-2, 3), (0, 1))),
        case_of("one tap", (2, 5, 4, 3), (1, 1, 1, 3), strides=2),
        case_of("most taps read padding only", (3, 2, 1, 4), (7, 6, 1, 4), padding=((3, 3), (2, 3))),
        case_of("taps around a cropped pixel", (2, 3, 4, 2), (5, 5, 1, 4), strides=(2, 1), kernel_dilation=(1, 2),
                padding=((3, 2), (8, -3))),
        case_of("no images", (0, 5, 4, 2), (3, 2, 1, 4)),
    )  # fmt: skip


@pytest.mark.parametrize(("window", "lengths"), [((3, 3), []), ((7, 2), [7]), ((1, 5), [])])
def test_the_kernel_gradient_loops_over_rows_of_the_kernel_only_and_only_over_many(window, lengths):
    x, kernel = (5, 11, 6, 2), (*window, 1, 4)
    case = algorithm_checks.AlgorithmCase(
        "conv", "", case_of("", x, kernel).inputs, {"feature_group_count": 2}, algorithm=depthwise
    )
    jaxpr = jax.make_jaxpr(lambda x, g: depthwise.dkernel(x, g, window, case.config))(
        jnp.ones(x), jnp.ones((5, 11, 6, 4))
    )
    assert [loop.params["length"] for loop in algorithm_checks.loops(jaxpr.jaxpr)] == lengths


def test_infinite_elements_stay_in_their_channel():
    x = jnp.ones((1, 4, 4, 2)).at[0, 1, 1, 0].set(jnp.inf)
    case = algorithm_checks.AlgorithmCase(
        "conv", "", case_of("", x.shape, (3, 3, 1, 2)).inputs, {"feature_group_count": 2}
    )
    y = depthwise.forward(x, jnp.ones((3, 3, 1, 2)), case.config)
    np.testing.assert_array_equal(np.isfinite(y[..., 1]), True)
    assert not np.isfinite(y[..., 0]).all()
