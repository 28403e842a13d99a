"""Cases of upsample_nearest and upsample_linear."""

from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Normal


def _both(label: str, x: tuple[int, ...], **options: Any) -> list[Case]:
    return [Case(op, label, (Normal(x),), options) for op in ("upsample_nearest", "upsample_linear")]


CASES: tuple[Case, ...] = (
    *_both("twice", (2, 3, 2, 2), scale_factor=2),
    *_both("by 1.7 and 0.6", (2, 4, 5, 1), scale_factor=(1.7, 0.6)),
    *_both("to 7", (4, 2), size=(7,)),
    Case("upsample_linear", "corners", (Normal((1, 3, 4, 2)),), {"size": (5, 3), "align_corners": True}),
    Case("upsample_linear", "corners, 3-D, to and from one", (Normal((1, 1, 3, 2, 1)),),
         {"scale_factor": (3, 2, 0.5), "align_corners": True}),
)  # fmt: skip
