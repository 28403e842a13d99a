"""How far two right programs may differ, by dtype, and how a difference is measured.

A relative difference is max|a - b| / max|b| over an array: two right float64 programs, a convolution and a sum of
taps, differ by 5e-11 element by element, where sums cancel, and by 3e-15 this way. `jaxcnn.gradcheck.compare` derives
its tolerance from the terms of the sums (`jaxcnn.gradcheck.judging`); the ones here are for all sums of some thousand.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

RTOL = {
    # Sums of up to some thousand terms, in another order, through the layers of a network.
    "float64": 1e-13,
    "float32": 4e-6,
    # Half precision is rounded once at the end of each op, by us and by the judge: two units in the last place.
    "bfloat16": 2.0**-6,
    "float16": 2.0**-9,
}
FINITE_DIFFERENCE_RTOL = 1e-7  # central differences of step 1e-6 in float64: truncation 1e-12, rounding 1e-10


def rtol_of(dtype: Any) -> float:
    """Return the tolerance for `dtype`.

    Raises:
      ValueError: there is none for it.
    """
    name = jnp.dtype(dtype).name
    if name not in RTOL:
        raise ValueError(f"dtype (={name}) must be one of {', '.join(RTOL)}")
    return RTOL[name]


def is_floating(leaf: Any) -> bool:
    """Return whether a leaf of a pytree is a real floating number or array: what has a gradient."""
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def absolute_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return |a - b| in float64; 0 where both are nan or the same infinity, inf where only one is finite."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    difference = np.where(same, 0.0, np.inf)
    difference[finite] = np.abs(a[finite] - b[finite])
    return difference


def largest_finite(b: np.ndarray) -> float:
    """Return max|b| over the finite elements, 0 where there are none."""
    b = np.abs(np.asarray(b, np.float64))
    return float(np.max(b, where=np.isfinite(b), initial=0.0))


def ulp_difference(a: np.ndarray, b: np.ndarray, dtype: Any) -> float:
    """Return the largest |a - b| in units in the last place of b (at least of the smallest normal)."""
    if np.size(b) == 0:
        return 0.0
    info = jnp.finfo(dtype)
    magnitude = np.abs(np.asarray(b, np.float64))
    magnitude = np.clip(np.where(np.isfinite(magnitude), magnitude, 0), float(info.smallest_normal), None)
    unit = np.exp2(np.floor(np.log2(magnitude)) - info.nmant)
    with np.errstate(over="ignore"):  # a difference beside a b of 0 may be more units than there are numbers
        return float(np.max(absolute_difference(a, b) / unit))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine of the angle between a and b over the elements finite in both; 1 where both are 0."""
    a, b = np.asarray(a, np.float64).ravel(), np.asarray(b, np.float64).ravel()
    finite = np.isfinite(a) & np.isfinite(b)
    a, b = a[finite], b[finite]
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    if lengths == 0.0:
        return float(not a.any() and not b.any())
    return float(a @ b) / lengths
