"""Random configurations of layers that move elements."""

import math

from jaxcnn.gradcheck.cases import Case, Normal


def _ints(rng, low, high, count):
    return tuple(int(n) for n in rng.integers(low, high + 1, count))


def _flatten(rng):
    shape = _ints(rng, 1, 4, rng.integers(1, 5))
    options = {"batch_rank": int(rng.integers(0, len(shape) + 1))} if rng.random() < 0.7 else {}
    return Case("flatten", "random", (Normal(shape),), options)


def _blocks(rng):
    """Draw the batch axes, the blocks, and how they are given."""
    rank = int(rng.integers(1, 4))
    if rng.random() < 0.5:
        block = int(rng.integers(1, 3 if rank == 3 else 4))
        return (int(rng.integers(1, 3)),), (block,) * rank, block
    blocks = _ints(rng, 1, 3 if rank < 3 else 2, rank)
    return _ints(rng, 1, 2, rng.integers(0, 3)), blocks, blocks


def _order(rng):
    return [{}, {"order": "DCR"}, {"order": "CRD"}][rng.integers(3)]


def _depth_to_space(rng):
    batch, blocks, block_size = _blocks(rng)
    channels = math.prod(blocks) * int(rng.integers(1, 3))
    shape = (*batch, *_ints(rng, 1, 3 if len(blocks) < 3 else 2, len(blocks)), channels)
    return Case("depth_to_space", "random", (Normal(shape),), {"block_size": block_size, **_order(rng)})


def _space_to_depth(rng):
    batch, blocks, block_size = _blocks(rng)
    spatial = [b * int(rng.integers(1, 3)) for b in blocks]
    options = {"block_size": block_size, **_order(rng)}
    return Case("space_to_depth", "random", (Normal((*batch, *spatial, int(rng.integers(1, 4)))),), options)


DRAW = {"flatten": _flatten, "depth_to_space": _depth_to_space, "space_to_depth": _space_to_depth}
