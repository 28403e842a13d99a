"""Where the maxima of bins are: from winning taps along each axis to numbers of positions.

The pools of `bins` take one spatial axis after the other, the last one first. What they keep along an axis says which
element of its bin won: bin o of O starts at floor(o I / O), so that the winner along the axis is at start + tap. Its
place along the later axes is what was found before at this position.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.algorithms.windows import column_of


def max_positions(taps: Sequence[jax.Array], sizes: Sequence[int]) -> jax.Array:
    """Return the number of each winner's position in row-major order over the input, int32.

    Args:
      taps: which element of its bin won, along each spatial axis: `[N, *sizes before the axis, *bins from it on, C]`.
      sizes: those of the spatial axes of the input.
    """
    numbers, positions = None, 1
    for axis, (winner, size) in reversed(list(enumerate(zip(taps, sizes, strict=True), start=1))):
        bins = winner.shape[axis]
        starts = np.asarray(np.arange(bins) * size // bins, np.int32)
        here = winner.astype(jnp.int32) + column_of(starts, axis, winner.ndim)
        later = 0 if numbers is None else jnp.take_along_axis(numbers, here, axis, mode="clip")
        numbers = here * positions + later
        positions *= size
    assert numbers is not None  # an op has a spatial axis
    return numbers
