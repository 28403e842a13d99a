"""Cases of convolutions."""

from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Normal


def _conv(label: str, x: tuple[int, ...], kernel: tuple[int, ...], bias: bool = False, **options: Any) -> Case:
    inputs = [Normal(x), Normal(kernel)] + [Normal(kernel[-1:])] * bias
    return Case("conv", label, tuple(inputs), options)


CASES: tuple[Case, ...] = (
    _conv("2-D", (2, 6, 5, 3), (3, 2, 3, 4), bias=True),
    _conv("valid, one image, one channel", (1, 5, 4, 1), (2, 3, 1, 2), padding="VALID"),
    _conv("stride does not divide", (2, 8, 7, 2), (3, 2, 2, 3), strides=(3, 2), padding="VALID"),
    _conv("stride over kernel", (2, 7, 8, 2), (1, 2, 2, 3), strides=3),
    _conv("same lower", (2, 6, 5, 2), (2, 4, 2, 3), strides=(2, 1), padding="SAME_LOWER"),
    _conv("asymmetric padding", (2, 5, 4, 2), (3, 2, 2, 3), padding=((2, 0), (1, 3))),
    _conv("cropped", (2, 7, 6, 2), (3, 2, 2, 3), padding=((-1, 2), (1, -2)), strides=2),
    _conv("kernel dilation", (2, 9, 8, 2), (3, 2, 2, 3), kernel_dilation=(2, 3), strides=(1, 2)),
    _conv("input dilation", (2, 4, 3, 2), (3, 2, 2, 3), input_dilation=(2, 3), strides=(3, 2)),
    _conv("groups", (2, 5, 4, 4), (3, 2, 2, 6), feature_group_count=2, bias=True),
    _conv("depthwise, two a channel", (2, 6, 5, 3), (3, 2, 1, 6), feature_group_count=3, strides=2),
    _conv("all at once", (2, 7, 6, 4), (2, 3, 2, 4), feature_group_count=2, strides=(2, 3), input_dilation=(2, 1),
          kernel_dilation=(1, 2), padding=((1, -1), (-2, 3))),
    _conv("pointwise", (2, 4, 3, 5), (1, 1, 5, 2)),
    _conv("1-D", (2, 9, 3), (4, 3, 2), strides=2, bias=True),
    _conv("3-D", (1, 4, 5, 3, 2), (2, 3, 2, 2, 3), strides=(1, 2, 1), bias=True),
    _conv("two batch axes", (2, 3, 5, 4, 2), (2, 2, 2, 3)),
    _conv("no batch axis", (5, 4, 2), (2, 2, 2, 3), bias=True),
)  # fmt: skip
