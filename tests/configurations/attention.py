"""Random configurations of squeeze_excite."""

from jaxcnn.gradcheck.cases import Case, Normal


def _squeeze_excite(rng):
    rank = int(rng.integers(1, 4))
    batch = tuple(int(n) for n in rng.integers(1, 3, rng.integers(0, 3)))
    spatial = tuple(int(n) for n in rng.integers(1, 4 if rank < 3 else 3, rank))
    channels, hidden = (int(n) for n in rng.integers(1, 6, 2))
    parameters = ((channels, hidden), (hidden,), (hidden, channels), (channels,))
    options = {} if len(batch) == 1 and rng.random() < 0.5 else {"spatial_rank": rank}
    if rng.random() < 0.3:
        options["precision"] = "highest"
    return Case("squeeze_excite", "random", (Normal((*batch, *spatial, channels)), *map(Normal, parameters)), options)


DRAW = {"squeeze_excite": _squeeze_excite}
