"""Cases of dense and bias_add."""

from jaxcnn.gradcheck.cases._case import Case, Normal

CASES: tuple[Case, ...] = (
    Case("dense", "with bias", (Normal((4, 5)), Normal((5, 3)), Normal((3,)))),
    Case("dense", "two batch axes", (Normal((2, 3, 5)), Normal((5, 4)))),
    Case("dense", "no batch axis", (Normal((5,)), Normal((5, 4)), Normal((4,)))),
    Case("bias_add", "2-D", (Normal((2, 5, 4, 3)), Normal((3,)))),
    Case("bias_add", "no batch axis", (Normal((3,)), Normal((3,)))),
)
