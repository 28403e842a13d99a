"""Attention over channels.

squeeze_excite, forward, with P positions p an example n and r hidden units:

    m[n, c] = sum_p x[n, p, c] / P               squeeze: what is in each channel
    h = relu(m kernel1 + bias1)                  [n, r]
    s = sigmoid(h kernel2 + bias2)               [n, c], excite: how much of each channel passes
    y[n, p, c] = x[n, p, c] s[n, c]

Derivation. s[n, c] enters all positions of y with the factor x, so with z = h kernel2 + bias2 and a = m kernel1 + bias1

    ds[n, c] = sum_p g[n, p, c] x[n, p, c]
    dz = ds sigmoid'(z)                          not s (1 - s), of which an s that rounds to 1 keeps nothing
    dkernel2 = h^T dz,  dbias2 = sum_n dz,  dh = dz kernel2^T
    da = dh where h > 0, else 0                  relu'(0) = 0
    dkernel1 = m^T da,  dbias1 = sum_n da,  dm = da kernel1^T

x enters y directly and through m: dx[n, p, c] = g[n, p, c] s[n, c] + dm[n, c] / P.

Residuals: x and the parameters, which exist anyway, and m, a number an example and channel, in float32 or wider:
rounded to half precision it would put the gradients of the kernels some percent off. h and z are computed again, from
m. jax.grad keeps all three, a mask, and the slopes of the sigmoid. Everything between x and y is computed in float32 or
wider, and rounded once.

References: Hu, Shen and Sun 2018, "Squeeze-and-excitation networks", arXiv:1709.01507.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.algorithms._products import product
from jaxcnn.ops._dtypes import as_channels, as_floating, canonical_precision, channel_row, require_same_dtype, widen
from jaxcnn.ops._exponentials import sigmoid, sigmoid_slope
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import canonical_int


class Residuals(NamedTuple):
    """What the backward rule needs."""

    x: jax.Array
    kernel1: jax.Array
    bias1: jax.Array
    kernel2: jax.Array
    bias2: jax.Array
    m: jax.Array  # [*batch, C]


def squeeze_excite(
    x: jax.Array,
    kernel1: jax.Array,
    bias1: jax.Array | None,
    kernel2: jax.Array,
    bias2: jax.Array | None,
    *,
    spatial_rank: int | None = None,
    precision: Any = None,
) -> jax.Array:
    """Scale every channel of an example by a gate computed from the averages of all its channels.

    The block of SE-ResNet, MobileNetV3 and EfficientNet. Where other activations are wanted, compose it from
    `global_avg_pool`, `dense` and these.

    Math:
      y = x s, s = sigmoid(relu(m kernel1 + bias1) kernel2 + bias2), m the average of x over all positions.
      VJP: dx = g s + dm / P; dm, dkernel1, dbias1, dkernel2, dbias2 as those of two dense layers from
      dz = sigmoid' sum_p g x.

    Args:
      x: `[*batch, *spatial, C]`, floating, with at least one position.
      kernel1: `[C, R]`, in the dtype of x.
      bias1: `[R]` or None for zeros, in the dtype of x or a narrower one.
      kernel2: `[R, C]`, in the dtype of x.
      bias2: `[C]` or None for zeros, in the dtype of x or a narrower one.
      spatial_rank: the number of spatial axes; None takes all but the first axis, the batch, and the channels.
      precision: of the matrix products, as in `jax.lax`; it holds for the gradients too.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      0 of a hidden unit at 0, as in relu.

    Raises:
      TypeError: a dtype is not floating, differs, or a bias is wider than x.
      ValueError: the shapes do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> x, kernel = jnp.arange(4.0).reshape(1, 2, 2), jnp.zeros((2, 2))
      >>> print(jaxcnn.squeeze_excite(x, kernel, None, kernel, None))
      [[[0.  0.5]
        [1.  1.5]]]

    References:
      Hu, Shen and Sun 2018, "Squeeze-and-excitation networks", arXiv:1709.01507.
    """
    x = as_floating("x", x)
    rank = x.ndim - 2 if spatial_rank is None else canonical_int("spatial_rank", spatial_rank)
    if not 1 <= rank <= x.ndim - 1:
        raise ValueError(f"spatial_rank (={rank}) must be 1 to {x.ndim - 1} for x of shape {x.shape}")
    if 0 in x.shape[-rank - 1 : -1]:
        raise ValueError(f"x (shape {x.shape}) must hold at least one position")
    kernel1, kernel2 = as_floating("kernel1", kernel1), as_floating("kernel2", kernel2)
    for name, kernel in (("kernel1", kernel1), ("kernel2", kernel2)):
        require_same_dtype(name, kernel, "x", x)
    if kernel1.ndim != 2 or kernel1.shape[0] != x.shape[-1]:
        raise ValueError(f"kernel1 shape (={kernel1.shape}) must be [C, R] for the last axis of x (shape {x.shape})")
    if kernel2.shape != kernel1.shape[::-1]:
        raise ValueError(f"kernel2 shape (={kernel2.shape}) must be {kernel1.shape[::-1]}, that of kernel1 reversed")
    biases = []
    for name, bias, kernel in (("bias1", bias1, kernel1), ("bias2", bias2, kernel2)):
        if bias is not None and jnp.shape(bias) != kernel.shape[1:]:
            raise ValueError(f"{name} shape (={jnp.shape(bias)}) must be {kernel.shape[1:]}")
        biases.append(jnp.zeros(kernel.shape[1:], x.dtype) if bias is None else as_channels(name, bias, kernel))
    return _compiled_squeeze_excite(x, kernel1, biases[0], kernel2, biases[1], rank, canonical_precision(precision))


def _positions(x: jax.Array, rank: int) -> tuple[int, ...]:
    """Return the spatial axes of x."""
    return tuple(range(x.ndim - rank - 1, x.ndim - 1))


def _gates(
    m: jax.Array, kernel1: jax.Array, bias1: jax.Array, kernel2: jax.Array, bias2: jax.Array, precision: Any
) -> tuple[jax.Array, jax.Array]:
    """Return h and z for the means."""
    a = product(m, m.ndim - 1, widen(kernel1), 0, precision)
    h = jax.nn.relu(a + channel_row(widen(bias1), a))
    z = product(h, h.ndim - 1, widen(kernel2), 0, precision)
    return h, z + channel_row(widen(bias2), z)


def _forward(
    x: jax.Array, kernel1: jax.Array, bias1: jax.Array, kernel2: jax.Array, bias2: jax.Array, rank: int, precision: Any
) -> tuple[jax.Array, jax.Array]:
    """Return y and m."""
    wide, positions = widen(x), _positions(x, rank)
    m = jnp.mean(wide, positions)
    _, z = _gates(m, kernel1, bias1, kernel2, bias2, precision)
    return (wide * jnp.expand_dims(sigmoid(z), positions)).astype(x.dtype), m


def _squeeze_excite_impl(
    x: jax.Array, kernel1: jax.Array, bias1: jax.Array, kernel2: jax.Array, bias2: jax.Array, rank: int, precision: Any
) -> jax.Array:
    return _forward(x, kernel1, bias1, kernel2, bias2, rank, precision)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(5, 6))
def _squeeze_excite(
    x: jax.Array, kernel1: jax.Array, bias1: jax.Array, kernel2: jax.Array, bias2: jax.Array, rank: int, precision: Any
) -> jax.Array:
    return _squeeze_excite_impl(x, kernel1, bias1, kernel2, bias2, rank, precision)


def _squeeze_excite_fwd(
    x: jax.Array, kernel1: jax.Array, bias1: jax.Array, kernel2: jax.Array, bias2: jax.Array, rank: int, precision: Any
) -> tuple[jax.Array, Residuals]:
    # x, the kernels and biases: the input and the parameters themselves. m: a number an example and channel.
    y, m = _forward(x, kernel1, bias1, kernel2, bias2, rank, precision)
    return y, Residuals(x, kernel1, bias1, kernel2, bias2, m)


def _squeeze_excite_bwd(rank: int, precision: Any, residuals: Residuals, g: jax.Array) -> tuple[jax.Array, ...]:
    x, m, positions, wide = widen(residuals.x), residuals.m, _positions(g, rank), widen(g)
    kernel1, kernel2 = widen(residuals.kernel1), widen(residuals.kernel2)
    h, z = _gates(m, kernel1, residuals.bias1, kernel2, residuals.bias2, precision)
    batch = tuple(range(m.ndim - 1))
    dz = jnp.sum(wide * x, positions) * sigmoid_slope(z)
    dh = product(dz, m.ndim - 1, kernel2, 1, precision)
    da = jnp.where(h > 0, dh, jnp.zeros_like(dh))
    dm = product(da, m.ndim - 1, kernel1, 1, precision)
    count = math.prod(g.shape[axis] for axis in positions)
    dx = wide * jnp.expand_dims(sigmoid(z), positions) + jnp.expand_dims(dm / count, positions)
    dkernel1, dkernel2 = product(m, batch, da, batch, precision), product(h, batch, dz, batch, precision)
    cotangents = (dx, dkernel1, jnp.sum(da, batch), dkernel2, jnp.sum(dz, batch))
    return tuple(cotangent.astype(g.dtype) for cotangent in cotangents)


_squeeze_excite.defvjp(_squeeze_excite_fwd, _squeeze_excite_bwd)
_compiled_squeeze_excite = compiled(_squeeze_excite, "squeeze_excite", static_argnums=(5, 6))
