from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import case_of


class TestPatches(algorithm_checks.AlgorithmChecks):
    name = "patches"
    more = (
        case_of("divides", (2, 6, 4, 3), (3, 2, 3, 4), strides=(3, 2), padding="VALID"),
        case_of("rows left over", (2, 8, 7, 2), (3, 4, 2, 3), strides=(3, 4), padding="VALID"),
        case_of("same", (2, 5, 6, 2), (2, 4, 2, 3), strides=(2, 4)),
        case_of("cropped", (2, 9, 8, 2), (2, 3, 2, 3), strides=(2, 3), padding=((-3, 1), (1, -2))),
        case_of("a window of nothing but padding", (1, 4, 3, 1), (2, 2, 1, 3), strides=2, padding=((3, 4), (2, 0))),
        case_of("1-D", (2, 11, 3), (4, 3, 2), strides=4),
        case_of("3-D", (1, 4, 5, 3, 2), (2, 3, 1, 2, 3), strides=(2, 3, 1), padding=((1, 1),) * 3),
        case_of("no images", (0, 6, 4, 2), (2, 2, 2, 3), strides=2),
    )
