from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import case_of


class TestPlanes(algorithm_checks.AlgorithmChecks):
    name = "planes"
    more = (
        case_of("stride does not divide", (2, 6, 4, 5, 2), (3, 2, 2, 2, 3), strides=(2, 3, 1), padding="VALID"),
        case_of("cropped", (1, 6, 5, 4, 1), (2, 3, 2, 1, 2), padding=((-2, 1), (2, -1), (0, 3))),
        case_of(
            "dilated planes", (1, 3, 4, 3, 2), (3, 2, 2, 2, 1), input_dilation=(2, 1, 1), kernel_dilation=(2, 1, 2)
        ),
        case_of("groups", (1, 4, 3, 4, 4), (2, 2, 3, 2, 6), strides=(3, 1, 2)),
        case_of("one plane a window", (2, 3, 4, 3, 2), (1, 3, 3, 2, 3)),
        case_of("no images", (0, 3, 4, 3, 2), (2, 2, 2, 2, 3)),
    )
