"""Random configurations of pad."""

from jaxcnn.gradcheck.cases import Case, Normal

MODES = ("constant", "edge", "reflect", "symmetric", "wrap", "replicate", "circular")


def _pair(rng, size, may_be_empty):
    """Draw the padding of one axis: wider than the axis at times, or cropped."""
    low, high = (int(n) for n in rng.integers(0, rng.choice([2, 4, 2 * size + 3]), 2))
    if rng.random() < 0.25:
        low = -int(rng.integers(0, size + may_be_empty))
    if rng.random() < 0.25:
        high = -int(rng.integers(0, size + min(low, 0) + may_be_empty))
    return low, high


def _pad(rng):
    rank = int(rng.integers(1, 4))
    size = tuple(int(n) for n in rng.integers(1, 5 if rank < 3 else 4, rank))
    mode = str(rng.choice(MODES))
    options = {"mode": mode}
    if mode == "constant":
        options = {"value": float(rng.integers(-3, 4)) / 2} if rng.random() < 0.7 else {}
    batch = tuple(int(n) for n in rng.integers(1, 3, rng.integers(0, 3)))
    if rng.random() < 0.2:
        batch, options["padding"] = (2,), int(rng.integers(0, 4))
    else:
        pairs = [_pair(rng, n, mode == "constant") for n in size]
        options["padding"] = tuple(pair[0] if pair[0] == pair[1] else pair for pair in pairs)
    return Case("pad", "random", (Normal((*batch, *size, int(rng.integers(1, 4)))),), options)


DRAW = {"pad": _pad}
