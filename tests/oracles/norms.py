"""Norms by definition."""

import math

import numpy as np


def normalize(numbers, epsilon):
    """Return the numbers with mean 0 and variance 1, up to epsilon, their mean and their variance."""
    mean = math.fsum(numbers) / len(numbers)
    variance = math.fsum((v - mean) ** 2 for v in numbers) / len(numbers)
    return [(v - mean) / math.sqrt(variance + epsilon) for v in numbers], mean, variance


def batch_norm(x, scale=None, bias=None, *, epsilon):
    """Normalise one channel after the other; return also its mean and its variance."""
    y, mean, variance = np.empty_like(x), np.empty(x.shape[-1]), np.empty(x.shape[-1])
    for c in range(x.shape[-1]):
        numbers, mean[c], variance[c] = normalize(x[..., c].ravel(), epsilon)
        y[..., c] = np.reshape(numbers, x.shape[:-1])
    return scaled(y, scale, bias), mean, variance


def layer_norm(x, scale=None, bias=None, *, epsilon):
    """Normalise the channels of one position after the other."""
    y = np.empty_like(x)
    for at in np.ndindex(*x.shape[:-1]):
        y[at] = normalize(x[at], epsilon)[0]
    return scaled(y, scale, bias)


def scaled(y, scale, bias):
    """Multiply every channel by its scale, and add its bias."""
    y = y.copy()
    for c in range(y.shape[-1]):
        y[..., c] = y[..., c] * (1 if scale is None else scale[c]) + (0 if bias is None else bias[c])
    return y
