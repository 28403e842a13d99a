from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import case_of


class TestInputDilated(algorithm_checks.AlgorithmChecks):
    name = "input_dilated"
    more = (
        case_of("transposed", (2, 4, 3, 2), (4, 4, 2, 3), input_dilation=2, padding=((2, 2), (2, 2))),
        case_of("dilated apart", (2, 4, 3, 2), (3, 2, 2, 3), input_dilation=(2, 3), kernel_dilation=(1, 2)),
        case_of(
            "dilation over kernel, cropped", (1, 4, 5, 2), (1, 2, 2, 1), input_dilation=3, padding=((-2, 1), (2, -4))
        ),
        case_of("1-D", (2, 5, 3), (3, 3, 2), input_dilation=2, padding="VALID"),
        case_of("3-D", (1, 2, 3, 2, 2), (2, 3, 2, 2, 1), input_dilation=(2, 1, 3)),
        case_of("no images", (0, 4, 3, 2), (3, 2, 2, 3), input_dilation=2),
    )
