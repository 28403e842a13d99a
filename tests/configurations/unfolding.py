"""Random configurations of unfold and fold."""

import math

from jaxcnn.gradcheck.cases import Case, Normal
from tests.oracles.unfolding import places


def _ints(rng, low, high, count):
    return tuple(int(n) for n in rng.integers(low, high + 1, count))


def _padding(rng, sizes, extents):
    """Draw any kind of padding that leaves room for the windows."""
    if rng.random() < 0.4:
        fits = all(size >= extent for size, extent in zip(sizes, extents, strict=True))
        return str(rng.choice(["SAME", "SAME_LOWER", *["VALID"] * fits]))
    pairs = []
    for size, extent in zip(sizes, extents, strict=True):
        low = int(rng.integers(-(size - 1), 4))
        least = max(extent - size - low, min(0, -(size - max(-low, 0))))
        pairs.append((low, int(rng.integers(least, least + 4))))
    return tuple(pairs)


def _windows(rng):
    """Draw batch, spatial size, channels and options."""
    rank = int(rng.choice([1, 2, 2, 3]))
    size, window = _ints(rng, 1, 6 if rank < 3 else 3, rank), _ints(rng, 1, 3 if rank < 3 else 2, rank)
    dilation = _ints(rng, 1, 2, rank)
    extents = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    options = {"window_shape": window, "padding": _padding(rng, size, extents)}
    if len(set(dilation)) > 1 or dilation[0] > 1:
        options["window_dilation"] = dilation
    if rng.random() < 0.7:
        options["strides"] = int(rng.integers(1, 4)) if rng.random() < 0.5 else _ints(rng, 1, 3, rank)
    return _ints(rng, 1, 2, rng.integers(0, 3)), size, int(rng.integers(1, 4)), options


def _unfold(rng):
    batch, size, channels, options = _windows(rng)
    return Case("unfold", "random", (Normal((*batch, *size, channels)),), options)


def _fold(rng):
    batch, size, channels, options = _windows(rng)
    case = Case("fold", "random", (), {"output_size": size, **options})
    last, _, _ = list(places(case, size))[-1]
    rows = (*batch, *(n + 1 for n in last), math.prod(options["window_shape"]) * channels)
    return Case("fold", "random", (Normal(rows),), case.options)


DRAW = {"unfold": _unfold, "fold": _fold}
