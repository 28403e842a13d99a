"""Cases of losses.

Errors, and products of scores and targets, are odd multiples of 1 / 128: away from the kinks at 0, 1 and delta.
"""

import numpy as np

from jaxcnn.gradcheck.cases._case import Case, Classes, Distinct, Normal, Uniform, Weights

_WHERE = np.array([[True, False, True], [True, True, True], [False, False, False], [False, True, True]])
_ERRORS = (Distinct((4, 3)), Distinct((4, 3), step=1 / 32))
_BINARY = (Normal((4, 3)), Uniform((4, 3), 0, 1))
_INTEGER = "softmax_cross_entropy_with_integer_labels"

CASES: tuple[Case, ...] = (
    Case("softmax_cross_entropy", "soft labels", (Normal((4, 5)), Weights((4, 5)))),
    Case("softmax_cross_entropy", "first axis", (Normal((5, 3, 2)), Weights((5, 3, 2))), {"axis": 0}),
    Case("softmax_cross_entropy", "weights, smoothed, mean, two axes", (Normal((2, 3, 2)), Weights((2, 3, 2))),
         {"axis": (2, 0), "class_weights": (0.5, 2.0, 0.0, 1.25), "label_smoothing": 0.25, "reduction": "mean"}),
    Case("softmax_cross_entropy", "masked classes, smoothed, sum", (Normal((4, 3)), Weights((4, 3))),
         {"where": _WHERE, "label_smoothing": 0.1, "reduction": "sum"}),
    Case(_INTEGER, "last axis", (Normal((4, 5)), Classes((4,), 5))),
    Case(_INTEGER, "axis 1", (Normal((2, 5, 3)), Classes((2, 3), 5)), {"axis": 1}),
    Case(_INTEGER, "weights, smoothed, a class ignored, mean", (Normal((6, 4)), Classes((6,), 4)),
         {"class_weights": (0.5, 2.0, 0.0, 1.25), "label_smoothing": 0.25, "ignore_index": 1, "reduction": "mean"}),
    Case(_INTEGER, "masked classes, smoothed", (Normal((4, 3)), Classes((4,), 3)),
         {"where": _WHERE, "label_smoothing": 0.1}),
    Case("squared_error", "two arrays", (Normal((4, 3)), Normal((4, 3)))),
    Case("squared_error", "to zero", (Normal((4, 3)),)),
    Case("squared_error", "masked mean", (Normal((4, 3)), Normal((4, 3))), {"where": _WHERE, "reduction": "mean"}),
    Case("l2_loss", "masked", (Normal((4, 3)), Normal((4, 3))), {"where": _WHERE}),
    Case("absolute_error", "masked mean", _ERRORS, {"where": _WHERE, "reduction": "mean"}),
    Case("huber_loss", "delta 1/16", _ERRORS, {"delta": 1 / 16}),
    Case("log_cosh", "two arrays", (Normal((4, 3)), Normal((4, 3)))),
    Case("sigmoid_binary_cross_entropy", "soft labels", _BINARY),
    Case("sigmoid_binary_cross_entropy", "weights, masked mean", _BINARY,
         {"pos_weight": (0.5, 2.0, 4.0), "where": _WHERE, "reduction": "mean"}),
    Case("sigmoid_binary_cross_entropy", "weights of elements and of positives, mean", _BINARY,
         {"weight": ((0.5,), (2.0,), (0.0,), (1.0,)), "pos_weight": (0.5, 2.0, 4.0), "reduction": "mean"}),
    Case("sigmoid_focal_loss", "gamma 2", _BINARY),
    Case("sigmoid_focal_loss", "alpha, gamma 0.5, masked sum", _BINARY,
         {"alpha": 0.25, "gamma": 0.5, "where": _WHERE, "reduction": "sum"}),
    Case("hinge_loss", "masked", (Distinct((4, 3)), Distinct((4, 3), step=2)), {"where": _WHERE}),
    Case("kl_divergence", "axis 1", (Normal((2, 3, 2)), Uniform((2, 3, 2))), {"axis": 1}),
    Case("kl_divergence", "masked mean", (Normal((4, 3)), Uniform((4, 3))), {"where": _WHERE, "reduction": "mean"}),
    Case("kl_divergence", "logarithms, masked mean", (Normal((4, 3)), Normal((4, 3))),
         {"where": _WHERE, "log_target": True, "reduction": "mean"}),
    Case("cosine_similarity", "last axis", (Normal((4, 3)), Normal((4, 3)))),
    Case("cosine_distance", "masked mean over axis 0", (Normal((4, 3)), Normal((4, 3))),
         {"where": _WHERE, "axis": 0, "epsilon": 0.125, "reduction": "mean"}),
)  # fmt: skip
