"""Cases of norms."""

from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Mask, Normal, Uniform


def _norm(op: str, label: str, x: tuple[int, ...], parameters: int = 0, **options: Any) -> Case:
    return Case(op, label, (Normal(x), *[Normal(x[-1:])] * parameters), options)


def _norms(label: str, x: tuple[int, ...], parameters: int, **options: Any) -> list[Case]:
    return [_norm(op, label, x, parameters, **options) for op in ("batch_norm", "layer_norm")]


def _masked(op: str, label: str, x: tuple[int, ...], mask: tuple[int, ...], **options: Any) -> Case:
    return Case(op, label, (Normal(x), Normal(x[-1:]), Mask(mask)), options | {"epsilon": 0.1}, ("where",))


CASES: tuple[Case, ...] = (
    *_norms("2-D, scale and bias", (2, 5, 4, 3), 2),
    *_norms("2-D, scale, large epsilon", (2, 3, 4, 5), 1, epsilon=0.5),
    *_norms("no spatial axis", (6, 5), 0),
    *_norms("no spatial axis, scale and bias", (5, 4), 2),
    Case(
        "batch_norm",
        "statistics given",
        (Normal((2, 3, 4, 3)), *[Normal((3,))] * 3, Uniform((3,), 0.5, 2.0)),
        keywords=("mean", "variance"),
    ),
    *[
        _masked(op, "masked", x, mask, **options)
        for op, x, mask, options in (
            ("batch_norm", (2, 3, 4, 3), (2, 3, 4, 1), {}),
            ("layer_norm", (2, 3, 5), (2, 1, 5), {}),
            ("rms_norm", (3, 5), (3, 5), {}),
            ("group_norm", (2, 5, 4), (2, 5, 4), {"num_groups": 2}),
            ("instance_norm", (2, 3, 4, 3), (1, 3, 4, 1), {}),
        )
    ],
    _norm("layer_norm", "no batch axis", (5,), 2),
    _norm("rms_norm", "2-D, scale", (2, 3, 4, 5), 1),
    _norm("rms_norm", "no batch axis, large epsilon", (5,), epsilon=0.5),
    _norm("group_norm", "2-D, scale and bias", (2, 3, 4, 6), 2, num_groups=2),
    _norm("group_norm", "no spatial axis", (3, 8), num_groups=2),
    _norm("group_norm", "two batch axes", (2, 2, 3, 4), num_groups=4, spatial_rank=1, epsilon=0.1),
    _norm("instance_norm", "2-D, scale and bias", (2, 3, 4, 3), 2),
    _norm("instance_norm", "no batch axis", (7, 2), spatial_rank=1),
    _norm("weight_standardization", "2-D, scale", (3, 2, 2, 4), 1),
    _norm("weight_standardization", "dense", (6, 3), epsilon=0.1),
    Case("running_statistics", "of batch norm", tuple(Normal((3,)) for _ in range(4)), {"momentum": 0.75}),
    Case(
        "running_statistics",
        "of instance norm, Bessel's correction",
        (Normal((3,)), Normal((3,)), Normal((4, 3)), Normal((4, 3))),
        {"momentum": 0.9, "count": 5},
    ),
    _norm("local_response_norm", "2-D", (2, 3, 2, 7), size=3, alpha=0.5),
    _norm("local_response_norm", "even window beyond the channels", (2, 3), size=8, alpha=2.0, beta=0.5, k=2.0),
)
