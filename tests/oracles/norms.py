"""Norms by definition."""

import math

import numpy as np


def normalize(numbers, epsilon, counts):
    """Return the numbers less the mean, over the deviation, up to epsilon, of those that count; and mean and variance."""
    counted = [v for v, count in zip(numbers, counts, strict=True) if count]
    mean = math.fsum(counted) / max(len(counted), 1)
    variance = math.fsum((v - mean) ** 2 for v in counted) / max(len(counted), 1)
    return [(v - mean) / math.sqrt(variance + epsilon) for v in numbers], mean, variance


def mask_of(where, x):
    """Return which elements of x count."""
    return np.broadcast_to(True if where is None else where, x.shape)


def oracle(case):
    """Return the function of a case."""
    return case.of_arrays(globals()[case.op])


def batch_norm(x, scale=None, bias=None, *, mean=None, variance=None, where=None, epsilon=1e-5):
    """Normalise one channel after the other; return also its mean and its variance."""
    if mean is not None:
        y = np.empty_like(x)
        for c in range(x.shape[-1]):
            y[..., c] = (x[..., c] - mean[c]) / math.sqrt(variance[c] + epsilon)
        return scaled(y, scale, bias), mean, variance
    y, mean, variance, mask = np.empty_like(x), np.empty(x.shape[-1]), np.empty(x.shape[-1]), mask_of(where, x)
    for c in range(x.shape[-1]):
        numbers, mean[c], variance[c] = normalize(x[..., c].ravel(), epsilon, mask[..., c].ravel())
        y[..., c] = np.reshape(numbers, x.shape[:-1])
    return scaled(y, scale, bias), mean, variance


def layer_norm(x, scale=None, bias=None, *, where=None, epsilon=1e-6):
    """Normalise the channels of one position after the other."""
    y, mask = np.empty_like(x), mask_of(where, x)
    for at in np.ndindex(*x.shape[:-1]):
        y[at] = normalize(x[at], epsilon, mask[at])[0]
    return scaled(y, scale, bias)


def rms_norm(x, scale=None, *, where=None, epsilon=1e-6):
    """Divide the channels of one position after the other by their root mean square."""
    y, mask = np.empty_like(x), mask_of(where, x)
    for at in np.ndindex(*x.shape[:-1]):
        square = math.fsum(v * v for v in x[at][mask[at]]) / max(mask[at].sum(), 1)
        y[at] = x[at] / math.sqrt(square + epsilon)
    return scaled(y, scale, None)


def group_norm(x, scale=None, bias=None, *, num_groups=32, spatial_rank=None, where=None, epsilon=1e-6):
    """Normalise one example and group after the other."""
    rank = max(x.ndim - 2, 0) if spatial_rank is None else spatial_rank
    y, size, mask = np.empty_like(x), x.shape[-1] // num_groups, mask_of(where, x)
    for n in np.ndindex(*x.shape[: x.ndim - 1 - rank]):
        for first in range(0, x.shape[-1], size):
            of_group = (*n, ..., slice(first, first + size))
            numbers = normalize(x[of_group].ravel(), epsilon, mask[of_group].ravel())[0]
            y[of_group] = np.reshape(numbers, x[of_group].shape)
    return scaled(y, scale, bias)


def instance_norm(x, scale=None, bias=None, *, spatial_rank=None, where=None, epsilon=1e-6):
    """Normalise one example and channel after the other."""
    options = {"spatial_rank": spatial_rank, "where": where, "epsilon": epsilon}
    return group_norm(x, scale, bias, num_groups=x.shape[-1], **options)


def weight_standardization(kernel, scale=None, *, epsilon=1e-5):
    """Normalise the weights of one output channel after the other."""
    return batch_norm(kernel, scale, epsilon=epsilon)[0]


def running_statistics(running_mean, running_variance, mean, variance, *, momentum=0.99, count=None):
    """Average one channel after the other."""
    factor = 1 if count is None else count / (count - 1)
    old_and_new = ((running_mean, mean, 1), (running_variance, variance, factor))
    results = [np.empty_like(running) for running, _, _ in old_and_new]
    for result, (running, step, times) in zip(results, old_and_new, strict=True):
        rows = step.reshape(-1, step.shape[-1])
        for c in range(len(result)):
            result[c] = momentum * running[c] + (1 - momentum) * times * math.fsum(rows[:, c]) / len(rows)
    return tuple(results)


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """Divide one channel after the other by what the channels around it hold."""
    y = np.empty_like(x)
    for at in np.ndindex(*x.shape):
        *n, c = at
        around = range(max(c - size // 2, 0), min(c + (size - 1) // 2, x.shape[-1] - 1) + 1)
        y[at] = x[at] / (k + alpha * math.fsum(x[(*n, b)] ** 2 for b in around) / size) ** beta
    return y


def scaled(y, scale, bias):
    """Multiply every channel by its scale, and add its bias."""
    y = y.copy()
    for c in range(y.shape[-1]):
        y[..., c] = y[..., c] * (1 if scale is None else scale[c]) + (0 if bias is None else bias[c])
    return y
