"""One training step of the tutorial network as text, line by line, to be followed by hand."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxcnn.gradcheck.layerwise import Trace
from jaxcnn.gradcheck.side_by_side import factor, lines_beside, number, side_by_side, sum_of_products
from jaxcnn.gradcheck.tutorial_step import LARGEST_LOSS_OVER_SOFTMAX, Given, Step

HEADINGS = (["by the rules"], ["by jax.grad"])


def given_lines(given: Given) -> Iterator[str]:
    """Yield what the step starts from."""
    conv1, dense1 = given.params["conv1"], given.params["dense1"]
    yield "GIVEN"
    yield side_by_side("  image", given.image)
    for c in range(2):
        yield side_by_side(f"  conv1 kernel, map {c + 1}", conv1["kernel"][:, :, 0, c])
    yield side_by_side("  conv1 bias", conv1["bias"])
    yield side_by_side("  dense1 kernel", dense1["kernel"])
    yield side_by_side("  dense1 bias", dense1["bias"])
    yield side_by_side("  target, one-hot", given.onehot)


def forward_lines(given: Given, ours: Step, theirs: Step) -> Iterator[str]:
    """Yield the values of all layers to the softmax, which are the same for every loss."""
    values, others = ours.trace.values, theirs.trace.values
    conv1, dense1 = given.params["conv1"], given.params["dense1"]
    yield lines_beside("FORWARD", *HEADINGS)
    yield "conv1: net = sum of window * kernel, + bias; the first position of each map:"
    for c in range(2):
        net = number(values["conv1"][0, 0, 0, c])
        yield f"  map {c + 1}"
        yield f"    net = {sum_of_products(given.image[:2, :2], conv1['kernel'][:, :, 0, c], conv1['bias'][c])} = {net}"
        yield f"    out = relu({net}) = {number(values['relu'][0, 0, 0, c])}"
    yield from _map_lines("net", values["conv1"], others["conv1"])
    yield "relu: out = net where net > 0, else 0"
    yield from _map_lines("out", values["relu"], others["relu"])
    yield "pool: the largest out of the first 2x2 window; the last row and column fill no window"
    yield from _map_lines("pooled", values["pool"], others["pool"])
    yield "flatten: the pooled maps in one row"
    yield side_by_side("  features", values["flatten"], others["flatten"])
    yield "dense1: logit = sum of feature * kernel, + bias"
    for j in range(2):
        products = sum_of_products(values["flatten"], dense1["kernel"][:, j], dense1["bias"][j])
        yield f"  logit {j} = {products} = {number(values['dense1'][0, j])}"
    yield side_by_side("  logits", values["dense1"], others["dense1"])
    yield "softmax: p = exp(logit) / sum of exp(logits)"
    exps = _exponentials(values["dense1"])
    for j in range(2):
        yield f"  p {j} = {exps[j]} / ({' + '.join(exps)}) = {number(ours.probabilities[0, j])}"
    yield side_by_side("  p", ours.probabilities, theirs.probabilities)


def loss_lines(loss: str, given: Given, ours: Step, theirs: Step) -> Iterator[str]:
    """Yield the value of a loss."""
    value = number(ours.trace.values["loss"])
    if loss == "squared_error":
        pairs = zip(ours.probabilities[0], given.onehot, strict=True)
        yield "squared error: L = sum of (p - onehot)^2"
        yield f"  L = {' + '.join(f'({number(p)} - {number(t)})^2' for p, t in pairs)} = {value}"
    else:
        logits = ours.trace.values["dense1"]
        yield "cross entropy: L = -log(p of the target) = log(sum of exp(logits)) - logit of the target"
        yield f"  L = log({' + '.join(_exponentials(logits))}) - {factor(logits[0, given.onehot == 1][0])} = {value}"
    yield side_by_side("  L", ours.trace.values["loss"], theirs.trace.values["loss"])


def backward_lines(
    loss: str, given: Given, ours: Step, theirs: Step, longer: tuple[Trace, Trace] | None
) -> Iterator[str]:
    """Yield the error terms, dL/d(output) of each layer, from the last layer to the first, and the gradients.

    `longer` is the way back from the cross entropy over the softmax, None where there is none.
    """
    errors, others = ours.trace.errors, theirs.trace.errors
    grads, other_grads = ours.trace.grads, theirs.trace.grads
    yield lines_beside(f"BACKWARD, {loss.replace('_', ' ')}", *HEADINGS)
    if loss == "squared_error":
        yield from _squared_error_lines(given, ours, theirs)
    else:
        yield from _cross_entropy_lines(given, ours, longer)
    yield side_by_side("  error", errors["dense1"], others["dense1"])
    yield "  gradients: kernel[i, j] = feature i * error j, bias = error"
    features = ours.trace.values["flatten"][0]
    product = sum_of_products(features[:1], errors["dense1"][0, :1])
    yield f"  kernel[0, 0]: {product} = {number(grads['dense1']['kernel'][0, 0])}"
    for name in ("kernel", "bias"):
        yield side_by_side(f"  {name} gradient", grads["dense1"][name], other_grads["dense1"][name])
    yield "flatten: error of feature i = sum over j of error j * dense1 kernel[i, j]"
    for i in range(2):
        products = sum_of_products(errors["dense1"], given.params["dense1"]["kernel"][i])
        yield f"  feature {i}: {products} = {number(errors['flatten'][0, i])}"
    yield side_by_side("  error", errors["flatten"], others["flatten"])
    yield "pool: the same errors, one a map"
    yield from _map_lines("error", errors["pool"], others["pool"])
    yield "relu: the winner of the window takes the error, all others get 0"
    for c in range(2):
        yield f"  map {c + 1}: {_winner_text(ours.trace.values['relu'][0, :2, :2, c])}"
    yield from _map_lines("error", errors["relu"], others["relu"])
    yield "conv1: error = error of relu * mask, mask = 1 where net > 0, else 0"
    yield from _map_lines("mask", *(step.trace.values["conv1"] > 0 for step in (ours, theirs)))
    yield from _map_lines("error", errors["conv1"], others["conv1"])
    yield "  gradients: kernel[i, j] = sum of the image shifted by (i, j) * error, bias = sum of errors"
    for c in range(2):
        row, column = _winner(ours.trace.values["relu"][0, :2, :2, c])
        product = sum_of_products(given.image[row, column], errors["conv1"][0, row, column, c])
        yield f"  kernel[0, 0] of map {c + 1}: {product} = {number(grads['conv1']['kernel'][0, 0, 0, c])}"
    kernels = (step.trace.grads["conv1"]["kernel"][:, :, 0][None] for step in (ours, theirs))
    yield from _map_lines("kernel gradient", *kernels)
    yield side_by_side("  bias gradient", grads["conv1"]["bias"], other_grads["conv1"]["bias"])


def update_lines(loss: str, given: Given, ours: Step, theirs: Step) -> Iterator[str]:
    """Yield each weight before and after the step, and the loss after it."""
    yield lines_beside(f"UPDATE, {loss.replace('_', ' ')}", *HEADINGS)
    yield f"w <- w - {number(given.learning_rate)} * gradient"
    yield "  conv1 kernel[row, column, channel, map], dense1 kernel[feature, logit]"
    yield _row("  weight", ("old", "gradient", "new"), ("gradient", "new"))
    for layer, weights in given.params.items():
        for name, old in weights.items():
            results = [tree[layer][name] for step in (ours, theirs) for tree in (step.trace.grads, step.updated)]
            for index in np.ndindex(old.shape):
                cells = [number(array[index]) for array in (old, *results)]
                yield _row(f"  {layer} {name}{list(index)}", cells[:3], cells[3:])
    yield side_by_side("  L before", ours.trace.values["loss"], theirs.trace.values["loss"])
    yield side_by_side("  L after", ours.updated_loss, theirs.updated_loss)


def _squared_error_lines(given: Given, ours: Step, theirs: Step) -> Iterator[str]:
    """Yield the way from the squared error to the formula of the logits' error."""
    p, errors = ours.probabilities[0], ours.trace.errors["softmax"]
    yield "softmax: error = dL/dp = 2 (p - onehot)"
    for j in range(2):
        yield f"  p {j}: 2*({number(p[j])} - {number(given.onehot[j])}) = {number(errors[0, j])}"
    yield side_by_side("  error", errors, theirs.trace.errors["softmax"])
    yield "dense1: error = dL/dlogit = p (e - sum of e * p), with e the error of softmax"
    products = sum_of_products(errors, p)
    for j in range(2):
        result = number(ours.trace.errors["dense1"][0, j])
        yield f"  logit {j}: {number(p[j])}*({number(errors[0, j])} - ({products})) = {result}"


