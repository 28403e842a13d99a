"""Cases of norms."""

from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Normal


def _norms(label: str, x: tuple[int, ...], parameters: int, **options: Any) -> list[Case]:
    inputs = (Normal(x), *[Normal(x[-1:])] * parameters)
    return [Case(op, label, inputs, options) for op in ("batch_norm", "layer_norm")]


CASES: tuple[Case, ...] = (
    *_norms("2-D, scale and bias", (2, 5, 4, 3), 2),
    *_norms("2-D, scale, large epsilon", (2, 3, 4, 5), 1, epsilon=0.5),
    *_norms("no spatial axis", (6, 5), 0),
    *_norms("no spatial axis, scale and bias", (5, 4), 2),
    Case("layer_norm", "no batch axis", (Normal((5,)), Normal((5,)), Normal((5,)))),
)
