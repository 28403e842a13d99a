"""Cases of pools."""

from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Distinct, Normal


def _pools(label: str, x: tuple[int, ...], window: tuple[int, ...], **options: Any) -> list[Case]:
    options = {"window_shape": window, **options}
    return [
        Case("max_pool", label, (Distinct(x),), options),
        Case("avg_pool", label, (Normal(x),), options),
        Case("avg_pool", f"{label}, pad not counted", (Normal(x),), options | {"count_include_pad": False}),
    ]


CASES: tuple[Case, ...] = (
    *_pools("2x2 stride 2", (2, 6, 4, 3), (2, 2), strides=2),
    *_pools("rows left over", (1, 7, 5, 1), (2, 2), strides=2),
    *_pools("overlapping", (2, 6, 5, 2), (3, 2), strides=(2, 1)),
    *_pools("same", (2, 5, 6, 2), (3, 2), strides=2, padding="SAME"),
    *_pools("window under stride", (2, 8, 7, 2), (2, 1), strides=3),
    *_pools("cropped", (2, 7, 6, 2), (2, 3), strides=(2, 1), padding=((-1, 1), (2, -2))),
    *_pools("1-D", (2, 9, 3), (3,), padding=1),
    *_pools("3-D", (1, 4, 5, 3, 2), (2, 3, 2), strides=(2, 1, 1)),
    *_pools("two batch axes", (2, 2, 4, 5, 2), (2, 2)),
    Case("global_avg_pool", "2-D", (Normal((2, 5, 4, 3)),)),
    Case("global_avg_pool", "1-D, two batch axes", (Normal((2, 3, 5, 2)),), {"spatial_rank": 1}),
)
