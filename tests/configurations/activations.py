"""Random configurations of activations."""

from collections.abc import Callable

import numpy as np

from jaxcnn.gradcheck.cases import Case, Distinct, Normal


def shape_of(rng: np.random.Generator, least_rank: int = 0) -> tuple[int, ...]:
    """Draw a shape of at most 192 elements, of rank 4 at most."""
    sizes = rng.permutation([2, 3, 4, 8])[: rng.integers(least_rank, 5)]
    return tuple(int(rng.choice([1, size, size])) for size in sizes)


def number(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number that every dtype holds."""
    return round(float(rng.uniform(low, high)) * 16) / 16


def sized(rng: np.random.Generator, shape: tuple[int, ...], kinks_at: int = 1) -> Distinct:
    """Return numbers about a random width apart, none at a multiple of `kinks_at`."""
    return Distinct(shape, float(rng.choice([1 / 32, 1 / 8, 1 / 2, 1])) * kinks_at)


def smooth(op: str) -> Callable[[np.random.Generator], Case]:
    """Return what draws a case of an op of one array, without options and without kinks but at 0."""

    def draw(rng: np.random.Generator) -> Case:
        shape = shape_of(rng)
        return Case(op, f"{shape}", (sized(rng, shape) if rng.random() < 0.5 else Normal(shape),))

    return draw


def kinked(op: str, kinks_at: int = 1) -> Callable[[np.random.Generator], Case]:
    """Return what draws a case of an op of one array, without options, with kinks at multiples of a number."""

    def draw(rng: np.random.Generator) -> Case:
        shape = shape_of(rng)
        return Case(op, f"{shape}", (sized(rng, shape, kinks_at),))

    return draw


def leaky_relu(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    options = {"negative_slope": number(rng, -1, 2)} if rng.random() < 0.7 else {}
    return Case("leaky_relu", f"{shape}", (sized(rng, shape),), options)


def prelu(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    slope = shape[-1:] if rng.random() < 0.7 else ()
    return Case("prelu", f"{shape}, slope {slope}", (sized(rng, shape), Normal(slope)))


def elu(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    options = {"alpha": number(rng, -2, 2)} if rng.random() < 0.7 else {}
    return Case("elu", f"{shape}", (Distinct(shape, 1 / 16),), options)


def celu(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    options = {"alpha": float(rng.choice([-1, 1])) * number(rng, 0.5, 2)} if rng.random() < 0.7 else {}
    return Case("celu", f"{shape}", (Distinct(shape, 1 / 16),), options)


def squareplus(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    options = {"b": number(rng, 0.1, 8)} if rng.random() < 0.7 else {}
    return Case("squareplus", f"{shape}", (Normal(shape),), options)


def gelu(rng: np.random.Generator) -> Case:
    shape = shape_of(rng)
    options = {"approximate": bool(rng.random() < 0.5)} if rng.random() < 0.7 else {}
    return Case("gelu", f"{shape}", (Normal(shape),), options)


def hard_tanh(rng: np.random.Generator) -> Case:
    shape, low = shape_of(rng), number(rng, -2, 1)
    bounds = {"min_val": low + 1 / 64, "max_val": low + 1 / 64 + number(rng, 1 / 16, 2)}  # no drawn number is one
    return Case("hard_tanh", f"{shape}", (Distinct(shape, 1 / 16),), bounds if rng.random() < 0.7 else {})


def glu(rng: np.random.Generator) -> Case:
    sizes = list(shape_of(rng, least_rank=1))
    axis = int(rng.integers(-len(sizes), len(sizes)))
    sizes[axis] = 2 * max(1, sizes[axis] // 2)
    options = {"axis": axis} if axis != -1 or rng.random() < 0.5 else {}
    return Case("glu", f"{tuple(sizes)}", (Normal(tuple(sizes)),), options)


DRAW: dict[str, Callable[[np.random.Generator], Case]] = {
    **{op: smooth(op) for op in ("sigmoid", "tanh", "softplus", "log_sigmoid", "silu", "mish")},
    **{op: kinked(op) for op in ("relu", "selu", "soft_sign", "sparse_sigmoid", "sparse_plus")},
    **{op: kinked(op, kinks_at=3) for op in ("hard_sigmoid", "hard_silu")},
    "relu6": kinked("relu6", kinks_at=6),
    "leaky_relu": leaky_relu,
    "prelu": prelu,
    "elu": elu,
    "celu": celu,
    "squareplus": squareplus,
    "gelu": gelu,
    "hard_tanh": hard_tanh,
    "glu": glu,
}
