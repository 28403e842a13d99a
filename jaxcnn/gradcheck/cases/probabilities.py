"""Cases of softmax and log_softmax."""

from jaxcnn.gradcheck.cases._case import Case, Normal

CASES: tuple[Case, ...] = (
    *(
        case
        for op in ("softmax", "log_softmax")
        for case in (
            Case(op, "last axis", (Normal((4, 5)),)),
            Case(op, "two axes", (Normal((3, 4, 5)),), {"axis": (0, 2)}),
        )
    ),
)
