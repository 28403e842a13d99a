"""Random configurations of norms."""

import math

from jaxcnn.gradcheck.cases import Case, Mask, Normal, Uniform


def _shape(rng, least_axes):
    """Return [*batch and spatial, C]; mostly several elements an axis, for one alone is its own mean."""
    axes = rng.integers(least_axes, 4)
    return (*(int(n) for n in rng.choice([1, 2, 3, 4], axes, p=[0.1, 0.3, 0.3, 0.3])), int(rng.integers(1, 6)))


def _parameters(rng, channels, most=2):
    return tuple(Normal((channels,)) for _ in range(rng.integers(0, most + 1)))


def _epsilon(rng):
    """Draw an epsilon that leaves curvature where few numbers are normalised: two of them become 1 and -1 without."""
    return {"epsilon": float(10.0 ** rng.uniform(-2, 0))}


def _case(rng, op, x, most, options, masked=True):
    """Return a case, one in three of those that may have a mask with one."""
    inputs = (Normal(x), *_parameters(rng, x[-1], most))
    if not masked or rng.random() < 2 / 3:
        return Case(op, "drawn", inputs, options | _epsilon(rng))
    mask = tuple(1 if rng.random() < 0.3 else n for n in x)[int(rng.integers(0, len(x))) :]
    return Case(op, "drawn, masked", (*inputs, Mask(mask)), options | _epsilon(rng), ("where",))


def _norm(op, most=2, least_axes=0, masked=True):
    return lambda rng: _case(rng, op, _shape(rng, least_axes), most, {}, masked)


def _batch_norm(rng):
    x = _shape(rng, 1)
    if math.prod(x[:-1]) > 1 and rng.random() < 0.5:
        return _case(rng, "batch_norm", x, 2, {})
    channels = [Normal(x[-1:])] * 3
    return Case(
        "batch_norm", "drawn", (Normal(x), *channels, Uniform(x[-1:], 0.5, 2.0)), _epsilon(rng), ("mean", "variance")
    )


def _group_norm(rng):
    groups, x = int(rng.integers(1, 4)), _shape(rng, 0)
    rank = int(rng.integers(0, len(x)))
    size = int(rng.integers(1, 4))
    if math.prod(x[len(x) - 1 - rank : -1]) * size == 1:
        size = 2  # one element alone is its own mean
    x = (*x[:-1], groups * size)
    default = {} if rank == max(len(x) - 2, 0) else {"spatial_rank": rank}
    return _case(rng, "group_norm", x, 2, {"num_groups": groups} | default)


def _instance_norm(rng):
    x = _shape(rng, 1)
    rank = int(rng.integers(1, len(x)))
    if math.prod(x[len(x) - 1 - rank : -1]) == 1:
        x = (*x[:-2], 3, x[-1])
    default = {} if rank == len(x) - 2 else {"spatial_rank": rank}
    return _case(rng, "instance_norm", x, 2, default)


def _local_response_norm(rng):
    options = {"size": int(rng.integers(1, 8))}
    for name, low, high in (("alpha", 0.0, 2.0), ("beta", -1.0, 2.0), ("k", 0.5, 3.0)):
        options |= {} if rng.random() < 0.3 else {name: float(rng.uniform(low, high))}
    return Case("local_response_norm", "drawn", (Normal(_shape(rng, 0)),), options)


def _running_statistics(rng):
    x = _shape(rng, 0)
    channels = [Normal(x[-1:])] * 2
    options = {} if rng.random() < 0.5 else {"count": int(rng.integers(2, 9))}
    options |= {"momentum": float(rng.uniform(0, 1))}
    return Case("running_statistics", "drawn", (*channels, Normal(x), Normal(x)), options)


DRAW = {
    "batch_norm": _batch_norm,
    "layer_norm": _norm("layer_norm"),
    "rms_norm": _norm("rms_norm", most=1),
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "running_statistics": _running_statistics,
    "weight_standardization": _norm("weight_standardization", most=1, least_axes=1, masked=False),
    "local_response_norm": _local_response_norm,
}
