"""Activations by definition."""

import math


def softmax(row):
    """Return exp(x_i) / sum_j exp(x_j) of one row, by Python floats."""
    weights = [math.exp(v) for v in row]
    return [w / sum(weights) for w in weights]


def gelu(v, approximate):
    """Return v times the normal distribution function at v, or times its approximation by tanh."""
    if approximate:
        h = math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)
        return v * 0.5 * (1 + math.tanh(h))
    return v * 0.5 * math.erfc(-v / math.sqrt(2))
