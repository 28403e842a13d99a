"""Rows of losses."""

from jaxcnn.benchmark.cases._row import Input, Row, row

_CLASSES = (1024, 1000)
_LOGITS = Input("logits", _CLASSES)
_PROBABILITIES = Input("labels", _CLASSES, "distribution")
_TWO = (Input("predictions", _CLASSES), Input("targets", _CLASSES))

ROWS: tuple[Row, ...] = (
    row("softmax_cross_entropy", "softmax_cross_entropy", _LOGITS, _PROBABILITIES),
    row(
        "softmax_cross_entropy, int",
        "softmax_cross_entropy_with_integer_labels",
        _LOGITS,
        Input("labels", _CLASSES[:1], "classes"),
    ),
    row(
        "softmax_cross_entropy, smoothed int",
        "softmax_cross_entropy_with_integer_labels",
        _LOGITS,
        Input("labels", _CLASSES[:1], "classes"),
        label_smoothing=0.1,
    ),
    row("sigmoid_binary_cross_entropy", "sigmoid_binary_cross_entropy", _LOGITS, _PROBABILITIES),
    row("sigmoid_focal_loss", "sigmoid_focal_loss", _LOGITS, _PROBABILITIES, alpha=0.25),
    row("hinge_loss", "hinge_loss", Input("predictor_outputs", _CLASSES), Input("targets", _CLASSES)),
    row("squared_error", "squared_error", *_TWO),
    row("l2_loss", "l2_loss", *_TWO),
    row("absolute_error", "absolute_error", *_TWO),
    row("huber_loss", "huber_loss", *_TWO),
    row("log_cosh", "log_cosh", *_TWO),
    row(
        "kl_divergence",
        "kl_divergence",
        Input("log_predictions", _CLASSES),
        Input("targets", _CLASSES, "distribution"),
    ),
    row("cosine_similarity", "cosine_similarity", *_TWO),
    row("cosine_distance", "cosine_distance", *_TWO),
)
