"""Random configurations of upsample_nearest and upsample_linear."""

import functools

from jaxcnn.gradcheck.cases import Case, Normal

FACTORS = (1, 2, 3, 1.5, 1.7, 2.3, 4 / 3)
DOWN = (0.5, 0.6, 0.4)  # not for one element


def _resample(op, rng):
    rank = int(rng.integers(1, 4))
    size = tuple(int(n) for n in rng.integers(1, 6 if rank < 3 else 4, rank))
    batch = tuple(int(n) for n in rng.integers(1, 3, rng.integers(0, 3)))
    if rng.random() < 0.5:
        given = "scale_factor", tuple(rng.choice([*FACTORS, *DOWN * (n > 2)]).item() for n in size)
    else:
        given = "size", tuple(int(n) for n in rng.integers(1, 8 if rank < 3 else 5, rank))
    options = dict([given])
    if rng.random() < 0.3:
        batch = (2,)
        options = {"scale_factor": rng.choice(FACTORS).item()} if given[0] == "scale_factor" else {"size": given[1][0]}
    if op == "upsample_linear" and rng.random() < 0.6:
        options["align_corners"] = bool(rng.random() < 0.7)
    return Case(op, "random", (Normal((*batch, *size, int(rng.integers(1, 4)))),), options)


DRAW = {op: functools.partial(_resample, op) for op in ("upsample_nearest", "upsample_linear")}
