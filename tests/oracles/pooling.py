"""Pools by definition."""

import itertools
import math

import numpy as np

from tests.oracles.convolution import channels_last, channels_moved, same_pads


def oracle(case):
    """Return the NumPy function of a case of any pool."""
    options = dict(case.options)
    letters = options.pop("dimension_numbers", None)
    of_channels_last = oracle_of_channels_last(case.op, options)
    if letters is None:
        return of_channels_last

    def in_layout(*arrays):
        results = of_channels_last(*(channels_last(a, letters) for a in arrays))
        if case.op.startswith("global"):
            return results
        if isinstance(results, tuple):
            return tuple(channels_moved(y, letters) for y in results)
        return channels_moved(results, letters)

    return in_layout


def oracle_of_channels_last(op, options):
    """Return the NumPy function of a pool of arrays `[*batch, *spatial, C]`."""
    if op in ("global_avg_pool", "global_max_pool"):
        return lambda x: over_all_positions(op, x, options.get("spatial_rank", x.ndim - 2))
    if op in ("adaptive_avg_pool", "adaptive_max_pool"):
        return lambda x: adaptive(op, x, options["output_size"])
    if op == "adaptive_max_pool_with_indices":
        return lambda x: adaptive_max_pool_with_indices(x, options["output_size"])
    if op == "max_unpool":
        return lambda x, indices: max_unpool(x, indices, options["output_size"])

    def of_windows(x):
        terms = terms_of(x, **{name: options[name] for name in options if name in WINDOW_OPTIONS})
        rank, batch = len(terms["window"]), x.shape[: -len(terms["window"]) - 1]
        more = {name: options[name] for name in options if name not in WINDOW_OPTIONS}
        results = OPS[op](x.reshape(-1, *x.shape[-rank - 1 :]), **terms, **more)
        split = [np.reshape(y, (*batch, *y.shape[1:])) for y in (results if isinstance(results, tuple) else [results])]
        return tuple(split) if isinstance(results, tuple) else split[0]

    return of_windows


WINDOW_OPTIONS = ("window_shape", "strides", "padding", "window_dilation", "ceil_mode")


def terms_of(x, window_shape, strides=None, padding="VALID", window_dilation=1, ceil_mode=False):
    """Return the options of a pool over windows, one entry a spatial axis; pads are (low, high) pairs."""
    rank = len(window_shape)
    sizes = x.shape[-rank - 1 : -1]

    def each(value):
        return (value,) * rank if isinstance(value, int) else tuple(value)

    strides, dilation = each(strides or 1), each(window_dilation)
    extents = [(k - 1) * d + 1 for k, d in zip(window_shape, dilation, strict=True)]
    if padding == "VALID":
        padding = 0
    elif isinstance(padding, str):
        padding = same_pads(sizes, extents, strides, lower=padding == "SAME_LOWER")
    pads = [(pad, pad) if isinstance(pad, int) else tuple(pad) for pad in each(padding)]
    return {"window": window_shape, "strides": strides, "pads": pads, "dilation": dilation, "ceil_mode": ceil_mode}


def tap_positions(size, window, stride, pads, dilation, ceil_mode):
    """Return the positions that each window along one axis reads, those before 0 and from `size` on being padding.

    A window ends inside the padded input. In ceil_mode it may reach beyond, if the one before left something over, but
    does not start after the input.
    """
    low, high = pads
    found = []
    for start in itertools.count(-low, stride):
        taps = [start + t * dilation for t in range(window)]
        previous_end = taps[-1] - stride + 1
        stop = previous_end >= size + high or (start >= size and found) if ceil_mode else taps[-1] >= size + high
        if stop:
            return found
        found.append(taps)
    return None


def pool_windows(x, window, strides, pads, dilation=None, ceil_mode=False):
    """Yield, for every output position, its index and the positions that its taps read, in row-major order.

    x: [N, *spatial, C]; negative pads crop x first, and positions count from the cropped edge.
    """
    sizes = crop(x, pads).shape[1:-1]
    pads = [(max(low, 0), max(high, 0)) for low, high in pads]
    dilation = dilation or (1,) * len(window)
    axes = [tap_positions(*terms, ceil_mode) for terms in zip(sizes, window, strides, pads, dilation, strict=True)]
    for o in np.ndindex(*map(len, axes)):
        yield o, list(itertools.product(*(axis[i] for axis, i in zip(axes, o, strict=True))))


