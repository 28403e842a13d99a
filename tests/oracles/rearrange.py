"""Layers that move elements, by definition: one element after the other."""

import math

import numpy as np


def blocks_of(case, x):
    """Return the sizes of the blocks along the spatial axes, and the number of batch axes."""
    given = case.options["block_size"]
    blocks = (given,) * (x.ndim - 2) if isinstance(given, int) else tuple(given)
    return blocks, x.ndim - len(blocks) - 1


def flatten(x, rank):
    """Number what is behind the batch axes in row-major order."""
    rows = [[x[(*n, *rest)] for rest in np.ndindex(*x.shape[rank:])] for n in np.ndindex(*x.shape[:rank])]
    return np.array(rows).reshape(*x.shape[:rank], math.prod(x.shape[rank:]))


def depth_to_space(x, blocks, rank, order="DCR"):
    """Send channel (k, c), or (c, k) in the order CRD, of position p to channel c of position p * block + k."""
    spatial = [n * b for n, b in zip(x.shape[rank:-1], blocks, strict=True)]
    y = np.zeros((*x.shape[:rank], *spatial, x.shape[-1] // math.prod(blocks)), x.dtype)
    for at in np.ndindex(*y.shape):
        place = at[rank:-1]
        p = [i // b for i, b in zip(place, blocks, strict=True)]
        numbers = [(i % b, b) for i, b in zip(place, blocks, strict=True)]
        channel, of_channel = 0, (at[-1], y.shape[-1])
        for number, count in [*numbers, of_channel] if order == "DCR" else [of_channel, *numbers]:
            channel = channel * count + number
        y[at] = x[(*at[:rank], *p, channel)]
    return y


def space_to_depth(x, blocks, rank, order="DCR"):
    """Undo `depth_to_space`: every element goes back to where that takes it from."""
    spatial = [n // b for n, b in zip(x.shape[rank:-1], blocks, strict=True)]
    shape = (*x.shape[:rank], *spatial, x.shape[-1] * math.prod(blocks))
    numbers = depth_to_space(np.arange(math.prod(shape)).reshape(shape), blocks, rank, order)
    y = np.zeros(math.prod(shape), x.dtype)
    for at in np.ndindex(*x.shape):
        y[numbers[at]] = x[at]
    return y.reshape(shape)


def oracle(case):
    """Return the NumPy function of a case."""
    if case.op == "flatten":
        return lambda x: flatten(x, case.options.get("batch_rank", 1))
    return lambda x: {"depth_to_space": depth_to_space, "space_to_depth": space_to_depth}[case.op](
        x, *blocks_of(case, x), case.options.get("order", "DCR")
    )
