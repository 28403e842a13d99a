"""Cases of losses."""

from jaxcnn.gradcheck.cases._case import Case, Classes, Normal, Weights

CASES: tuple[Case, ...] = (
    Case("softmax_cross_entropy", "soft labels", (Normal((4, 5)), Weights((4, 5)))),
    Case("softmax_cross_entropy", "first axis", (Normal((5, 3, 2)), Weights((5, 3, 2))), {"axis": 0}),
    Case("softmax_cross_entropy_with_integer_labels", "last axis", (Normal((4, 5)), Classes((4,), 5))),
    Case("softmax_cross_entropy_with_integer_labels", "axis 1", (Normal((2, 5, 3)), Classes((2, 3), 5)), {"axis": 1}),
    Case("squared_error", "two arrays", (Normal((4, 3)), Normal((4, 3)))),
    Case("squared_error", "to zero", (Normal((4, 3)),)),
)
