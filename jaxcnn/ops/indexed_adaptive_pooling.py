"""Maximum over a given number of bins, with the position of each.

Forward: y[n, o, c] = max of x[n, p, c] over the positions p in bin B(o), as in `adaptive_max_pool`, and i[n, o, c] = p,
the number of the winner's position in row-major order over the spatial axes of x.

Derivation. As for `adaptive_max_pool`: dx[n, p, c] = sum of g[n, o, c] over the bins o with i[n, o, c] = p; more than
one has it where bins overlap. The indices are integers and have no cotangent.

Where every O divides its I, the bins are the windows of `max_pool_with_indices`, which then computes it all.
Residuals: the winning tap along each axis, one byte an element; the gradient that goes back by them needs no scatter.

References: He, Zhang, Ren and Sun 2014, "Spatial pyramid pooling in deep convolutional networks", arXiv:1406.4729.
"""

import functools
from typing import Any

import jax

from jaxcnn.algorithms import bins
from jaxcnn.algorithms.bin_positions import max_positions
from jaxcnn.ops._dtypes import as_numbers, widen
from jaxcnn.ops._layout import channels_last, from_channels_last
from jaxcnn.ops._rule import compiled
from jaxcnn.ops.adaptive_pooling import AdaptiveConfig, adaptive_config, run_adaptive
from jaxcnn.ops.indexed_pooling import max_pool_with_indices


def adaptive_max_pool_with_indices(
    x: jax.Array, output_size: Any, *, dimension_numbers: str | None = None
) -> tuple[jax.Array, jax.Array]:
    """Take the maximum over as many bins as the result shall have positions, and say where it was.

    For `max_unpool`, which puts values back to these places; `adaptive_max_pool` is the sibling without indices,
    `max_pool_with_indices` the one with windows of a given size.

    Math:
      y[n, o, c] = x[n, p, c] with p = indices[n, o, c], the first maximum of bin B(o), which along each axis goes from
      floor(o I / O) to before ceil((o + 1) I / O).
      VJP: dx[n, p, c] = sum of g[n, o, c] over the bins o with indices[n, o, c] = p.

    Args:
      x: `[*batch, *spatial, C]`, floating or integer, with any number of leading batch axes, none included.
      output_size: a size, or None for that of x, for each spatial axis, which gives the spatial rank.
      dimension_numbers: where the axes of x and of the results stand, such as "NCHW", with one batch axis; None is as
        written here.

    Returns:
      y, as from `adaptive_max_pool`, `[*batch, *output_size, C]` in the dtype of x; and indices, int32, of the same
      shape: the number of the position in row-major order over the spatial axes of x, as in torch.

    Gradient:
      That of `adaptive_max_pool`: at a tie the first maximum in row-major order takes the whole cotangent, and of NaNs
      the first. The indices have none.

    Raises:
      TypeError: the dtype of x is bool or complex, or output_size is no sequence of ints.
      ValueError: output_size does not fit x, or x has an empty spatial axis.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> y, indices = jaxcnn.adaptive_max_pool_with_indices(jnp.array([5.0, 3.0, 1.0, 7.0, 2.0])[:, None], (2,))
      >>> print(y.ravel(), indices.ravel())
      [5. 7.] [0 3]

    References:
      He, Zhang, Ren and Sun 2014, arXiv:1406.4729.
    """
    given = as_numbers("x", x)
    x = channels_last(given, dimension_numbers)
    config = adaptive_config(x, output_size, dimension_numbers, given)
    if config.window is not None:
        results = max_pool_with_indices(x, config.window, config.window)
    else:
        results = run_adaptive(_compiled_adaptive_max_pool_with_indices, x, config)
    y, indices = (from_channels_last(result, dimension_numbers) for result in results)
    return y, indices


def _adaptive_max_pool_with_indices_impl(x: jax.Array, config: AdaptiveConfig) -> tuple[jax.Array, jax.Array]:
    y, taps = bins.max_forward(x, config.output_size)
    return y, max_positions(taps, config.input_size)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _adaptive_max_pool_with_indices(x: jax.Array, config: AdaptiveConfig) -> tuple[jax.Array, jax.Array]:
    return _adaptive_max_pool_with_indices_impl(x, config)


def _adaptive_max_pool_with_indices_fwd(
    x: jax.Array, config: AdaptiveConfig
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, ...]]:
    y, taps = bins.max_forward(x, config.output_size)
    # The winning taps, one byte an element of each axis' result; x itself is not kept.
    return (y, max_positions(taps, config.input_size)), taps


def _adaptive_max_pool_with_indices_bwd(
    config: AdaptiveConfig, taps: tuple[jax.Array, ...], cotangents: tuple[jax.Array, Any]
) -> tuple[jax.Array]:
    g, _ = cotangents  # indices have none
    return (bins.max_dx(widen(g), taps, config.input_size).astype(g.dtype),)


_adaptive_max_pool_with_indices.defvjp(_adaptive_max_pool_with_indices_fwd, _adaptive_max_pool_with_indices_bwd)
_compiled_adaptive_max_pool_with_indices = compiled(
    _adaptive_max_pool_with_indices, "adaptive_max_pool_with_indices", static_argnums=(1,)
)
