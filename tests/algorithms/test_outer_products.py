from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import case_of


class TestOuterProducts(algorithm_checks.AlgorithmChecks):
    name = "outer_products"
    more = (
        case_of("many lines", (2, 9, 6, 1), (7, 7, 1, 2)),
        case_of("three dimensions", (2, 4, 3, 5, 2), (2, 3, 2, 2, 3), strides=(2, 1, 1)),
        case_of("window over input", (2, 3, 4, 1), (5, 5, 1, 3)),
        case_of("strides that do not divide", (2, 8, 7, 2), (3, 3, 2, 3), strides=(3, 2)),
        case_of("both dilated", (2, 5, 4, 2), (3, 2, 2, 3), input_dilation=(2, 1), kernel_dilation=(1, 3)),
        case_of("cropped at a stride", (2, 9, 8, 2), (2, 3, 2, 3), strides=2, padding=((-3, 1), (1, -2))),
        case_of("no images at all", (0, 6, 4, 2), (2, 2, 2, 3)),
    )
