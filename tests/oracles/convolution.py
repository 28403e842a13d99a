"""Convolution by definition."""

import math

import numpy as np


def oracle(case):
    """Return the function of a case, in the terms of the functions below."""
    return {
        "conv": lambda *arrays: _conv(arrays, **case.options),
        "depthwise_conv": lambda *arrays: _conv(arrays, feature_group_count=arrays[0].shape[-1], **case.options),
        "separable_conv": lambda *arrays: _separable_conv(*arrays, **case.options),
        "conv_general_dilated": lambda *arrays: _conv_general_dilated(*arrays, **case.options),
        "conv_local": lambda *arrays: _conv_local(*arrays, **case.options),
        "conv_transpose": lambda *arrays: _conv_transpose(arrays, **case.options),
        "weight_standardized_conv": case.of_arrays(_weight_standardized_conv),
    }[case.op]


def _conv(
    arrays,
    *,
    strides=1,
    padding="SAME",
    input_dilation=1,
    kernel_dilation=1,
    feature_group_count=1,
    dimension_numbers=None,
):
    x, kernel, *bias = arrays
    if dimension_numbers is not None:
        spatial = spatial_letters(dimension_numbers[1])
        x, kernel = channels_last(x, dimension_numbers[0], spatial), channels_last(kernel, dimension_numbers[1])
    rank = kernel.ndim - 2
    each = {
        name: each_axis(value, rank)
        for name, value in (
            ("strides", strides),
            ("input_dilation", input_dilation),
            ("kernel_dilation", kernel_dilation),
        )
    }
    flat = x.reshape(-1, *x.shape[-rank - 1 :])
    window = extents(kernel.shape[:rank], each["kernel_dilation"])
    if isinstance(padding, str) and padding in CONTINUED:
        flat, padding = continued(flat, window, CONTINUED[padding]), "VALID"
    sizes = extents(flat.shape[1:-1], each["input_dilation"])
    pads = paddings(padding, sizes, window, each["strides"])
    y = conv(flat, kernel, *bias, pads=pads, groups=feature_group_count, **each)
    y = y.reshape(*x.shape[: -rank - 1], *y.shape[1:])
    return y if dimension_numbers is None else channels_moved(y, dimension_numbers[2], spatial)


CONTINUED = {
    "CIRCULAR": lambda p, size: p % size,
    "REPLICATE": lambda p, size: min(max(p, 0), size - 1),
    "REFLECT": lambda p, size: min(p % (2 * size - 2), -p % (2 * size - 2)) if size > 1 else 0,
}


def continued(x, window, source):
    """Add, along each spatial axis, all but one element of a window, the odd one at the end: copies of x elsewhere."""
    for axis, k in enumerate(window, start=1):
        low, size = (k - 1) // 2, x.shape[axis]
        x = np.stack([x.take(source(p - low, size), axis) for p in range(size + k - 1)], axis)
    return x


def _weight_standardized_conv(x, kernel, bias=None, scale=None, *, epsilon=1e-5, **options):
    """Convolve with one output channel of the kernel after the other made mean 0 and variance 1."""
    standardized = np.empty_like(kernel)
    for c in range(kernel.shape[-1]):
        weights = kernel[..., c]
        mean = math.fsum(weights.ravel()) / weights.size
        variance = math.fsum((w - mean) ** 2 for w in weights.ravel()) / weights.size
        standardized[..., c] = (weights - mean) / math.sqrt(variance + epsilon) * (1 if scale is None else scale[c])
    return _conv((x, standardized) if bias is None else (x, standardized, bias), **options)


def channels_last(x, letters, spatial=None):
    """Move the axes, named by letters, to N, the spatial ones in the order given or their own, and C, or I and O."""
    return np.moveaxis(x, [letters.index(a) for a in in_order(letters, spatial)], range(x.ndim))


def channels_moved(y, letters, spatial=None):
    """Move N, the spatial axes, and C to where the letters say."""
    return np.moveaxis(y, range(y.ndim), [letters.index(a) for a in in_order(letters, spatial)])


def in_order(letters, spatial):
    """Return the letters in the order of a layout with the channels last."""
    spatial = spatial_letters(letters) if spatial is None else spatial
    return [*(a for a in "N" if a in letters), *spatial, *(a for a in "CIO" if a in letters)]


def spatial_letters(letters):
    """Return the letters of the spatial axes; those of a kernel say to which axis the first stride belongs."""
    return [a for a in letters if a not in "NCIO"]


def each_axis(value, rank):
    """Return one number an axis."""
    return (value,) * rank if isinstance(value, int) else value


def extents(sizes, dilation):
    """Return how far elements reach that lie `dilation` apart."""
    return [(n - 1) * d + 1 for n, d in zip(sizes, dilation, strict=True)]


def paddings(padding, sizes, window, strides):
    """Return the pairs that a padding stands for."""
    ends = {"VALID": (0, 0), "FULL": (1, 1), "CAUSAL": (1, 0), "REVERSE_CAUSAL": (0, 1)}
    if isinstance(padding, str) and padding in ends:
        return [tuple(end * (k - 1) for end in ends[padding]) for k in window]
    if isinstance(padding, str):
        return same_pads(sizes, window, strides, lower=padding == "SAME_LOWER")
    return [(p, p) if isinstance(p, int) else p for p in each_axis(padding, len(window))]


