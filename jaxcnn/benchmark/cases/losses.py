"""Rows of losses."""

from jaxcnn.benchmark.cases._row import Input, Row, row

_CLASSES = (1024, 1000)
_LOGITS = Input("logits", _CLASSES)

ROWS: tuple[Row, ...] = (
    row("softmax_cross_entropy", "softmax_cross_entropy", _LOGITS, Input("labels", _CLASSES, "distribution")),
    row(
        "softmax_cross_entropy, int",
        "softmax_cross_entropy_with_integer_labels",
        _LOGITS,
        Input("labels", _CLASSES[:1], "classes"),
    ),
    row("squared_error", "squared_error", Input("predictions", _CLASSES), Input("targets", _CLASSES)),
)
