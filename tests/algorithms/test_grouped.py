import pytest

from jaxcnn.algorithms import grouped
from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import case_of


class TestGrouped(algorithm_checks.AlgorithmChecks):
    name = "grouped"
    more = (
        case_of("four groups in one block", (2, 6, 5, 8), (3, 2, 2, 12), strides=(2, 1)),
        case_of("two blocks of three groups", (1, 5, 4, 18), (2, 3, 3, 12), padding=((-1, 2), (1, 0))),
        case_of("one group a block", (2, 4, 3, 18), (2, 2, 9, 4), kernel_dilation=(1, 2)),
        case_of("wide outputs", (1, 4, 5, 4), (2, 2, 2, 34), strides=3, padding="VALID"),
        case_of("1-D", (2, 9, 6), (4, 2, 3), strides=2, input_dilation=2),
        case_of("3-D", (1, 4, 3, 5, 4), (2, 2, 3, 2, 4), padding=((1, 0), (0, -1), (2, 1))),
        case_of("no images", (0, 5, 4, 4), (3, 2, 2, 6)),
    )


@pytest.mark.parametrize(
    ("groups", "kernel", "together"),
    [
        (4, (3, 3, 16, 64), 1),  # as wide as a block
        (32, (3, 3, 4, 128), 4),
        (6, (3, 3, 3, 18), 3),  # five would fit, and do not divide
        (2, (3, 3, 2, 34), 1),  # the outputs are wider
        (64, (3, 3, 1, 64), 16),
    ],
)
def test_as_many_groups_share_a_block_as_divide_and_fit(groups, kernel, together):
    assert grouped.groups_in_block(groups, kernel) == together
