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


def gelu(v, approximate):
    """Return v times the normal distribution function at v, or times its approximation by tanh."""
    if approximate:
        h = math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)
        return v * 0.5 * (1 + math.tanh(h))
    return v * 0.5 * math.erfc(-v / math.sqrt(2))


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
