"""Exports functions for a batch of any size, and for every platform."""

import jax
import numpy as np
from jax import export

PLATFORMS = ("cpu", "cuda", "tpu")


def symbols(operands, axes):
    """Return the shapes of operands with a symbol along their axes of the batch."""
    (b,) = export.symbolic_shape("b")
    return jax.tree.map(
        lambda a, axis: jax.ShapeDtypeStruct(
            np.shape(a) if axis < 0 else (*np.shape(a)[:axis], b, *np.shape(a)[axis + 1 :]), a.dtype
        ),
        operands,
        axes,
    )


def exported(fn, operands, axes):
    """Return what was exported for all platforms."""
    made = export.export(jax.jit(fn), platforms=PLATFORMS)(*symbols(operands, axes))
    assert made.platforms == PLATFORMS
    return made
