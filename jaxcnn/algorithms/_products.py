"""Matrix products whose sums run in float32 or wider and are cast once."""

from collections.abc import Sequence
from typing import Any

import jax
from jax import lax

from jaxcnn.algorithms._mesh import product_sharding
from jaxcnn.ops._dtypes import accumulation_dtype


def product(
    a: jax.Array, a_axes: int | Sequence[int], b: jax.Array, b_axes: int | Sequence[int], precision: Any
) -> jax.Array:
    """Contract the axes of a with those of b; the other axes of a come first.

    Args:
      a: an array.
      a_axes: its axes to contract, one or several.
      b: an array in the dtype of a.
      b_axes: as many of its axes.
      precision: as in `jax.lax`.

    Returns:
      An array in the dtype of a.
    """
    axes = [(one,) if isinstance(one, int) else tuple(one) for one in (a_axes, b_axes)]
    wide = accumulation_dtype(a.dtype)
    dims = ((axes[0], axes[1]), ((), ()))
    split = product_sharding(a, b, dims)
    summed = lax.dot_general(a, b, dims, precision=precision, preferred_element_type=wide, out_sharding=split)
    return summed.astype(a.dtype)
