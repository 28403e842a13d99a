"""Convolution by definition."""

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
