"""Random configurations of every pool: shapes of all ranks, and all options."""

import math
import string

import numpy as np

from jaxcnn.gradcheck.cases import Case, Distinct, Normal, Places
from tests.oracles import pooling

BATCHES = [(), (1,), (2,), (2, 2)]


def one_of(rng, choices):
    """Return one of the choices."""
    return choices[rng.integers(len(choices))]


def ints(rng, low, high, count):
    """Return `count` ints from low to high."""
    return tuple(int(v) for v in rng.integers(low, high + 1, count))


def geometry(rng):
    """Return a shape of x and the options of a pool over windows, each of which holds an element that is not padding."""
    while True:
        rank = one_of(rng, [1, 2, 2, 3])
        shape = (*one_of(rng, BATCHES), *ints(rng, 1, 7 if rank < 3 else 4, rank), *ints(rng, 1, 3, 1))
        padding = one_of(
            rng,
            [
                *["VALID", "SAME", "SAME_LOWER"],
                *ints(rng, 0, 2, 1),
                ints(rng, -1, 2, rank),
                tuple(ints(rng, -2, 3, 2) for _ in range(rank)),
            ],
        )
        options = {
            "window_shape": ints(rng, 1, 4 if rank < 3 else 2, rank),
            "strides": one_of(rng, [None, *ints(rng, 1, 4, 1), ints(rng, 1, 3, rank)]),
            "padding": padding,
            "window_dilation": one_of(rng, [1, *ints(rng, 1, 3, 1), ints(rng, 1, 3, rank)]),
            "ceil_mode": bool(rng.integers(2)),
        }
        if math.prod(shape) <= 200 and reads_something(shape, options):
            return shape, options


def reads_something(shape, options):
    """Return whether the windows fit, and each reads an element that is not padding."""
    x = np.empty(shape)
    terms = pooling.terms_of(x, **options)
    x = x.reshape(-1, *shape[-len(terms["window"]) - 1 :])
    if any(max(-low, 0) + max(-high, 0) >= n for n, (low, high) in zip(x.shape[1:-1], terms["pads"], strict=True)):
        return False
    windows = list(pooling.pool_windows(x, **terms))
    sizes = pooling.crop(x, terms["pads"]).shape[1:-1]
    return bool(windows) and all(pooling.inside(places, sizes) for _, places in windows)


def over_windows(op, spec):
    """Return what draws a case of a pool over windows."""

    def draw(rng):
        shape, options = geometry(rng)
        return Case(op, f"{shape} {options}", (spec(shape),), options)

    return draw


def draw_avg_pool(rng):
    """Draw an average pool."""
    shape, options = geometry(rng)
    options |= {"count_include_pad": bool(rng.integers(2)), "divisor_override": one_of(rng, [None, None, 1, 3, -2.5])}
    return Case("avg_pool", f"{shape} {options}", (Normal(shape),), options)


def draw_lp_pool(rng):
    """Draw an lp pool; the magnitudes differ where their maximum is taken, and none is near 0."""
    shape, options = geometry(rng)
    norm = one_of(rng, [1, 1.5, 2, 2.5, 3, 4, math.inf])
    options = {"norm": norm, **options}
    spec = Normal(shape) if norm == math.inf else Distinct(shape, 1 / 16)
    return Case("lp_pool", f"{shape} {options}", (spec,), options)


def shape_of(rng, rank, most):
    """Return a shape of x of at most 200 elements, with up to `most` positions along each axis."""
    shape = (*one_of(rng, BATCHES), *ints(rng, 1, most, rank), *ints(rng, 1, 3, 1))
    return shape if math.prod(shape) <= 200 else shape_of(rng, rank, most)


def draw_max_unpool(rng):
    """Draw an unpool."""
    rank = one_of(rng, [1, 2, 2, 3])
    shape = shape_of(rng, rank, 4)
    output_size = tuple(size + more for size, more in zip(shape[-rank - 1 : -1], ints(rng, 0, 3, rank), strict=True))
    options = {"output_size": output_size}
    return Case("max_unpool", f"{shape} {options}", (Normal(shape), Places(shape, output_size)), options)


def over_bins(op, spec):
    """Return what draws a case of an adaptive pool."""

    def draw(rng):
        rank = one_of(rng, [1, 2, 2, 3])
        shape = shape_of(rng, rank, 8 if rank < 3 else 4)
        options = {"output_size": tuple(one_of(rng, [None, n, n, n]) for n in ints(rng, 1, 8 if rank < 3 else 4, rank))}
        return Case(op, f"{shape} {options}", (spec(shape),), options)

    return draw


def over_all_positions(op, spec):
    """Return what draws a case of a global pool."""

    def draw(rng):
        rank = one_of(rng, [1, 2, 3])
        shape = shape_of(rng, rank, 5)
        options = {"spatial_rank": rank} if len(shape) != rank + 2 or rng.integers(2) else {}
        return Case(op, f"{shape} {options}", (spec(shape),), options)

    return draw


def now_and_then_elsewhere(draw):
    """Return what draws a case whose axes stand, now and then, in another order."""

    def in_layout(rng):
        case = draw(rng)
        window = case.options.get("window_shape", case.options.get("output_size"))
        shape = case.inputs[0].shape
        rank = len(shape) - 2 if window is None else len(window)
        if (
            rng.random() < 0.75 or rank < 1 or len(shape) != rank + 2 or case.op == "max_unpool"
        ):  # whose indices are channels last
            return case
        order = [int(axis) for axis in rng.permutation(rank + 2)]  # which axis stands where
        letters = f"N{string.digits[:rank]}C"
        # The spatial axes keep their order among themselves, which is that of the window's sizes.
        spatial = iter(range(1, rank + 1))
        order = [axis if axis in (0, rank + 1) else next(spatial) for axis in order]
        inputs = tuple(spec._replace(shape=tuple(spec.shape[axis] for axis in order)) for spec in case.inputs)
        options = case.options | {"dimension_numbers": "".join(letters[axis] for axis in order)}
        options.pop("spatial_rank", None)
        return Case(case.op, f"{inputs[0].shape} {options}", inputs, options)

    return in_layout


DRAW_IN_CHANNELS_LAST = {
    "max_pool": over_windows("max_pool", Distinct),
    "min_pool": over_windows("min_pool", Distinct),
    "avg_pool": draw_avg_pool,
    "sum_pool": over_windows("sum_pool", Normal),
    "lp_pool": draw_lp_pool,
    "max_pool_with_indices": over_windows("max_pool_with_indices", Distinct),
    "max_unpool": draw_max_unpool,
    "adaptive_avg_pool": over_bins("adaptive_avg_pool", Normal),
    "adaptive_max_pool": over_bins("adaptive_max_pool", Distinct),
    "adaptive_max_pool_with_indices": over_bins("adaptive_max_pool_with_indices", Distinct),
    "global_avg_pool": over_all_positions("global_avg_pool", Normal),
    "global_max_pool": over_all_positions("global_max_pool", Distinct),
}

DRAW = {op: now_and_then_elsewhere(draw) for op, draw in DRAW_IN_CHANNELS_LAST.items()}