def inside(places, sizes):
    """Return those positions that are not padding."""
    return [at for at in places if all(0 <= i < n for i, n in zip(at, sizes, strict=True))]


def crop(x, pads):
    """Drop what negative pads name."""
    cuts = [slice(max(-low, 0), n - max(-high, 0)) for n, (low, high) in zip(x.shape[1:-1], pads, strict=True)]
    return x[(slice(None), *cuts)]


def reduce_windows(x, reduce, window, strides, pads, dilation=None, ceil_mode=False):
    """Return `reduce(values)` of every window and channel, given its values `[k]` that are not padding."""
    windows = list(pool_windows(x, window, strides, pads, dilation, ceil_mode))
    x = crop(x, pads)
    y = np.zeros((x.shape[0], *(np.max([o for o, _ in windows], 0) + 1), x.shape[-1]))
    for o, places in windows:
        for n, c in np.ndindex(x.shape[0], x.shape[-1]):
            y[(n, *o, c)] = reduce([x[(n, *at, c)] for at in inside(places, x.shape[1:-1])])
    return y


def winner(values, best=max):
    """Return the index of the first of the greatest values, or of the least; a NaN is either."""
    for i, value in enumerate(values):
        if np.isnan(value):
            return i
    return values.index(best(values))


def extreme(values, best, otherwise):
    """Return the greatest value, or the least, or what there is where there is none."""
    return values[winner(values, best)] if values else otherwise


def max_pool(x, **terms):
    """Take the maximum over the elements of each window that are not padding."""
    return reduce_windows(x, lambda values: extreme(values, max, -np.inf), **terms)


def min_pool(x, **terms):
    """Take the minimum over the elements of each window that are not padding."""
    return reduce_windows(x, lambda values: extreme(values, min, np.inf), **terms)


def sum_pool(x, **terms):
    """Add the elements of each window."""
    return reduce_windows(x, math.fsum, **terms)


def lp_pool(x, norm, **terms):
    """Take the norm of the elements of each window."""

    def of_values(values):
        magnitudes = [abs(v) for v in values]
        return (
            extreme(magnitudes, max, 0.0) if norm == math.inf else math.fsum(m**norm for m in magnitudes) ** (1 / norm)
        )

    return reduce_windows(x, of_values, **terms)


def avg_pool(x, count_include_pad=True, divisor_override=None, **terms):
    """Add the elements of each window, and divide by how many they are, padding counted or not, or by what is said."""
    y = sum_pool(x, **terms)
    sizes = crop(x, terms["pads"]).shape[1:-1]
    ends = [n + max(high, 0) for n, (_, high) in zip(sizes, terms["pads"], strict=True)]
    for o, places in pool_windows(x, **terms):
        padded = [at for at in places if all(i < end for i, end in zip(at, ends, strict=True))]
        count = divisor_override or len(padded if count_include_pad else inside(places, sizes))
        y[(slice(None), *o)] = y[(slice(None), *o)] / count if count else np.nan
    return y


def winners(x, best=max, **terms):
    """Yield, for every element of the output, its index and that of the element of x which it is; None for none."""
    offset = [max(-low, 0) for low, _ in terms["pads"]]
    cropped = crop(x, terms["pads"])
    for o, places in pool_windows(x, **terms):
        places = inside(places, cropped.shape[1:-1])
        for n, c in np.ndindex(x.shape[0], x.shape[-1]):
            values = [cropped[(n, *at, c)] for at in places]
            at = tuple(np.add(places[winner(values, best)], offset)) if values else None
            yield (n, *o, c), None if at is None else (n, *at, c)


