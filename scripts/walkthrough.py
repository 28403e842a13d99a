"""Print one training step of the tutorial network, number by number, by jaxcnn's rules and by jax.grad."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Any, Literal

try:
    import jax
    import numpy as np

    import jaxcnn.ops
    import jaxcnn.reference
    from jaxcnn._cli import fail, parse, run
    from jaxcnn.gradcheck import tutorial_text as text
    from jaxcnn.gradcheck.layerwise import Trace, by_autodiff, by_rules, largest_difference
    from jaxcnn.gradcheck.tolerances import rtol_of
    from jaxcnn.gradcheck.tutorial_step import (
        LARGEST_LOSS_OVER_SOFTMAX,
        LOSSES,
        Given,
        Step,
        over_softmax,
        train_step,
        tutorial_params,
    )
except KeyboardInterrupt:  # the imports take a second or two
    sys.exit(130)

LARGEST = 1000  # of the numbers that a user gives, so that no step leaves the range of float32
LARGEST_LEARNING_RATE = 10  # above it, the rounding of a gradient grows to more than `check` allows

INTRODUCTION = """\
One training step of the tutorial network, number by number.
by the rules: the layers of jaxcnn and their backward rules, one after the other.
by jax.grad: their twins in jaxcnn.reference, differentiated by JAX.
error: the error term of a layer, dL/d(its output)."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Work through one training step of the tutorial network: forward, backward, update, number by number."""

    image: str = "[[1, 0, 1, 0], [1, 1, 2, 1], [0, 2, 2, 1], [1, 0, 1, 0]]"
    """The image in JSON, 4 rows of 4 numbers."""
    kernel: str = "[[1, -1], [1, -1]]"
    """The first kernel in JSON, 2 rows of 2 numbers."""
    learning_rate: float = 0.1
    """The factor of the gradient in the update."""
    target: Literal[0, 1] = 1
    """The class of the image."""
    loss: Literal["squared_error", "cross_entropy", "both"] = "both"
    """The loss to go back from."""


def read_matrix(option: str, value: str, size: int) -> np.ndarray:
    """Return the `[size, size]` matrix in an option, or end the program with what is wrong in it."""
    try:
        rows = json.loads(value)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or [len(row) if isinstance(row, list) else None for row in rows] != [size] * size:
        fail(f"{option} (={value}) must be {size} rows of {size} numbers in JSON, such as {[[0] * size] * size}")
    for i, row in enumerate(rows):
        for j, number in enumerate(row):
            if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= LARGEST:
                fail(f"{option}[{i}][{j}] (={json.dumps(number)}) must be a number from -{LARGEST} to {LARGEST}")
    return np.array(rows, np.float32)


def read_given(config: Config) -> Given:
    """Return what the step starts from, or end the program with what is wrong in it."""
    image, kernel = read_matrix("--image", config.image, 4), read_matrix("--kernel", config.kernel, 2)
    if not 0 < config.learning_rate <= LARGEST_LEARNING_RATE:
        fail(f"--learning-rate (={config.learning_rate}) must be more than 0 and at most {LARGEST_LEARNING_RATE}")
    return Given(image, tutorial_params(kernel), np.eye(2, dtype=np.float32)[config.target], config.learning_rate)


def both_sides(losses: Sequence[str], given: Given) -> tuple[dict[str, tuple[Step, Step]], tuple[Trace, Trace] | None]:
    """Return the step by the rules and by jax.grad for each loss, and the longer way back from the cross entropy.

    There is no longer way where there is no cross entropy, or a probability of the target too small to divide by.
    """
    steps, longer = {}, None
    with jax.default_matmul_precision("highest"):  # on a GPU too, the numbers are those of float32
        for loss in losses:
            ours = train_step(by_rules, jaxcnn.ops, loss, given)
            theirs = train_step(by_autodiff, jaxcnn.reference, loss, given)
            steps[loss] = (ours, theirs)
            if loss == "cross_entropy" and theirs.trace.values["loss"] <= LARGEST_LOSS_OVER_SOFTMAX:
                longer = (
                    over_softmax(by_rules, jaxcnn.ops, given, ours.trace.values["dense1"]),
                    over_softmax(by_autodiff, jaxcnn.reference, given, theirs.trace.values["dense1"]),
                )
    return steps, longer


def check(pairs: dict[str, tuple[Any, Any]]) -> bool:
    """Print the largest difference in each pair, and return whether all of them are rounding."""
    allowed, ok = rtol_of(np.float32), True
    print(f"CHECK: largest difference, relative to the largest number of the step; rounding makes up to {allowed:g}")
    for name, (a, b) in pairs.items():
        worst = largest_difference(a, b)
        agree = worst.relative <= allowed
        ok = ok and agree
        verdict = "agree" if agree else f"DISAGREE by {worst.absolute:.3g}, most of all at {worst.path}"
        print(f"  {name:<70}{worst.relative:.1e}  {verdict}")
    return ok


def main(args: Sequence[str] | None = None) -> int:
    """Run the script; the exit status is 1 where the two sides disagree."""
    config = parse(Config, args)
    given = read_given(config)
    losses = LOSSES if config.loss == "both" else (config.loss,)
    steps, longer = both_sides(losses, given)
    pairs = {}
    for loss, (ours, theirs) in steps.items():
        pairs[f"{loss}: by the rules, by jax.grad"] = (ours, theirs)
        pairs[f"{loss}: layer by layer, tutorial() as a whole"] = (ours.trace.grads, ours.model_grads)
    if longer is not None:
        pairs["cross_entropy over the softmax: by the rules, by jax.grad"] = longer
    print(INTRODUCTION)
    print("", *text.given_lines(given), sep="\n")
    print("", *text.forward_lines(given, *steps[losses[0]]), sep="\n")
    for loss, step in steps.items():
        print(*text.loss_lines(loss, given, *step), sep="\n")
    for loss, step in steps.items():
        print("", *text.backward_lines(loss, given, *step, longer), sep="\n")
        print("", *text.update_lines(loss, given, *step), sep="\n")
    print()
    return 0 if check(pairs) else 1


if __name__ == "__main__":
    run(main)
