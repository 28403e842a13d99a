"""Cases of unfold and fold."""

from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Normal


def _both(label: str, x: tuple[int, ...], rows: tuple[int, ...], window: tuple[int, ...], **options: Any) -> list[Case]:
    options = {"window_shape": window, **options}
    size = x[-len(window) - 1 : -1]
    return [
        Case("unfold", label, (Normal(x),), options),
        Case("fold", label, (Normal(rows),), {"output_size": size, **options}),
    ]


CASES: tuple[Case, ...] = (
    *_both("2-D", (2, 4, 3, 2), (2, 2, 2, 12), (3, 2)),
    *_both("strides, dilation, padding", (1, 6, 5, 1), (1, 3, 3, 6), (2, 3), strides=(2, 1), window_dilation=(3, 2),
           padding=((2, 1), (3, -1))),
    *_both("no batch axis, same", (4, 2), (2, 6), (3,), strides=2, padding="SAME"),
)  # fmt: skip
