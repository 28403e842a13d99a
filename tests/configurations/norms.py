"""Random configurations of norms."""

from jaxcnn.gradcheck.cases import Case, Normal, Uniform


def _shape(rng, least_axes):
    """Return [*batch and spatial, C]; mostly several elements an axis, for one alone is its own mean."""
    axes = rng.integers(least_axes, 4)
    return (*(int(n) for n in rng.choice([1, 2, 3, 4], axes, p=[0.1, 0.3, 0.3, 0.3])), int(rng.integers(1, 6)))


def _parameters(rng, channels, most=2):
    return tuple(Normal((channels,)) for _ in range(rng.integers(0, most + 1)))


def _epsilon(rng):
    """Draw an epsilon that leaves curvature where few numbers are normalised: two of them become 1 and -1 without."""
    return {"epsilon": float(10.0 ** rng.uniform(-2, 0))}


def _norm(op, most=2, least_axes=0):
    def draw(rng):
        x = _shape(rng, least_axes)
        return Case(op, "drawn", (Normal(x), *_parameters(rng, x[-1], most)), _epsilon(rng))

    return draw


def _batch_norm(rng):
    case = _norm("batch_norm", least_axes=1)(rng)
    if rng.random() < 0.5:
        return case
    x = case.inputs[0].shape
    channels = [Normal(x[-1:])] * 3
    return Case(
        case.op, case.label, (Normal(x), *channels, Uniform(x[-1:], 0.5, 2.0)), case.options, ("mean", "variance")
    )


def _group_norm(rng):
    groups, x = int(rng.integers(1, 4)), _shape(rng, 0)
    x = (*x[:-1], groups * int(rng.integers(1, 4)))
    rank = int(rng.integers(0, len(x)))
    default = {} if rank == max(len(x) - 2, 0) else {"spatial_rank": rank}
    return Case(
        "group_norm", "drawn", (Normal(x), *_parameters(rng, x[-1])), {"num_groups": groups} | default | _epsilon(rng)
    )


def _instance_norm(rng):
    x = _shape(rng, 1)
    rank = int(rng.integers(1, len(x)))
    default = {} if rank == len(x) - 2 else {"spatial_rank": rank}
    return Case("instance_norm", "drawn", (Normal(x), *_parameters(rng, x[-1])), default | _epsilon(rng))


def _local_response_norm(rng):
    options = {"size": int(rng.integers(1, 8))}
    for name, low, high in (("alpha", 0.0, 2.0), ("beta", -1.0, 2.0), ("k", 0.5, 3.0)):
        options |= {} if rng.random() < 0.3 else {name: float(rng.uniform(low, high))}
    return Case("local_response_norm", "drawn", (Normal(_shape(rng, 0)),), options)


DRAW = {
    "batch_norm": _batch_norm,
    "layer_norm": _norm("layer_norm"),
    "rms_norm": _norm("rms_norm", most=1),
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "weight_standardization": _norm("weight_standardization", most=1, least_axes=1),
    "local_response_norm": _local_response_norm,
}
