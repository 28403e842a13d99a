"""Rows of convolutions."""

from jaxcnn.benchmark.cases._row import Input, Row, conv_row

ROWS: tuple[Row, ...] = (
    conv_row("LeNet conv1", (128, 28, 28, 1), (5, 5, 1, 32)),
    conv_row("LeNet conv2", (128, 14, 14, 32), (5, 5, 32, 64)),
    conv_row("RGB stem", (64, 32, 32, 3), (3, 3, 3, 64)),
    conv_row("ResNet 64", (32, 32, 32, 64), (3, 3, 64, 64)),
    conv_row("ResNet 128", (32, 16, 16, 128), (3, 3, 128, 128)),
    conv_row("ResNet 256", (32, 8, 8, 256), (3, 3, 256, 256)),
    conv_row("stride 2", (32, 32, 32, 64), (3, 3, 64, 128), strides=2),
    conv_row("1x1", (32, 32, 32, 64), (1, 1, 64, 256)),
    conv_row("1x1 stride 2", (32, 32, 32, 64), (1, 1, 64, 128), strides=2),
    conv_row("7x7 stride 2", (16, 64, 64, 3), (7, 7, 3, 64), strides=2),
    conv_row("dilated 2", (16, 32, 32, 64), (3, 3, 64, 64), kernel_dilation=2),
    conv_row("4 groups", (16, 32, 32, 64), (3, 3, 16, 64)),
    conv_row("32 groups", (16, 32, 32, 128), (3, 3, 4, 128)),
    conv_row("depthwise 3x3", (16, 32, 32, 64), (3, 3, 1, 64)),
    conv_row("depthwise 7x7", (4, 32, 32, 96), (7, 7, 1, 96)),
    conv_row("depthwise 1-D", (8, 512, 128), (5, 1, 128)),
    conv_row("depthwise x2 stride 2", (16, 32, 32, 64), (3, 3, 1, 128), strides=2),
    conv_row("depthwise dilated 2", (16, 32, 32, 64), (3, 3, 1, 64), kernel_dilation=2),
    conv_row("3-D", (2, 16, 32, 32, 16), (3, 3, 3, 16, 32)),
    conv_row("transposed k4 s2", (8, 16, 16, 64), (4, 4, 64, 32), input_dilation=2, padding=2),
    conv_row("patchify 4x4", (32, 64, 64, 3), (4, 4, 3, 96), strides=4, padding="VALID"),
    conv_row("patchify 2x2", (32, 16, 16, 80), (2, 2, 80, 160), strides=2, padding="VALID"),
    conv_row("patchify 16x16", (8, 224, 224, 3), (16, 16, 3, 384), strides=16),
    Row("1x1 in scan", "conv_in_scan", (Input("x", (16, 32, 32, 64)), Input("kernels", (8, 1, 1, 64, 64)))),
)