def max_pool_with_indices(x, **terms):
    """Take the maximum of each window, and the number of its position in row-major order."""
    y = max_pool(x, **terms)
    indices = np.full_like(y, -1)
    for o, at in winners(x, **terms):
        if at is not None:
            indices[o] = np.ravel_multi_index(at[1:-1], x.shape[1:-1])
    return y, indices


def max_pool_gradient(x, g, best=max, **terms):
    """Give each g to the first element, in row-major order, that is the greatest of its window; a NaN is greatest."""
    dx = np.zeros_like(x, shape=x.shape)
    for o, at in winners(x, best, **terms):
        if at is not None:
            dx[at] += g[o]
    return dx


OPS = {
    "max_pool": max_pool,
    "min_pool": min_pool,
    "sum_pool": sum_pool,
    "avg_pool": avg_pool,
    "lp_pool": lp_pool,
    "max_pool_with_indices": max_pool_with_indices,
}


def max_unpool(x, indices, output_size):
    """Write one value after the other to the position that its index numbers, if it is one."""
    rank, positions = len(output_size), math.prod(output_size)
    y = np.zeros((*x.shape[: -rank - 1], *output_size, x.shape[-1]), x.dtype)
    for at in np.ndindex(*x.shape):
        if 0 <= indices[at] < positions:
            y[(*at[: -rank - 1], *np.unravel_index(indices[at], output_size), at[-1])] = x[at]
    return y


def bin_bounds(size, bins):
    """Return where each bin starts, and before where it ends."""
    return [(o * size // bins, math.ceil((o + 1) * size / bins)) for o in range(bins)]


def adaptive(op, x, output_size):
    """Take the average or the maximum over every box of bins."""
    rank = len(output_size)
    sizes = x.shape[-rank - 1 : -1]
    bins = [size if out is None else out for size, out in zip(sizes, output_size, strict=True)]
    bounds = list(map(bin_bounds, sizes, bins))
    y = np.zeros((*x.shape[: -rank - 1], *bins, x.shape[-1]))
    for o in np.ndindex(*bins):
        box = (..., *(slice(*bounds[a][o[a]]) for a in range(rank)), slice(None))
        y[(..., *o, slice(None))] = over_all_positions(op, x[box], rank)
    return y


def over_all_positions(op, x, rank):
    """Take the average or the maximum over the last spatial axes."""
    rows = x.reshape(*x.shape[: -rank - 1], -1, x.shape[-1])
    y = np.zeros((*rows.shape[:-2], rows.shape[-1]))
    for at in np.ndindex(*y.shape):
        values = list(rows[(*at[:-1], slice(None), at[-1])])
        y[at] = values[winner(values)] if "max" in op else math.fsum(values) / len(values)
    return y


def adaptive_max_pool_with_indices(x, output_size):
    """Take the maximum of every box of bins, and the number of its position in row-major order."""
    rank = len(output_size)
    sizes = x.shape[-rank - 1 : -1]
    bins = [size if out is None else out for size, out in zip(sizes, output_size, strict=True)]
    bounds = list(map(bin_bounds, sizes, bins))
    y = np.zeros((*x.shape[: -rank - 1], *bins, x.shape[-1]))
    indices = np.zeros_like(y)
    for at in np.ndindex(*y.shape):
        batch, o, c = at[: -rank - 1], at[-rank - 1 : -1], at[-1]
        places = list(itertools.product(*(range(*bounds[a][i]) for a, i in enumerate(o))))
        values = [x[(*batch, *place, c)] for place in places]
        best = winner(values)
        y[at], indices[at] = values[best], np.ravel_multi_index(places[best], sizes)
    return y, indices


def adaptive_max_gradient(x, g):
    """Give each g to the first element that is the greatest of its box; x [N, *spatial, C]."""
    dx = np.zeros_like(x)
    bounds = list(map(bin_bounds, x.shape[1:-1], g.shape[1:-1]))
    for index in np.ndindex(*g.shape):
        n, *o, c = index
        places = list(itertools.product(*(range(*bounds[a][i]) for a, i in enumerate(o))))
        dx[(n, *places[winner([x[(n, *at, c)] for at in places])], c)] += g[index]
    return dx
