"""Random configurations of softmax and log_softmax."""

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxcnn.gradcheck.cases import Case, Normal


def probabilities(op: str) -> Callable[[np.random.Generator], Case]:
    """Return what draws a case of softmax or log_softmax.

    Every slice has an element that takes part. In log_softmax all do, for -inf, which others are, has no differences.
    """

    def draw(rng: np.random.Generator) -> Case:
        sizes = rng.permutation([2, 3, 4, 8])[: rng.integers(1, 5)]
        shape = tuple(int(rng.choice([1, size, size])) for size in sizes)
        rank = len(shape)
        axes = tuple(int(a) - rank * int(rng.integers(2)) for a in rng.permutation(rank)[: rng.integers(1, rank + 1)])
        options: dict[str, Any] = {}
        if rng.random() < 0.7:
            options["axis"] = axes[0] if len(axes) == 1 and rng.random() < 0.7 else axes
        else:
            axes = (-1,)
        if rng.random() < 0.5:
            where = rng.random(shape) < (0.6 if op == "softmax" else 1)
            where[tuple(0 if a in axes or a - rank in axes else slice(None) for a in range(rank))] = True
            cut = tuple(slice(1 if rng.random() < 0.3 else None) for _ in shape)
            options["where"] = where[cut]
        return Case(op, f"{shape}", (Normal(shape),), options)

    return draw


DRAW: dict[str, Callable[[np.random.Generator], Case]] = {op: probabilities(op) for op in ("softmax", "log_softmax")}