def _cross_entropy_lines(given: Given, ours: Step, longer: tuple[Trace, Trace] | None) -> Iterator[str]:
    """Yield the way from the cross entropy to the formula of the logits' error, over the softmax and without it."""
    p = ours.probabilities[0]
    if longer is None:
        limit = number(LARGEST_LOSS_OVER_SOFTMAX)
        yield f"softmax: error = dL/dp = -onehot / p, left out: L > {limit}, p of the target is too small to divide by"
    else:
        yield "softmax: error = dL/dp = -onehot / p"
        yield side_by_side("  error", *(trace.errors["softmax"] for trace in longer))
        yield "  p (e - sum of e * p), with e this error, would be the error of dense1:"
        yield side_by_side("  error of dense1", *(trace.dx for trace in longer))
    yield "dense1: error = dL/dlogit = p - onehot, the rule of softmax_cross_entropy, in one step"
    for j in range(2):
        result = number(ours.trace.errors["dense1"][0, j])
        yield f"  logit {j}: {number(p[j])} - {number(given.onehot[j])} = {result}"


def _map_lines(label: str, ours: Any, theirs: Any) -> Iterator[str]:
    """Yield maps `[1, H, W, C]`, channel by channel."""
    for c in range(ours.shape[-1]):
        yield side_by_side(f"  {label}, map {c + 1}", ours[0, ..., c], theirs[0, ..., c])


def _exponentials(logits: Any) -> list[str]:
    return [f"exp({number(logit)})" for logit in logits[0]]


def _winner(window: Any) -> tuple[int, int]:
    """Return the position of the largest element `[2, 2]`, the first in row-major order."""
    row, column = np.unravel_index(np.argmax(window), window.shape)
    return int(row), int(column)


def _winner_text(window: Any) -> str:
    winner = _winner(window)
    equal = int(np.sum(window == window[winner]))
    return f"the winner is {number(window[winner])} at {winner}" + (
        f", the first of {equal} equal" if equal > 1 else ""
    )


def _row(label: str, ours: Any, theirs: Any) -> str:
    return lines_beside(label, *(["".join(f"{cell:>11}" for cell in cells)] for cells in (ours, theirs)))
