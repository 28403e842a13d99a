"""`lax.conv_general_dilated` itself, differentiated by JAX."""

from typing import Any

import jax
from jax import lax

from jaxcnn.ops._window import PaddingLike


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Any,
    padding: PaddingLike,
    lhs_dilation: Any = None,
    rhs_dilation: Any = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    batch_group_count: int = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> jax.Array:
    """Convolve, with the arguments of lax; the autodiff twin of `jaxcnn.conv_general_dilated`."""
    return lax.conv_general_dilated(
        lhs,
        rhs,
        window_strides,
        padding,  # pyright: ignore[reportArgumentType]: lax checks the forms that it has
        lhs_dilation,
        rhs_dilation,
        dimension_numbers,
        feature_group_count,
        batch_group_count,
        precision,
        preferred_element_type,
        out_sharding,
    )
