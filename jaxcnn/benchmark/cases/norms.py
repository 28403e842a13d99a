"""Rows of norms."""

from jaxcnn.benchmark.cases._row import IMAGES, Input, Row, row

ROWS: tuple[Row, ...] = (
    row("batch_norm", "batch_norm", (32, 32, 32, 64), Input("scale", (64,)), Input("bias", (64,))),
    row("layer_norm", "layer_norm", IMAGES, Input("scale", IMAGES[-1:]), Input("bias", IMAGES[-1:])),
)
