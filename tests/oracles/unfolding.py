"""Windows as rows, and their sum, by definition: tap by tap."""

import itertools
import math

import numpy as np

from tests.oracles.convolution import same_pads


def geometry(case, size):
    """Return window, strides, dilation and pads of a case for an image of a size."""
    options, rank = case.options, len(size)

    def each(value):
        return (value,) * rank if isinstance(value, int) else tuple(value)

    window, dilation = each(options["window_shape"]), each(options.get("window_dilation", 1))
    strides = each(options.get("strides") or 1)
    extents = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    padding = options.get("padding", "VALID")
    if padding == "VALID":
        pads = [(0, 0)] * rank
    elif isinstance(padding, str):
        pads = same_pads(size, extents, strides, lower=padding == "SAME_LOWER")
    else:
        pads = [(entry, entry) if isinstance(entry, int) else entry for entry in each(padding)]
    return window, strides, dilation, pads


def places(case, size):
    """Yield, for each window and tap, both indices and the position that is read; None in the padding."""
    window, strides, dilation, pads = geometry(case, size)
    terms = list(zip(size, window, strides, dilation, pads, strict=True))
    counts = [(n + sum(pad) - (k - 1) * d - 1) // s + 1 for n, k, s, d, pad in terms]
    for o in itertools.product(*map(range, counts)):
        for number, t in enumerate(itertools.product(*map(range, window))):
            p = [o[a] * s + t[a] * d - pad[0] for a, (_, _, s, d, pad) in enumerate(terms)]
            inside = all(0 <= i < n for i, n in zip(p, size, strict=True))
            yield o, number, tuple(p) if inside else None


def oracle(case):
    """Return the NumPy function of a case."""
    taps = math.prod(case.options["window_shape"])
    rank = len(case.options["window_shape"])

    def unfold(x):
        flat = x.reshape(math.prod(x.shape[: -rank - 1]), *x.shape[-rank - 1 :])
        found = list(places(case, x.shape[-rank - 1 : -1]))
        positions = tuple(n + 1 for n in found[-1][0])
        y = np.zeros((len(flat), *positions, taps, x.shape[-1]), x.dtype)
        for o, number, p in found:
            if p is not None:
                y[(slice(None), *o, number)] = flat[(slice(None), *p)]
        return y.reshape(*x.shape[: -rank - 1], *positions, taps * x.shape[-1])

    def fold(x):
        size = case.options["output_size"]
        size = (size,) * rank if isinstance(size, int) else tuple(size)
        batch, channels = x.shape[: -rank - 1], x.shape[-1] // taps
        rows = x.reshape(math.prod(batch), *x.shape[-rank - 1 : -1], taps, channels)
        y = np.zeros((len(rows), *size, channels), x.dtype)
        for o, number, p in places(case, size):
            if p is not None:
                y[(slice(None), *p)] += rows[(slice(None), *o, number)]
        return y.reshape(*batch, *size, channels)

    return {"unfold": unfold, "fold": fold}[case.op]
