"""Cases of pools."""

import math
from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Distinct, Normal, Places


def _pools(label: str, x: tuple[int, ...], window: tuple[int, ...], **options: Any) -> list[Case]:
    options = {"window_shape": window, **options}
    return [
        Case("max_pool", label, (Distinct(x),), options),
        Case("avg_pool", label, (Normal(x),), options),
        Case("avg_pool", f"{label}, pad not counted", (Normal(x),), options | {"count_include_pad": False}),
    ]


def _adaptive(label: str, x: tuple[int, ...], sizes: tuple[int | None, ...]) -> list[Case]:
    return [
        Case(op, label, (Distinct(x),), {"output_size": sizes})
        for op in ("adaptive_avg_pool", "adaptive_max_pool", "adaptive_max_pool_with_indices")
    ]


_TOGETHER: dict[str, Any] = {
    "window_shape": (2, 3),
    "strides": (3, 2),
    "padding": ((-1, 2), (1, 1)),
    "window_dilation": (2, 1),
    "ceil_mode": True,
}

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
    *_pools("dilated", (2, 9, 7, 2), (3, 2), strides=(2, 1), padding=((2, 1), (0, 0)), window_dilation=(2, 3)),
    *_pools("ceil mode", (1, 6, 7, 2), (3, 2), strides=(2, 3), padding=1, ceil_mode=True),
    Case("avg_pool", "divisor", (Normal((1, 5, 4, 2)),), {"window_shape": (2, 3), "divisor_override": 5}),
    *(
        Case(op, "dilated, cropped, ceil mode", (Distinct((2, 8, 6, 2)),), _TOGETHER)
        for op in ("min_pool", "sum_pool", "max_pool_with_indices")
    ),
    Case("max_pool_with_indices", "1-D, overlapping", (Distinct((2, 6, 2)),), {"window_shape": (3,), "padding": 1}),
    Case("avg_pool", "channels first", (Normal((2, 2, 5, 4)),),
         {"window_shape": (2, 3), "strides": (2, 1), "dimension_numbers": "NCHW"}),
    Case("lp_pool", "norm 2", (Distinct((2, 6, 5, 2), 1 / 16),), {"norm": 2, "window_shape": (3, 2), "strides": 2}),
    Case("lp_pool", "norm 3, dilated", (Distinct((2, 8, 6, 2), 1 / 16),), {"norm": 3, **_TOGETHER}),
    Case("lp_pool", "norm 1.5", (Distinct((7, 2), 1 / 4),), {"norm": 1.5, "window_shape": (2,), "padding": "SAME"}),
    Case("lp_pool", "norm 1", (Distinct((7, 2), 1 / 4),), {"norm": 1, "window_shape": (2,), "padding": ((3, 0),)}),
    Case("lp_pool", "norm inf", (Normal((2, 6, 5, 2)),), {"norm": math.inf, "window_shape": (3, 2), "padding": 2}),
    Case("max_unpool", "2-D", (Normal((2, 3, 2, 3)), Places((2, 3, 2, 3), (4, 5))), {"output_size": (4, 5)}),
    Case("max_unpool", "1-D", (Normal((2, 1, 4, 2)), Places((2, 1, 4, 2), (5,))), {"output_size": (5,)}),
    *_adaptive("2-D", (2, 7, 5, 2), (3, 4)),
    *_adaptive("windows", (1, 6, 4, 2), (3, 2)),
    *_adaptive("more than there are", (3, 4, 2), (7,)),
    Case("global_max_pool", "2-D", (Distinct((2, 5, 4, 3)),)),
    Case("global_max_pool", "1-D, two batch axes", (Distinct((2, 3, 5, 2)),), {"spatial_rank": 1}),
    Case("global_avg_pool", "2-D", (Normal((2, 5, 4, 3)),)),
    Case("global_avg_pool", "1-D, two batch axes", (Normal((2, 3, 5, 2)),), {"spatial_rank": 1}),
)  # fmt: skip
