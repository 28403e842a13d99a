"""Layers that drop at random, by definition: random bits by Threefry, and one comparison an element."""

import numpy as np

ALL = 2**32
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(key, count):
    """Return 32 random bits: the two words that the cipher of Salmon et al. 2011 makes of a counter, combined."""
    words = (key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA)
    a, b = (count // ALL + words[0]) % ALL, (count % ALL + words[1]) % ALL
    for step in range(5):
        for r in ROTATIONS[step % 2]:
            a = (a + b) % ALL
            b = ((b << r) % ALL | b >> (32 - r)) ^ a
        a = (a + words[(step + 1) % 3]) % ALL
        b = (b + words[(step + 2) % 3] + step + 1) % ALL
    return a ^ b


def mask_shape(case, shape):
    """Return the shape of the numbers that are drawn for x of a shape."""
    shape, options = list(shape), case.options
    if case.op == "dropout":
        shared = options.get("broadcast_dims", ())
    elif case.op == "spatial_dropout":
        shared = range(-options.get("spatial_rank", len(shape) - 2) - 1, -1)
    else:
        shared = range(options.get("batch_rank", 1) if options["mode"] == "row" else 0, len(shape))
    for axis in shared:
        shape[axis] = 1
    return tuple(shape)


def oracle(case):
    """Return the NumPy function of a case; the key is a pair of uint32."""

    def drop(x):
        rate = float(case.options["rate"])
        if case.options.get("deterministic", False) or rate == 0:
            return x
        shape = mask_shape(case, x.shape)
        key = [int(word) for word in case.options.get("key", ())]
        y = np.zeros_like(x)
        for at in np.ndindex(*x.shape):
            drawn = np.ravel_multi_index([0 if n == 1 else i for i, n in zip(at, shape, strict=True)], shape)
            if threefry(key, int(drawn)) / ALL < 1 - rate:
                y[at] = x[at] / (1 - rate)
        return y

    return drop
