"""Softmax by definition."""

import math

import numpy as np


def softmax(row):
    """Return exp(x_i) / sum_j exp(x_j) of one row, by Python floats."""
    weights = [math.exp(v) for v in row]
    return [w / sum(weights) for w in weights]


def oracle(case):
    """Return the NumPy function that says what the value of a case is."""
    axis, where = case.options.get("axis", -1), case.options.get("where", True)

    def of_array(x):
        axes = axis if isinstance(axis, tuple) else (axis,)
        masked = np.where(where, x, -np.inf)
        moved = np.moveaxis(masked, axes, range(-len(axes), 0))
        rows = np.array([softmax(row) for row in moved.reshape(-1, np.prod([x.shape[a] for a in axes]))])
        y = np.moveaxis(rows.reshape(moved.shape), range(-len(axes), 0), axes)
        return np.log(y) if case.op == "log_softmax" else y

    return of_array
