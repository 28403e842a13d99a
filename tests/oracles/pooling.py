"""Pools by definition."""

import itertools
import math

import numpy as np


def pool_windows(x, window, strides, pads):
    """Yield, for every output position, its index and the positions of its elements that are not padding.

    x: [N, *spatial, C]; negative pads crop x first, and positions count from the cropped edge.
    """
    sizes = [size + min(low, 0) + min(high, 0) for size, (low, high) in zip(x.shape[1:-1], pads, strict=True)]
    pads = [(max(low, 0), max(high, 0)) for low, high in pads]
    out = [(sizes[a] + sum(pads[a]) - window[a]) // strides[a] + 1 for a in range(len(window))]
    for o in np.ndindex(*out):
        ranges = [
            range(o[a] * strides[a] - pads[a][0], o[a] * strides[a] - pads[a][0] + window[a]) for a in range(len(out))
        ]
        yield o, [at for at in itertools.product(*ranges) if all(0 <= i < n for i, n in zip(at, sizes, strict=True))]


def crop(x, pads):
    """Drop what negative pads name."""
    cuts = [slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(x.shape[1:-1], pads, strict=True)]
    return x[(slice(None), *cuts)]


def max_pool(x, *, window, strides, pads):
    """Take the maximum over the elements of each window that are not padding."""
    windows = list(pool_windows(x, window, strides, pads))
    x = crop(x, pads)
    y = np.full((x.shape[0], *(np.max([o for o, _ in windows], 0) + 1), x.shape[-1]), -np.inf)
    for o, places in windows:
        for at in places:
            y[(slice(None), *o)] = np.maximum(y[(slice(None), *o)], x[(slice(None), *at)])
    return y


def max_pool_gradient(x, g, *, window, strides, pads):
    """Give each g to the first element, in row-major order, that is the greatest of its window; a NaN is greatest."""
    dx = np.zeros_like(x, shape=x.shape)
    offset = [max(-low, 0) for low, _ in pads]
    for o, places in pool_windows(x, window, strides, pads):
        for n in range(x.shape[0]):
            for c in range(x.shape[-1]):
                values = [x[(n, *np.add(at, offset), c)] for at in places]
                if values:
                    winner = next((i for i, v in enumerate(values) if np.isnan(v)), None)
                    winner = values.index(max(values)) if winner is None else winner
                    dx[(n, *np.add(places[winner], offset), c)] += g[(n, *o, c)]
    return dx


def avg_pool(x, *, window, strides, pads, count_include_pad=True):
    """Add the elements of each window, and divide by how many they are, padding counted or not."""
    windows = list(pool_windows(x, window, strides, pads))
    x = crop(x, pads)
    y = np.zeros((x.shape[0], *(np.max([o for o, _ in windows], 0) + 1), x.shape[-1]))
    for o, places in windows:
        total = sum((x[(slice(None), *at)] for at in places), np.zeros((x.shape[0], x.shape[-1])))
        y[(slice(None), *o)] = total / (math.prod(window) if count_include_pad else len(places))
    return y
