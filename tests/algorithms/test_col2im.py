from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import case_of


class TestCol2im(algorithm_checks.AlgorithmChecks):
    name = "col2im"
    more = (
        case_of("window over input", (2, 3, 4, 1), (5, 5, 1, 3)),
        case_of("most taps read padding only", (3, 2, 1, 4), (7, 6, 4, 3), padding=((3, 3), (2, 3))),
        case_of("no images", (0, 5, 4, 2), (3, 2, 2, 3)),
    )
