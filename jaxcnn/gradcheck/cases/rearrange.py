"""Cases of the layers that move elements."""

from jaxcnn.gradcheck.cases._case import Case, Normal

CASES: tuple[Case, ...] = (
    Case("flatten", "2-D", (Normal((2, 3, 4, 2)),)),
    Case("flatten", "two batch axes", (Normal((2, 3, 4, 2)),), {"batch_rank": 2}),
    Case("depth_to_space", "2-D", (Normal((2, 3, 2, 8)),), {"block_size": 2}),
    Case("depth_to_space", "no batch axis, 2x3", (Normal((2, 3, 12)),), {"block_size": (2, 3)}),
    Case("depth_to_space", "CRD, 2x3", (Normal((2, 2, 1, 12)),), {"block_size": (2, 3), "order": "CRD"}),
    Case("space_to_depth", "2-D", (Normal((2, 6, 4, 3)),), {"block_size": 2}),
    Case("space_to_depth", "3-D, two batch axes", (Normal((1, 2, 2, 3, 2, 2)),), {"block_size": (2, 3, 1)}),
    Case("space_to_depth", "CRD, 3-D", (Normal((1, 2, 3, 4, 2)),), {"block_size": (2, 1, 2), "order": "CRD"}),
)
