"""Cases of pad."""

from jaxcnn.gradcheck.cases._case import Case, Normal

CASES: tuple[Case, ...] = (
    Case("pad", "constant, cropped", (Normal((2, 3, 4, 2)),), {"padding": ((1, -2), (-1, 3)), "value": 0.5}),
    Case("pad", "edge", (Normal((2, 3, 4, 2)),), {"padding": ((1, 2), (3, 0)), "mode": "edge"}),
    Case("pad", "reflect, cropped", (Normal((2, 5, 3, 1)),), {"padding": ((2, -1), 1), "mode": "reflect"}),
    Case("pad", "symmetric, over the axis", (Normal((3, 1, 2)),), {"padding": ((7, 4), 2), "mode": "symmetric"}),
    Case("pad", "wrap, over the axis", (Normal((3, 1, 2)),), {"padding": ((7, 4), 2), "mode": "wrap"}),
)
