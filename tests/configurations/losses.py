"""Random configurations of losses.

Errors, and products of scores and targets, are odd multiples of 1 / 128 or of 1: away from the kinks at 0, 1 and delta.
Class weights and weights of positives are exact in every dtype.
"""

import functools
import math

import numpy as np

from jaxcnn.gradcheck.cases import Case, Classes, Distinct, Normal, Uniform, Weights

REDUCTIONS = ("none", "mean", "sum")
INTEGER = "softmax_cross_entropy_with_integer_labels"


def shape_of(rng, least=0, most=3):
    """Draw a shape of `least` to `most` axes and at most 64 elements."""
    return tuple(int(n) for n in rng.integers(1, 5, rng.integers(least, most + 1)))


def mask_of(rng, shape):
    """Draw a mask that broadcasts to a shape, some axes of size 1, and is not False everywhere."""
    mask = np.array(rng.random([1 if rng.random() < 0.25 else n for n in shape]) < 0.7)
    mask[tuple(rng.integers(n) for n in mask.shape)] = True
    return mask


def exact(rng, shape):
    """Draw weights from 0 to 4, as multiples of 1/8."""
    return rng.integers(0, 33, shape) / 8


def elementwise(op, rng):
    """Draw a loss of one value an element."""
    shape = shape_of(rng)
    options = {"reduction": str(rng.choice(REDUCTIONS))}
    if rng.random() < 0.5:
        options["where"] = mask_of(rng, shape)
    if op == "hinge_loss":
        inputs = (Distinct(shape), Distinct(shape, step=2))
    elif op.startswith("sigmoid"):
        inputs = (Normal(shape), Uniform(shape, 0, 1))
    else:  # optax's log_cosh, in float32, has no digits of small errors
        step = 2 if op == "log_cosh" else 1 / 64
        inputs = (Distinct(shape, step), Distinct(shape, 2 * step))[: rng.integers(1, 3)]
    if op == "huber_loss":
        options["delta"] = float(rng.choice([1 / 64, 1 / 16, 0.25, 1]))
    if op == "sigmoid_binary_cross_entropy" and rng.random() < 0.5:
        options["pos_weight"] = exact(rng, shape[int(rng.integers(len(shape) + 1)) :])
    if op == "sigmoid_binary_cross_entropy" and rng.random() < 0.5:
        options["weight"] = exact(rng, [1 if rng.random() < 0.25 else n for n in shape])
    if op == "sigmoid_focal_loss":
        options |= {"alpha": [None, 0.25, 0.5, 1.0][rng.integers(4)], "gamma": float(rng.choice([0, 0.5, 1, 2, 3.5]))}
    return Case(op, "drawn", inputs, options)


def over_classes(op, rng):
    """Draw a loss of one value an example, whose classes or components stand along one axis or several.

    There are two of them at least, in some example also of those that a mask leaves: the gradient of one is 0, which
    finite differences give with noise. A mean counts an example at least.
    """
    shape, axes = shape_of(rng, least=1), ()
    while math.prod(shape[a] for a in axes) < 2:
        shape = shape_of(rng, least=1)
        axes = tuple(int(a) for a in rng.permutation(len(shape))[: rng.integers(1, len(shape) + 1)])
    batch = tuple(n for a, n in enumerate(shape) if a not in axes)
    classes = math.prod(shape[a] for a in axes)
    options = {"axis": axis_of(op, rng, axes, len(shape)), "reduction": str(rng.choice(REDUCTIONS))}
    if rng.random() < 0.5:
        mask = mask_of(rng, shape)
        left = np.sum(np.broadcast_to(mask, shape), axes)
        by_class = np.max(left) > 1 and not (op.startswith("cosine") and np.any(left == 1))
        if by_class or batch:
            options["where"] = mask if by_class else mask_of(rng, batch)
    if op.startswith("cosine"):
        options["epsilon"] = float(rng.choice([0.0, 0.25]))
        return Case(op, "drawn", (Normal(shape), Normal(shape)), options)
    if op == "kl_divergence":
        options["log_target"] = bool(rng.random() < 0.5)
        return Case(op, "drawn", (Normal(shape), (Normal if options["log_target"] else Uniform)(shape)), options)
    options["label_smoothing"] = float(rng.choice([0, 0, 0.125, 0.5, 1]))
    if rng.random() < 0.5:
        options["class_weights"] = exact(rng, classes) + 1 / 8
    if op != INTEGER:
        return Case(op, "drawn", (Normal(shape), Weights(shape)), options)
    if rng.random() < 0.5:
        never_all = "where" not in options and math.prod(batch) > 7 and classes > 2
        options["ignore_index"] = int(rng.integers(-1, classes)) if options["reduction"] != "mean" or never_all else -1
    return Case(op, "drawn", (Normal(shape), Classes(batch, classes)), options)


def axis_of(op, rng, axes, rank):
    """Draw a way to say which axes: None for all, an int for one, negative numbers."""
    if op != INTEGER and axes == tuple(range(rank)) and rng.random() < 0.5:
        return None
    axes = tuple(a - rank * int(rng.integers(2)) for a in axes)
    return axes[0] if len(axes) == 1 and rng.random() < 0.7 else axes


DRAW = {
    **{
        op: functools.partial(elementwise, op)
        for op in (
            "squared_error",
            "l2_loss",
            "absolute_error",
            "huber_loss",
            "log_cosh",
            "sigmoid_binary_cross_entropy",
            "sigmoid_focal_loss",
            "hinge_loss",
        )
    },
    **{
        op: functools.partial(over_classes, op)
        for op in ("softmax_cross_entropy", INTEGER, "kl_divergence", "cosine_similarity", "cosine_distance")
    },
}
