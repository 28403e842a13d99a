"""Layers that drop a random part of their input while a network trains.

Forward, with random numbers m in {0, 1} of mean q = 1 - rate: y = m x / q, so that the mean of y is x. They differ in
what shares a number: nothing (dropout), all positions of a channel of an example (spatial dropout), all of an example
or of the batch (stochastic depth).

Derivation. Each y is x times m / q, and m does not depend on x, so dx = m g / q.

m is 1 where 32 random bits of the key, read as an integer, are below q 2^32. The probability is right to 2^-33 whatever
the dtype of x. `jax.random.bernoulli`, and so flax, compares 23 of the same bits: the same key drops the same elements
there, but for one in millions. Half precision is divided in float32 and rounded once.

Residuals: the key alone. The backward pass draws m again. In one compiled program XLA may see that both are the same
and draw once; what crosses from a forward to a backward program, or is kept for a checkpoint, is the key.

References: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting"; Tompson et al.
2015, arXiv:1411.4280 (spatial dropout); Huang et al. 2016, arXiv:1603.09382 (stochastic depth).
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.algorithms._mesh import split_like
from jaxcnn.ops._dtypes import as_floating, as_static_number, widen
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import canonical_int, canonical_ints

Shape = tuple[int, ...]


def dropout(
    x: jax.Array,
    rate: float,
    *,
    key: jax.Array | None = None,
    deterministic: bool = False,
    broadcast_dims: Sequence[int] = (),
) -> jax.Array:
    """Set random elements to 0, and scale the others up.

    `spatial_dropout` is the sibling for feature maps, whose neighbours are much the same.

    Math:
      y = m x / (1 - rate), m random, 1 with probability 1 - rate, else 0. VJP: dx = m g / (1 - rate).

    Args:
      x: floating, any shape.
      rate: the probability that an element is dropped, a Python number in [0, 1]; it is static.
      key: a PRNG key, of `jax.random.key` or of `jax.random.PRNGKey`; not needed where nothing is drawn.
      deterministic: whether to return x as it is, as in inference; it is static.
      broadcast_dims: the axes along which all elements share one m.

    Returns:
      An array of the shape and dtype of x. With rate 1 it is 0, and so is its gradient.

    Gradient:
      Linear, so there are no kinks. A dropped element has the gradient 0, even if it is nan. The key has none.

    Raises:
      TypeError: x is not floating, or an argument's type is wrong.
      ValueError: rate lies outside [0, 1], key is not one key, or an axis is out of range.

    Example:
      >>> import jax, jax.numpy as jnp, jaxcnn
      >>> y = jaxcnn.dropout(jnp.ones(1000), 0.2, key=jax.random.key(0))
      >>> print(jnp.unique(y), jnp.abs(y.mean() - 1) < 0.05)
      [0.   1.25] True

    References:
      Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """
    x = as_floating("x", x)
    shared = _canonical_dims(broadcast_dims, x.ndim)
    return _drop("dropout", x, rate, tuple(1 if a in shared else n for a, n in enumerate(x.shape)), key, deterministic)


def spatial_dropout(
    x: jax.Array,
    rate: float,
    *,
    key: jax.Array | None = None,
    deterministic: bool = False,
    spatial_rank: int | None = None,
) -> jax.Array:
    """Set random channels to 0, all positions of an example at once, and scale the others up.

    For feature maps, where `dropout` leaves the neighbours of what it drops.

    Math:
      y[n, p, c] = m[n, c] x[n, p, c] / (1 - rate), m random, 1 with probability 1 - rate, else 0.
      VJP: dx[n, p, c] = m[n, c] g[n, p, c] / (1 - rate).

    Args:
      x: `[*batch, *spatial, C]`, floating.
      rate: the probability that a channel is dropped, a Python number in [0, 1]; it is static.
      key: a PRNG key, of `jax.random.key` or of `jax.random.PRNGKey`; not needed where nothing is drawn.
      deterministic: whether to return x as it is, as in inference; it is static.
      spatial_rank: the number of spatial axes; None takes all but the first axis, the batch, and the channels.

    Returns:
      An array of the shape and dtype of x. With rate 1 it is 0, and so is its gradient.

    Gradient:
      Linear, so there are no kinks. A dropped channel has the gradient 0, even if it is nan. The key has none.

    Raises:
      TypeError: x is not floating, or an argument's type is wrong.
      ValueError: rate lies outside [0, 1], key is not one key, or x has no such spatial axes.

    Example:
      >>> import jax, jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.spatial_dropout(jnp.ones((1, 2, 4)), 0.5, key=jax.random.key(1)))
      [[[2. 0. 2. 2.]
        [2. 0. 2. 2.]]]

    References:
      Tompson et al. 2015, "Efficient object localization using convolutional networks", arXiv:1411.4280.
    """
    x = as_floating("x", x)
    rank = x.ndim - 2 if spatial_rank is None else canonical_int("spatial_rank", spatial_rank)
    if not 1 <= rank <= x.ndim - 1:
        raise ValueError(f"spatial_rank (={rank}) must be 1 to {x.ndim - 1} for x of shape {x.shape}")
    return _drop("spatial_dropout", x, rate, (*x.shape[: -rank - 1], *(1,) * rank, x.shape[-1]), key, deterministic)


def stochastic_depth(
    x: jax.Array,
    rate: float,
    mode: str,
    *,
    key: jax.Array | None = None,
    deterministic: bool = False,
    batch_rank: int = 1,
) -> jax.Array:
    """Set random examples to 0, and scale the others up.

    For the residual branch of a block, before the sum: an example whose branch is dropped skips the block.

    Math:
      y[n] = m[n] x[n] / (1 - rate), m random, 1 with probability 1 - rate, else 0. VJP: dx[n] = m[n] g[n] / (1 - rate).

    Args:
      x: `[*batch, ...]`, floating.
      rate: the probability that an example is dropped, a Python number in [0, 1]; it is static.
      mode: "row" draws for every example, "batch" once for all, as in torchvision.
      key: a PRNG key, of `jax.random.key` or of `jax.random.PRNGKey`; not needed where nothing is drawn.
      deterministic: whether to return x as it is, as in inference; it is static.
      batch_rank: the number of leading batch axes, over which "row" draws.

    Returns:
      An array of the shape and dtype of x. With rate 1 it is 0, and so is its gradient.

    Gradient:
      Linear, so there are no kinks. A dropped example has the gradient 0, even if it is nan. The key has none.

    Raises:
      TypeError: x is not floating, or an argument's type is wrong.
      ValueError: rate lies outside [0, 1], key is not one key, mode is unknown, or x has no such batch axes.

    Example:
      >>> import jax, jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.stochastic_depth(jnp.ones((4, 2)), 0.5, "row", key=jax.random.key(1)).mean(1))
      [2. 0. 2. 2.]

    References:
      Huang, Sun, Liu, Sedra and Weinberger 2016, "Deep networks with stochastic depth", arXiv:1603.09382.
    """
    x = as_floating("x", x)
    if not isinstance(mode, str) or mode not in ("batch", "row"):
        raise ValueError(f'mode (={mode!r}) must be "batch" or "row"')
    rank = canonical_int("batch_rank", batch_rank, minimum=0)
    if rank > x.ndim:
        raise ValueError(f"batch_rank (={rank}) must not exceed the rank of x (shape {x.shape})")
    rows = rank if mode == "row" else 0
    return _drop("stochastic_depth", x, rate, x.shape[:rows] + (1,) * (x.ndim - rows), key, deterministic)


def _drop(layer: str, x: jax.Array, rate: Any, shape: Shape, key: Any, deterministic: Any) -> jax.Array:
    """Check what the layers have in common, and drop where a mask of `shape`, which broadcasts to that of x, is 0."""
    number = as_static_number("rate", rate, x.dtype)
    if not 0 <= number <= 1:
        raise ValueError(f"rate (={rate!r}) must lie in [0, 1]")
    if not isinstance(deterministic, bool):
        raise TypeError(f"deterministic (={deterministic!r}) must be True or False")
    if deterministic or number == 0:
        return x
    _require_key(key)
    return _COMPILED[layer](x, key, number, shape)


def _require_key(key: Any) -> None:
    """Check that `key` is one PRNG key, of either style.

    Raises:
      TypeError: it is none.
      ValueError: it has another shape, such as that of several.
    """
    dtype = getattr(key, "dtype", None)
    if dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key):
        expected = ()
    elif dtype == jnp.uint32:
        config: Any = jax.config  # whose attributes have no types
        expected = _raw_key_shape(config.jax_default_prng_impl)
    else:
        raise TypeError(f"key (={key!r}) must be a PRNG key, such as jax.random.key(0)")
    if key.shape != expected:
        raise ValueError(f"key shape (={key.shape}) must be {expected}, that of one key; several go by jax.vmap")


@functools.cache
def _raw_key_shape(impl: str) -> Shape:
    return jax.eval_shape(lambda: jax.random.PRNGKey(0, impl=impl)).shape


def _canonical_dims(broadcast_dims: Any, ndim: int) -> Shape:
    count = len(broadcast_dims) if isinstance(broadcast_dims, Sequence) else 1
    dims = canonical_ints("broadcast_dims", broadcast_dims, count, minimum=-ndim)
    if any(a >= ndim for a in dims):
        raise ValueError(f"broadcast_dims (={broadcast_dims!r}) must name axes of an array of rank {ndim}")
    return tuple(a % ndim for a in dims)


def keep_mask(key: jax.Array, rate: float, shape: Shape) -> jax.Array:
    """Return bools of `shape`, each True with probability 1 - rate, which must be above 0."""
    below = _kept_of_all_integers(rate)
    return jax.random.bits(key, shape, jnp.uint32) <= np.uint32(below - 1)


def _kept_of_all_integers(rate: float) -> int:
    """Return for how many of the 2^32 integers an element is kept."""
    return round((1 - rate) * 2**32)


def _masked_impl(x: jax.Array, key: jax.Array, rate: float, shape: Shape) -> jax.Array:
    if _kept_of_all_integers(rate) == 0:
        return jnp.zeros_like(x)
    scaled = (widen(x) / (1 - rate)).astype(x.dtype)
    return jnp.where(split_like(keep_mask(key, rate, shape), x), scaled, jnp.zeros_like(x))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _masked(x: jax.Array, key: jax.Array, rate: float, shape: Shape) -> jax.Array:
    return _masked_impl(x, key, rate, shape)


def _masked_fwd(x: jax.Array, key: jax.Array, rate: float, shape: Shape) -> tuple[jax.Array, jax.Array]:
    # The key, for the mask, which is drawn again: some bytes.
    return _masked_impl(x, key, rate, shape), key


def _masked_bwd(rate: float, shape: Shape, key: jax.Array, g: jax.Array) -> tuple[jax.Array, None]:
    return _masked_impl(g, key, rate, shape), None


_masked.defvjp(_masked_fwd, _masked_bwd)
_COMPILED = {
    layer: compiled(_masked, layer, static_argnums=(2, 3))
    for layer in ("dropout", "spatial_dropout", "stochastic_depth")
}
