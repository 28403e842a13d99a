"""Equations that reduce windows, along any axes of an array, computed by the pooling layers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax

from jaxcnn.ops._layout import transpose
from jaxcnn.ops.average_pooling import sum_pool
from jaxcnn.ops.pooling import max_pool, min_pool

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

POOLS: dict[str, Callable[..., jax.Array]] = {
    "reduce_window_max": max_pool,
    "reduce_window_min": min_pool,
    "reduce_window_sum": sum_pool,
    "ge": max_pool,
    "le": min_pool,
}


def refusal(eqn: "JaxprEqn") -> str | None:
    """Return why no pooling layer computes an equation; None where one does."""
    if max(eqn.params.get("base_dilation", (1,)), default=1) > 1:
        return "base_dilation: jaxcnn pools have no dilated input"
    return None


def pool(eqn: "JaxprEqn", x: jax.Array) -> jax.Array:
    """Return the maximum, minimum or sum of each window."""
    return _along_axes(POOLS[eqn.primitive.name], eqn.params, x)


def chosen(eqn: "JaxprEqn", g: jax.Array, x: jax.Array) -> jax.Array:
    """Return the cotangent of x for that of a maximum or minimum: each g at the element that its window chose."""
    layer = POOLS[eqn.params["select_prim"].name]
    return jax.vjp(lambda x: _along_axes(layer, eqn.params, x), x)[1](g)[0]


def _pooled_axes(params: Any) -> list[int]:
    """Return the axes along which windows are more than the elements themselves."""
    each = zip(params["window_dimensions"], params["window_strides"], params["padding"], strict=True)
    return [axis for axis, (size, stride, pair) in enumerate(each) if size > 1 or stride > 1 or tuple(pair) != (0, 0)]


def _along_axes(layer: Callable[..., jax.Array], params: Any, x: jax.Array) -> jax.Array:
    """Return what a layer makes of x, whose axes are put in the order `[*batch, *spatial, C]` and back.

    The last axis has the part of the channels. Where it is pooled itself, as in "NCHW", one channel is added instead:
    to move the axes of x would cost up to ten times as much as the pool does.
    """
    spatial = _pooled_axes(params)
    if not spatial:
        return x
    channels = [x.ndim - 1] if x.ndim - 1 not in spatial else []
    order = (*(axis for axis in range(x.ndim) if axis not in (*spatial, *channels)), *spatial, *channels)
    ordered = transpose(x, order) if channels else transpose(x, order)[..., None]
    window, strides, padding, dilation = (
        tuple(params[name][axis] for axis in spatial) if name in params else 1
        for name in ("window_dimensions", "window_strides", "padding", "window_dilation")
    )
    y = layer(ordered, window, strides, padding, window_dilation=dilation)
    return transpose(y if channels else y[..., 0], tuple(order.index(axis) for axis in range(x.ndim)))
