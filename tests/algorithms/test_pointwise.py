from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import case_of


class TestPointwise(algorithm_checks.AlgorithmChecks):
    name = "pointwise"
    more = (
        case_of("stride does not divide", (2, 8, 6, 3), (1, 1, 3, 2), strides=(3, 2)),
        case_of("padded", (1, 4, 3, 2), (1, 1, 2, 5), padding=((2, 0), (1, 3))),
        case_of("cropped, strides", (2, 7, 6, 2), (1, 1, 2, 3), padding=((-1, 2), (3, -2)), strides=(2, 3)),
        case_of(
            "input dilation", (2, 4, 3, 3), (1, 1, 3, 2), input_dilation=(3, 2), strides=2, padding=((1, 0), (-1, 2))
        ),
        case_of("kernel dilation", (2, 4, 3, 3), (1, 1, 3, 2), kernel_dilation=(3, 2)),
        case_of("1-D, one channel", (3, 7, 1), (1, 1, 4), strides=2),
        case_of("3-D", (1, 3, 2, 4, 3), (1, 1, 1, 3, 2), padding=((1, 1),) * 3),
        case_of("no images", (0, 5, 4, 2), (1, 1, 2, 3)),
    )
