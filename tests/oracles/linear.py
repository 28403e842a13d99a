"""Products of matrices, and biases, by definition."""

import numpy as np


def oracle(case):
    """Return the function of a case."""
    return {"dense": dense, "bias_add": bias_add}[case.op]


def dense(x, kernel, bias=None):
    """Multiply every row by the kernel."""
    flat = x.reshape(-1, x.shape[-1])
    y = [[sum(row[i] * kernel[i, j] for i in range(len(row))) for j in range(kernel.shape[1])] for row in flat]
    y = np.array(y).reshape(*x.shape[:-1], kernel.shape[1])
    return y if bias is None else y + bias


def bias_add(x, bias):
    """Add one number to every channel."""
    y = np.empty_like(x)
    for at in np.ndindex(*x.shape):
        y[at] = x[at] + bias[at[-1]]
    return y
