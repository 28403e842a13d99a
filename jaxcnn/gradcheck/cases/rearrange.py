"""Cases of the layers that move elements."""

from jaxcnn.gradcheck.cases._case import Case, Normal

CASES: tuple[Case, ...] = (
    Case("flatten", "2-D", (Normal((2, 3, 4, 2)),)),
    Case("flatten", "two batch axes", (Normal((2, 3, 4, 2)),), {"batch_rank": 2}),
)
