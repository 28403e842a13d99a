"""Rows of dense and bias_add."""

from jaxcnn.benchmark.cases._row import IMAGES, Input, Row, row

ROWS: tuple[Row, ...] = (
    row("bias_add", "bias_add", IMAGES, Input("bias", IMAGES[-1:]), linear=True),
    row("dense", "dense", (128, 3136), Input("kernel", (3136, 256)), linear=True),
)
