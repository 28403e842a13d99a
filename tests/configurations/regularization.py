"""Random configurations of layers that drop at random."""

import numpy as np

from jaxcnn.gradcheck.cases import Case, Normal


def _shape(rng, least):
    return tuple(int(n) for n in rng.integers(1, 5, rng.integers(least, 5)))


def _options(rng):
    """Draw what the layers have in common."""
    rate = float(rng.choice([0, 1, 0.5, 0.1, rng.random(), rng.random()]))
    options = {"rate": int(rate) if rate == int(rate) else rate}
    if rng.random() < 0.15:
        return options | {"deterministic": True}
    return options | {"key": rng.integers(0, 2**32, 2, np.uint32)}


def _dropout(rng):
    shape = _shape(rng, 1)
    dims = rng.choice([-1, 1]) * rng.permutation(len(shape))[: rng.integers(0, len(shape) + 1)]
    return Case("dropout", "random", (Normal(shape),), _options(rng) | {"broadcast_dims": tuple(map(int, dims))})


def _spatial_dropout(rng):
    shape = _shape(rng, 2)
    options = _options(rng)
    if len(shape) == 2 or rng.random() < 0.5:
        options["spatial_rank"] = int(rng.integers(1, len(shape)))
    return Case("spatial_dropout", "random", (Normal(shape),), options)


def _stochastic_depth(rng):
    shape = _shape(rng, 1)
    options = _options(rng) | {"mode": str(rng.choice(["batch", "row"]))}
    if rng.random() < 0.5:
        options["batch_rank"] = int(rng.integers(0, len(shape) + 1))
    return Case("stochastic_depth", "random", (Normal(shape),), options)


DRAW = {"dropout": _dropout, "spatial_dropout": _spatial_dropout, "stochastic_depth": _stochastic_depth}
