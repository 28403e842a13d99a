"""Rows of softmax and log_softmax."""

from jaxcnn.benchmark.cases._row import Row, row

ROWS: tuple[Row, ...] = (
    row("softmax", "softmax", (1024, 1000)),
    row("log_softmax", "log_softmax", (1024, 1000)),
)
