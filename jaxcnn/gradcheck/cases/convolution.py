"""Cases of convolutions."""

from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Normal


def _conv(label: str, x: tuple[int, ...], kernel: tuple[int, ...], bias: bool = False, **options: Any) -> Case:
    return _of("conv", label, x, kernel, bias, options)


def _depthwise(label: str, x: tuple[int, ...], kernel: tuple[int, ...], bias: bool = False, **options: Any) -> Case:
    return _of("depthwise_conv", label, x, kernel, bias, options)


def _transpose(label: str, x: tuple[int, ...], kernel: tuple[int, ...], bias: bool = False, **options: Any) -> Case:
    return _of("conv_transpose", label, x, kernel, bias, options)


def _general(label: str, lhs: tuple[int, ...], rhs: tuple[int, ...], **options: Any) -> Case:
    return _of("conv_general_dilated", label, lhs, rhs, False, options)


def _of(op: str, label: str, x: tuple[int, ...], kernel: tuple[int, ...], bias: bool, options: dict[str, Any]) -> Case:
    inputs = [Normal(x), Normal(kernel)] + [Normal(kernel[-1:])] * bias
    return Case(op, label, tuple(inputs), options)


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
    _conv("depthwise, input dilation", (2, 4, 3, 3), (2, 2, 1, 3), input_dilation=(2, 1), feature_group_count=3),
    _conv("groups", (2, 5, 4, 4), (3, 2, 2, 6), feature_group_count=2, bias=True),
    _conv("depthwise, two a channel", (2, 6, 5, 3), (3, 2, 1, 6), feature_group_count=3, strides=2),
    _conv("all at once", (2, 7, 6, 4), (2, 3, 2, 4), feature_group_count=2, strides=(2, 3), input_dilation=(2, 1),
          kernel_dilation=(1, 2), padding=((1, -1), (-2, 3))),
    _conv("pointwise", (2, 4, 3, 5), (1, 1, 5, 2)),
    _conv("1-D", (2, 9, 3), (4, 3, 2), strides=2, bias=True),
    _conv("3-D", (1, 4, 5, 3, 2), (2, 3, 2, 2, 3), strides=(1, 2, 1), bias=True),
    _conv("two batch axes", (2, 3, 5, 4, 2), (2, 2, 2, 3)),
    _conv("no batch axis", (5, 4, 2), (2, 2, 2, 3), bias=True),
    _conv("circular", (2, 4, 3, 2), (3, 4, 2, 3), padding="CIRCULAR", bias=True),
    _conv("reflected", (2, 5, 2), (3, 2, 3), padding="REFLECT", kernel_dilation=2, strides=2),
    _conv("replicated, channels first", (2, 2, 4, 3), (3, 2, 2, 3), padding="REPLICATE",
          dimension_numbers=("NCHW", "HWIO", "NCHW")),
    _conv("causal", (2, 6, 2), (3, 2, 3), padding="CAUSAL", kernel_dilation=2),
    _conv("channels first", (2, 3, 5, 4), (2, 3, 3, 2), dimension_numbers=("NCHW", "OIHW", "NHWC"), strides=(2, 1)),
    _depthwise("three a channel", (2, 5, 4, 2), (3, 2, 1, 6), bias=True, strides=2),
    Case("separable_conv", "2-D", (Normal((2, 5, 4, 2)), Normal((3, 2, 1, 4)), Normal((1, 1, 4, 3)), Normal((3,)))),
    Case("weight_standardized_conv", "2-D", (Normal((2, 4, 3, 4)), Normal((2, 3, 2, 6)), Normal((6,)), Normal((6,))),
         {"strides": (1, 2), "feature_group_count": 2}, keywords=("scale",)),
    _general("lax's layout", (2, 4, 6, 5), (6, 2, 3, 2), window_strides=(2, 1), padding="SAME", feature_group_count=2),
    _general("batch groups", (5, 4, 3, 4), (3, 2, 3, 6), window_strides=(1, 2), padding=((1, 0), (2, 1)),
             lhs_dilation=(1, 2), dimension_numbers=("HWCN", "HWIO", "NWHC"), batch_group_count=2),
    Case("conv_local", "2-D", (Normal((2, 4, 3, 2)), Normal((2, 3, 3, 2, 2, 3)), Normal((2, 3, 3))),
         {"strides": (2, 1)}),
    Case("conv_local", "1-D, no batch axis", (Normal((6, 2)), Normal((2, 3, 2, 1))),
         {"padding": "VALID", "kernel_dilation": 2}),
    _transpose("same", (2, 4, 3, 2), (3, 4, 2, 3), bias=True, strides=(2, 3)),
    _transpose("valid, dilated, one more", (1, 3, 4, 2), (2, 3, 2, 1), strides=2, padding="VALID",
               kernel_dilation=(1, 2), output_padding=(1, 0)),
    _transpose("kernel of the adjoint, groups", (2, 3, 4, 4), (3, 2, 3, 4), strides=2, padding="SAME",
               output_shape=(5, 7), feature_group_count=2, transpose_kernel=True),
    _transpose("channels first", (2, 2, 4, 3), (3, 2, 2, 3), strides=(1, 2), transpose_kernel=True,
               dimension_numbers=("NCHW", "IOHW", "NCHW")),
    _transpose("1-D, pairs", (2, 5, 3), (4, 3, 2), strides=3, padding=((2, -1),)),
)  # fmt: skip
