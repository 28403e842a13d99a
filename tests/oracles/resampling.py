"""Resampling by definition: every output looks at its position in the input, in exact fractions where there are any."""

import itertools
import math
from fractions import Fraction

import numpy as np


def axes(case, x):
    """Yield the spatial axes, the sizes to make, and the scales: fractions where they are those of the sizes."""
    factor, size = case.options.get("scale_factor"), case.options.get("size")
    given = size if factor is None else factor
    entries = given if isinstance(given, tuple | list) else (given,) * (x.ndim - 2)
    for axis, entry in enumerate(entries, x.ndim - len(entries) - 1):
        n = x.shape[axis]
        outputs = entry if factor is None else math.floor(n * entry)
        exact = factor is None or entry == outputs / n
        yield axis, outputs, Fraction(outputs, n) if exact else entry


def taps(case, o, n, outputs, scale):
    """Return the elements that output o reads, and their weights."""
    if case.op == "upsample_nearest":
        return [(min(math.floor(o / scale), n - 1), 1)]
    if case.options.get("align_corners", False):
        position = Fraction(o * (n - 1), max(outputs - 1, 1))
    else:
        position = (o + Fraction(1, 2)) / Fraction(scale) - Fraction(1, 2)
    position = min(max(position, 0), n - 1)
    return [(i, 1 - abs(position - i)) for i in range(n) if abs(position - i) < 1]


def oracle(case):
    """Return the NumPy function of a case."""

    def resample(x):
        terms = list(axes(case, x))
        first = terms[0][0]
        y = np.zeros((*x.shape[:first], *(outputs for _, outputs, _ in terms), x.shape[-1]), x.dtype)
        for place in np.ndindex(*y.shape[first:-1]):
            read = [taps(case, o, x.shape[axis], n, scale) for o, (axis, n, scale) in zip(place, terms, strict=True)]
            for corner in itertools.product(*read):
                weight = math.prod(w for _, w in corner)
                column = x[(slice(None),) * first + tuple(i for i, _ in corner)]
                y[(slice(None),) * first + place] += column if weight == 1 else float(weight) * column
        return y

    return resample
