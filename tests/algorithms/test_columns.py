import jax.numpy as jnp
import pytest

from jaxcnn.algorithms import choice
from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import AlgorithmCase, case_of


class TestColumns(algorithm_checks.AlgorithmChecks):
    name = "columns"
    more = (
        case_of("window over input", (2, 3, 4, 2), (5, 5, 2, 3)),
        case_of("most taps read padding only", (3, 2, 1, 4), (7, 6, 4, 3), padding=((3, 3), (2, 3))),
        case_of("one pixel, a stride and dilations", (2, 1, 2, 3), (3, 2, 3, 2), strides=(2, 1), input_dilation=(1, 3),
                kernel_dilation=(1, 2), padding=((2, 1), (3, -1))),
        case_of("1-D, window over input", (2, 2, 3), (5, 3, 4)),
        case_of("no images", (0, 2, 2, 2), (3, 3, 2, 3)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("x", "kernel", "strides", "parts"),
    [
        ((16, 2, 2, 512), (3, 3, 512, 512), 1, {"forward": "columns", "dx": "col2im"}),
        ((16, 4, 4, 256), (3, 3, 256, 512), 2, {"dx": "col2im"}),
        ((16, 3, 3, 256), (3, 3, 256, 256), 1, {}),
        ((16, 2, 8, 128), (3, 3, 128, 128), 1, {}),
        ((2**16, 2, 2, 512), (3, 3, 512, 512), 1, {}),  # whose columns would take gigabytes
    ],
)
def test_images_smaller_than_the_window_choose_columns(x, kernel, strides, parts):
    case = AlgorithmCase("conv", "", case_of("", x, kernel, strides=strides).inputs, {"strides": strides})
    shapes = [given.shape for given in case.inputs]
    chosen = {part: choice.choose(part, case.config, *shapes, jnp.float32).get("cpu") for part in choice.PARTS}
    assert {part: name for part, name in chosen.items() if name in ("columns", "col2im")} == parts
