"""Value, slope and curvature of functions of one array, in units in the last place of the right numbers."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

ULP = 4  # of values and slopes
NEAR_ZERO_EPS = 4  # of slopes near a zero of theirs, absolutely
CURVATURE_EPS = 16  # of the largest curvature
TAIL = 1e-4  # of a curvature far from 0, relatively
NAMED = (
    0.0,
    1.0,
    3.0,
    6.0,
    0.5,
    2.0,
    5.0,
    9.0,
    10.0,
    13.0,
    17.0,
    20.0,
    44.0,
    60.0,
    64.0,
    65.375,
    66.0,
    87.0,
    87.5,
    91.0,
)


class Right(NamedTuple):
    """Numbers as a sum of two float64s, for those that judge float64."""

    high: np.ndarray
    low: np.ndarray | float = 0.0


def numbers(dtype, count=4000):
    """Return numbers of every size, those of both signs that are named among them; the same ones each time."""
    rng, end = np.random.default_rng(0), 110 if dtype == np.float32 else 720
    named = [sign * x for x in NAMED for sign in (1, -1)]
    parts = [rng.uniform(-edge, edge, count // 4) for edge in (end, 20, 3)]
    signs, tiny = rng.choice([-1, 1], count // 4), float(np.finfo(dtype).smallest_normal)
    small, large = (tiny, float(np.finfo(dtype).max)) if dtype == np.float32 else (1e-5, end)
    sizes = np.exp(rng.uniform(np.log(small), np.log(large), count // 4))
    x = np.concatenate([named, *parts, signs * sizes]).astype(dtype)
    return x[large_enough(x)]


def large_enough(x):
    """Return whether x is finite, and 0 or no subnormal number."""
    with np.errstate(invalid="ignore"):
        return np.isfinite(x) & ((x == 0) | (np.abs(x) >= np.finfo(x.dtype).smallest_normal))


def run(fn, x):
    """Return value, slope and curvature of fn at x, by one compiled program."""

    def slope(x):
        return jax.vjp(fn, x)[1](jnp.ones_like(x))[0]

    return jax.jit(lambda x: (fn(x), slope(x), jax.vjp(slope, x)[1](jnp.ones_like(x))[0]))(x)


def exact_derivatives(fn, x, derivatives):
    """Return value, slope and curvature of a function in mpmath."""
    rows = [derivatives(fn, each) for each in x]
    highs = [np.array([float(row[n]) for row in rows]) for n in range(3)]
    lows = [np.array([float(row[n] - high) for row, high in zip(rows, highs[n], strict=True)]) for n in range(3)]
    return [Right(*pair) for pair in zip(highs, lows, strict=True)]


def off_by(found, right):
    """Return |found - right| where the right number is a normal one, 0 elsewhere, and the size of a last place."""
    info = np.finfo(found.dtype)
    found, high = np.asarray(found, np.float64), np.asarray(right.high, np.float64)
    normal = (np.abs(high) >= float(info.smallest_normal)) & (np.abs(high) <= float(info.max))
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(normal, np.abs((found - high) - right.low), 0.0)
    difference = np.where(np.isnan(difference), np.inf, difference)
    return difference, np.exp2(np.floor(np.log2(np.where(normal, np.abs(high), 1.0))) - info.nmant)


def differences(found, right, near_zero, smooth, far, least=0.0):
    """Return the largest differences of value, slope and curvature, and whether they are within their bounds.

    Args:
      found: the three arrays, in one dtype.
      right: the three, as arrays or `Right`.
      near_zero: where the slope is near a zero.
      smooth: where there is a curvature.
      far: where a small curvature must have digits.
      least: the least size of a curvature that must have them.
    """
    found = [np.asarray(a) for a in found]
    right = [a if isinstance(a, Right) else Right(np.asarray(a, np.float64)) for a in right]
    eps = float(np.finfo(found[0].dtype).eps)
    value, slope, curvature = (off_by(a, b) for a, b in zip(found, right, strict=True))
    size = np.abs(right[2].high)
    top = np.max(size, where=smooth, initial=0)
    tail = smooth & far & (size < 1e-3 * top) & (size > least)
    with np.errstate(divide="ignore", invalid="ignore"):
        row = (
            np.max(value[0] / value[1]),
            np.max(slope[0] / slope[1], where=~near_zero, initial=0),
            np.max(slope[0] / eps, where=near_zero, initial=0),
            np.max(curvature[0], where=smooth, initial=0) / (eps * (top or 1)),
            np.max(curvature[0] / size, where=tail & (curvature[0] > 0), initial=0),
        )
    return row, all(a <= b for a, b in zip(row, (ULP, ULP, NEAR_ZERO_EPS, CURVATURE_EPS, TAIL), strict=True))
