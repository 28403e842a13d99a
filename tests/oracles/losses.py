"""Losses by definition: one example after the other, and over its classes one after the other."""

import functools
import math

import numpy as np


def oracle(case):
    """Return the NumPy function of a case of a loss."""
    named = {
        "softmax_cross_entropy": soft_cross_entropy,
        "softmax_cross_entropy_with_integer_labels": integer_cross_entropy,
        "kl_divergence": kl_divergence,
        "cosine_similarity": cosine_similarity,
        "cosine_distance": functools.partial(cosine_similarity, distance=True),
    }
    options = dict(case.options)
    if case.op in named:
        return functools.partial(named[case.op], **options)
    shared = {name: options.pop(name) for name in ("where", "reduction") if name in options}
    return functools.partial(elementwise, ELEMENTWISE[case.op], options, **shared)


def places(shape, axis):
    """Yield, for each example, its index and the indices of its classes, in row-major order of `axis`."""
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = [a % len(shape) for a in axes]
    batch = [a for a in range(len(shape)) if a not in axes]
    for n in np.ndindex(*[shape[a] for a in batch]):
        classes = []
        for c in np.ndindex(*[shape[a] for a in axes]):
            at = dict(zip(batch, n, strict=True)) | dict(zip(axes, c, strict=True))
            classes.append(tuple(at[a] for a in range(len(shape))))
        yield n, classes


def taken(where, n, at):
    """Return whether the class at index `at`, of example n, takes part."""
    if where is None:
        return True
    where = np.asarray(where)
    index = n if where.ndim == len(n) else at
    return bool(where[tuple(i if size > 1 else 0 for i, size in zip(index, where.shape, strict=True))])


def reduced(losses, counts, shape, reduction):
    """Return the losses, given in row-major order, as an array; their sum; or their mean over what counts."""
    if reduction == "none":
        return np.reshape(losses, shape)
    total, count = math.fsum(losses), math.fsum(counts)
    if reduction == "sum":
        return np.float64(total)
    return np.float64(total / count if count else math.nan)


def over_examples(shape, axis, where, reduction, of_example):
    """Reduce `of_example(n, classes that take part, all classes) -> (loss, count)` over examples with any class."""
    losses, counts, batch = [], [], ()
    for n, classes in places(shape, axis):
        present = [at for at in classes if taken(where, n, at)]
        loss, count = of_example(n, present, classes) if present else (0.0, 0.0)
        losses, counts, batch = [*losses, loss], [*counts, count], tuple(i + 1 for i in n)
    return reduced(losses, counts, batch, reduction)


def soft_cross_entropy(logits, labels, axis=-1, where=None, label_smoothing=0.0, class_weights=None, reduction="none"):
    """Add -w_i ((1 - s) l_i + s / C) log p_i over the C classes that take part."""
    labels = np.broadcast_to(labels, logits.shape)

    def of_example(n, present, classes):
        weights = (
            dict.fromkeys(classes, 1.0) if class_weights is None else dict(zip(classes, class_weights, strict=True))
        )
        normaliser = math.fsum(math.exp(logits[at]) for at in present)
        loss = 0.0
        for at in present:
            share = (1 - label_smoothing) * labels[at] + label_smoothing / len(present)
            loss -= weights[at] * share * math.log(math.exp(logits[at]) / normaliser)
        return loss, 1.0

    return over_examples(logits.shape, axis, where, reduction, of_example)


def integer_cross_entropy(
    logits, labels, axis=-1, where=None, label_smoothing=0.0, class_weights=None, ignore_index=None, reduction="none"
):
    """Add -(1 - s) w_t log p_t and -(s / C) w_i log p_i over the C classes that take part."""

    def of_example(n, present, classes):
        label = int(labels[n])
        if label == ignore_index:
            return 0.0, 0.0
        weights = (
            dict.fromkeys(classes, 1.0) if class_weights is None else dict(zip(classes, class_weights, strict=True))
        )
        normaliser = math.log(math.fsum(math.exp(logits[at]) for at in present))
        t = classes[label]
        loss = (1 - label_smoothing) * weights[t] * (normaliser - logits[t])
        for at in present:
            loss += label_smoothing / len(present) * weights[at] * (normaliser - logits[at])
        return loss, weights[t]

    return over_examples(logits.shape, axis, where, reduction, of_example)


def kl_divergence(log_predictions, targets, axis=-1, where=None, log_target=False, reduction="none"):
    """Add t_i (log t_i - q_i)."""
    targets = np.broadcast_to(np.exp(targets) if log_target else targets, log_predictions.shape)

    def of_example(n, present, classes):
        return math.fsum(
            targets[at] * (math.log(targets[at]) - log_predictions[at]) for at in present if targets[at]
        ), 1.0

    return over_examples(log_predictions.shape, axis, where, reduction, of_example)


def cosine_similarity(predictions, targets, epsilon=0.0, axis=-1, where=None, reduction="none", distance=False):
    """Divide the inner product by both norms."""
    targets = np.broadcast_to(targets, predictions.shape)

    def of_example(n, present, classes):
        lengths = [max(math.fsum(x[at] ** 2 for at in present), epsilon) for x in (predictions, targets)]
        cosine = math.fsum(predictions[at] * targets[at] for at in present) / math.sqrt(math.prod(lengths))
        return 1 - cosine if distance else cosine, 1.0

    return over_examples(predictions.shape, axis, where, reduction, of_example)


def elementwise(of_numbers, options, x, targets=None, *, where=None, reduction="none"):
    """Apply a function of two numbers to every pair that takes part."""
    targets = np.zeros(x.shape) if targets is None else np.broadcast_to(targets, x.shape)
    options = {name: np.broadcast_to(np.asarray(v, object), x.shape) for name, v in options.items()}
    mask = np.broadcast_to(True if where is None else where, x.shape)
    losses = []
    for at in np.ndindex(*x.shape):
        given = {name: v[at] for name, v in options.items()}
        losses.append(of_numbers(float(x[at]), float(targets[at]), **given) if mask[at] else 0.0)
    return reduced(losses, mask.astype(float).ravel(), x.shape, reduction)


def huber(p, t, delta=1.0):
    """Return half the squared error, or the line that goes on from delta."""
    return 0.5 * (p - t) ** 2 if abs(p - t) <= delta else delta * (abs(p - t) - 0.5 * delta)


def binary_cross_entropy(z, y, pos_weight=1.0, weight=1.0):
    """Return the cross entropy of the sigmoid, weighed."""
    p = 1 / (1 + math.exp(-z))
    return weight * (-pos_weight * y * math.log(p) - (1 - y) * math.log(1 - p))


def focal(z, y, alpha=None, gamma=2.0):
    """Return the cross entropy times a power of the probability of a mistake."""
    p = 1 / (1 + math.exp(-z))
    weight = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return weight * (y * (1 - p) + (1 - y) * p) ** gamma * binary_cross_entropy(z, y)


ELEMENTWISE = {
    "squared_error": lambda p, t: (p - t) ** 2,
    "l2_loss": lambda p, t: (p - t) ** 2 / 2,
    "absolute_error": lambda p, t: abs(p - t),
    "huber_loss": huber,
    "log_cosh": lambda p, t: math.log(math.cosh(p - t)),
    "sigmoid_binary_cross_entropy": binary_cross_entropy,
    "sigmoid_focal_loss": focal,
    "hinge_loss": lambda z, y: max(0.0, 1 - z * y),
}
