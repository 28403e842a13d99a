"""What a comparison is made on: cotangents of several magnitudes and signs, and numbers with ties, zeros and kinks.

NumPy draws them, which has nothing to compile.

Normally distributed numbers never tie, so that a max-pool which gives to every maximum, or relu'(0) = 1, is right on
all of them. The tied numbers are the given ones, rounded to a few multiples of a power of two within the given range:
a layer is defined on them where it is on the given ones, sums and products of them are exact, and so two programs see
the same ties. Coarse steps make neighbours equal; fine ones reach the kinks of activations, which lie at integers.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

LEVELS = {"coarse": 4, "fine": 16}  # of the range of the numbers


def draw_cotangents(key: jax.Array, outputs: Sequence[jax.Array]) -> list[jax.Array]:
    """Return a normally distributed cotangent for each output."""
    # Key 0 alone would draw what default_rng(0) draws: a cotangent that is x itself, which a norm's rule maps to 0.
    rng = np.random.default_rng([*np.asarray(jax.random.key_data(key)).ravel(), 1])
    return [jnp.asarray(rng.standard_normal(y.shape), y.dtype) for y in outputs]


def magnitudes(cotangents: Sequence[jax.Array]) -> tuple[float, float]:
    """Return a large negative factor and a small positive one, powers of two, which multiply without rounding.

    So large that a bound of some units inside a function is met where what is around it multiplies by 1e-8. float16
    holds numbers from 6e-5 to 65504 with all their bits, and gets small factors.
    """
    narrow = any(g.dtype == jnp.float16 for g in cotangents)
    return (-(2.0**4), 2.0**-4) if narrow else (-(2.0**32), 2.0**-32)


def scaled(cotangents: Sequence[jax.Array], factor: float) -> list[jax.Array]:
    """Return all cotangents times a number."""
    return [jnp.asarray(np.asarray(g) * np.asarray(factor, g.dtype)) for g in cotangents]


def halves(cotangents: Sequence[jax.Array]) -> tuple[list[jax.Array], list[jax.Array]]:
    """Return two cotangents whose sum is the given one exactly: each element is in one of them, and 0 in the other."""
    rng = np.random.default_rng(2)
    numbers = [np.asarray(g) for g in cotangents]
    masks = [rng.random(g.shape) < 0.5 for g in numbers]
    first = [jnp.asarray(np.where(m, g, np.zeros_like(g))) for m, g in zip(masks, numbers, strict=True)]
    return first, [jnp.asarray(np.where(m, np.zeros_like(g), g)) for m, g in zip(masks, numbers, strict=True)]


def with_ties(primals: Sequence[jax.Array], levels: int) -> list[jax.Array]:
    """Return the numbers rounded to about `levels` multiples of a power of two, within the range of each array."""
    return [jnp.asarray(_rounded(np.asarray(p, np.float64), levels), p.dtype) for p in primals]


def _rounded(x: np.ndarray, levels: int) -> np.ndarray:
    finite = x[np.isfinite(x)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low == high:
        return x
    step = 2.0 ** np.floor(np.log2((high - low) / levels))
    with np.errstate(invalid="ignore"):
        return np.clip(np.round(x / step), np.ceil(low / step), np.floor(high / step)) * step


def moved(arrays: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """Return float64 numbers, each up or down by about one unit in its last place."""
    rng = np.random.default_rng([seed, 3])
    eps = np.finfo(np.float64).eps
    return [a * (1 + eps * rng.choice([-1.0, 1.0], a.shape)) for a in arrays]
