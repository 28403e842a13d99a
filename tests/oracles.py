"""Oracles: what each layer is by definition, in NumPy loops over output pixels. They import NumPy only."""

import itertools
import math

import numpy as np


def conv(x, kernel, bias=None, *, strides, pads, input_dilation, kernel_dilation, groups):
    """Read, for every output pixel and tap, the input element that the definition names.

    x: [N, *spatial, C_in]; all options are one entry a spatial axis; pads are (low, high) pairs.
    """
    *window, c_kernel, c_out = kernel.shape
    spatial = x.shape[1:-1]
    axes = range(len(window))
    dilated = [(size - 1) * d + 1 for size, d in zip(spatial, input_dilation, strict=True)]
    extent = [(k - 1) * d + 1 for k, d in zip(window, kernel_dilation, strict=True)]
    out = [(dilated[a] + sum(pads[a]) - extent[a]) // strides[a] + 1 for a in axes]
    y = np.zeros((x.shape[0], *out, c_out))
    for o in np.ndindex(*out):
        for k in np.ndindex(*window):
            at = [o[a] * strides[a] + k[a] * kernel_dilation[a] - pads[a][0] for a in axes]
            if any(not 0 <= at[a] < dilated[a] or at[a] % input_dilation[a] for a in axes):
                continue
            pixel = x[(slice(None), *(at[a] // input_dilation[a] for a in axes))]
            for c in range(c_out):
                first = c // (c_out // groups) * c_kernel
                y[(slice(None), *o, c)] += pixel[:, first : first + c_kernel] @ kernel[(*k, slice(None), c)]
    return y if bias is None else y + bias


def same_pads(sizes, window, strides, lower=False):
    """Return the padding that gives ceil(size / stride) outputs; sizes and window are the dilated extents."""
    pads = []
    for size, k, s in zip(sizes, window, strides, strict=True):
        total = max((math.ceil(size / s) - 1) * s + k - size, 0)
        small = total // 2
        pads.append((total - small, small) if lower else (small, total - small))
    return pads


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


def softmax(row):
    """Return exp(x_i) / sum_j exp(x_j) of one row, by Python floats."""
    weights = [math.exp(v) for v in row]
    return [w / sum(weights) for w in weights]
