"""Rows of activations."""

from jaxcnn.benchmark.cases._row import IMAGES, Row, row

ROWS: tuple[Row, ...] = (
    row("relu", "relu", IMAGES),
    row("relu6", "relu6", IMAGES),
    row("leaky_relu", "leaky_relu", IMAGES),
    row("sigmoid", "sigmoid", IMAGES),
    row("tanh", "tanh", IMAGES),
    row("gelu", "gelu", IMAGES),
)