def _separable_conv(x, depthwise, pointwise, bias=None, *, strides=1, padding="SAME", kernel_dilation=1):
    options = {"strides": strides, "padding": padding, "kernel_dilation": kernel_dilation}
    y = _conv((x, depthwise), feature_group_count=x.shape[-1], **options)
    y = np.einsum("...i,io->...o", y, pointwise.reshape(pointwise.shape[-2:]))
    return y if bias is None else y + bias


def _conv_general_dilated(
    lhs,
    rhs,
    *,
    window_strides,
    padding,
    lhs_dilation=1,
    rhs_dilation=1,
    dimension_numbers=None,
    feature_group_count=1,
    batch_group_count=1,
):
    digits = "123456"[: lhs.ndim - 2]
    numbers = dimension_numbers or (f"NC{digits}", f"OI{digits}", f"NC{digits}")
    spatial = spatial_letters(numbers[1])
    x, kernel = channels_last(lhs, numbers[0], spatial), channels_last(rhs, numbers[1])
    parts = []
    for example, part in zip(
        np.split(x, batch_group_count), np.split(kernel, batch_group_count, -1), strict=True
    ):  # each group of examples with its part of the output channels
        parts.append(
            _conv(
                (example, part),
                strides=window_strides,
                padding=padding,
                input_dilation=lhs_dilation or 1,
                kernel_dilation=rhs_dilation or 1,
                feature_group_count=feature_group_count,
            )
        )
    return channels_moved(np.concatenate(parts, -1), numbers[2], spatial)


def _conv_local(x, kernel, bias=None, *, strides=1, padding="SAME", kernel_dilation=1):
    """Convolve with the kernel of one output position after the other, and keep that position."""
    rank = (kernel.ndim - 2) // 2
    y = None
    for o in np.ndindex(*kernel.shape[:rank]):
        whole = _conv((x, kernel[o]), strides=strides, padding=padding, kernel_dilation=kernel_dilation)
        y = np.zeros_like(whole) if y is None else y
        place = (..., *o, slice(None))
        y[place] = whole[place]
    return y if bias is None else y + bias


def _conv_transpose(
    arrays,
    *,
    strides=1,
    padding="SAME",
    kernel_dilation=1,
    feature_group_count=1,
    output_padding=0,
    output_shape=None,
    transpose_kernel=False,
    dimension_numbers=None,
):
    """Add each input element, times its kernel, to the output."""
    x, kernel, *bias = arrays
    if dimension_numbers is not None:
        spatial = spatial_letters(dimension_numbers[1])
        x, kernel = channels_last(x, dimension_numbers[0], spatial), channels_last(kernel, dimension_numbers[1])
    rank = kernel.ndim - 2
    strides, dilation, more = (each_axis(v, rank) for v in (strides, kernel_dilation, output_padding))
    window, sizes = extents(kernel.shape[:rank], dilation), x.shape[-rank - 1 : -1]
    flat = x.reshape(-1, *x.shape[-rank - 1 :])
    c_in, groups = x.shape[-1], feature_group_count
    c_out = kernel.shape[-2] * groups if transpose_kernel else kernel.shape[-1]
    full = np.zeros((flat.shape[0], *((i - 1) * s + k for i, s, k in zip(sizes, strides, window, strict=True)), c_out))
    for i in np.ndindex(*sizes):
        for k in np.ndindex(*kernel.shape[:rank]):
            turned = k if transpose_kernel else tuple(n - 1 - t for n, t in zip(kernel.shape, k, strict=False))
            place = (slice(None), *(i[a] * strides[a] + turned[a] * dilation[a] for a in range(rank)))
            for g in range(groups):
                ins = slice(g * c_in // groups, (g + 1) * c_in // groups)
                outs = slice(g * c_out // groups, (g + 1) * c_out // groups)
                matrix = kernel[(*k, slice(None), ins)].T if transpose_kernel else kernel[(*k, slice(None), outs)]
                full[(*place, outs)] += flat[(slice(None), *i, ins)] @ matrix
    # What of the full result is wanted, from `first` on, `count` positions an axis; beyond its end there is nothing.
    for a in range(rank):
        size, stride, extent = sizes[a], strides[a], window[a]
        if isinstance(padding, str):
            count = size * stride + (max(extent - stride, 0) if padding == "VALID" else 0)
            count = count if output_shape is None else each_axis(output_shape, rank)[a]
            first = 0 if padding == "VALID" else same_pads([count], [extent], [stride])[0][0]
        else:
            low, high = paddings(padding, sizes, window, strides)[a]
            first, count = extent - 1 - low, (size - 1) * stride + 1 + low + high - extent + 1
        places = range(first, first + count + more[a])
        within = [p if 0 <= p < full.shape[a + 1] else None for p in places]
        taken = [np.zeros_like(full.take(0, a + 1)) if p is None else full.take(p, a + 1) for p in within]
        full = np.stack(taken, a + 1)
    y = full.reshape(*x.shape[: -rank - 1], *full.shape[1:])
    y = y if not bias else y + bias[0]
    return y if dimension_numbers is None else channels_moved(y, dimension_numbers[2], spatial)


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
