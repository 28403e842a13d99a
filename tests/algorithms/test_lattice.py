from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import case_of


class TestLattice(algorithm_checks.AlgorithmChecks):
    name = "lattice"
    more = (
        case_of("padding below more than above", (2, 6, 5, 3), (3, 2, 3, 4), padding=((0, 2), (1, 1))),
        case_of("strides that do not divide", (2, 8, 7, 2), (3, 3, 2, 3), strides=(3, 2)),
        case_of("kernel dilated unevenly", (2, 9, 8, 2), (3, 2, 2, 3), kernel_dilation=(2, 3)),
        case_of("cropped at a stride", (2, 9, 8, 2), (2, 3, 2, 3), strides=2, padding=((-3, 1), (1, -2))),
        case_of("one row", (2, 1, 5, 2), (1, 3, 2, 3)),
        case_of("no images at all", (0, 6, 4, 2), (2, 2, 2, 3), strides=2),
    )
