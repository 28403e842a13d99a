"""Dense layers and biases.

Dense, forward: y[n, j] = sum_i x[n, i] kernel[i, j] + bias[j].

Derivation. With g[n, j] = dL/dy[n, j], each x[n, i] enters y[n, j] with the factor kernel[i, j], each kernel[i, j]
enters it with the factor x[n, i], each bias[j] with the factor 1:

    dx[n, i]      = sum_j g[n, j] kernel[i, j]        dx      = g kernel^T
    dkernel[i, j] = sum_n x[n, i] g[n, j]             dkernel = x^T g
    dbias[j]      = sum_n g[n, j]

n stands for all leading axes; in `bias_add`, which convolution uses too, for all axes but the last.

Residuals: dense keeps its operands x and kernel, which exist anyway; bias_add keeps nothing.

The sum of a bias gradient runs over many cotangents, batch times positions: in half precision it would stop growing
where one more summand is less than half a unit in the last place (65536 cotangents of 0.01 sum to 8 in bfloat16), so
it runs in float32 and is cast once.

References: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.algorithms._products import product
from jaxcnn.ops._dtypes import (
    accumulation_dtype,
    as_channels,
    as_floating,
    canonical_precision,
    canonical_preferred,
    channel_row,
    require_same_dtype,
)
from jaxcnn.ops._rule import compiled, merge_batch, split_batch


def dense(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> jax.Array:
    """Multiply x by a kernel over the last axis, and add a bias.

    The fully connected layer; `flatten` comes before it in a CNN. `conv` is the sibling that keeps spatial axes.

    Math:
      y[n, j] = sum_i x[n, i] kernel[i, j] + bias[j].
      VJP: dx = g kernel^T, dkernel = x^T g, dbias = sum of g over all leading axes.

    Args:
      x: `[*batch, D_in]`, floating.
      kernel: `[D_in, D_out]`, in the dtype of x.
      bias: `[D_out]` or None, in the dtype of x or of the output.
      precision: as in `jax.lax`; it holds for both gradients too.
      preferred_element_type: the dtype to sum and return in; None is that of x (half precision still sums in
        float32).

    Returns:
      `[*batch, D_out]`, in the dtype of x or preferred_element_type.

    Gradient:
      Linear in each operand, so there are no kinks.

    Raises:
      TypeError: a dtype is not floating, differs, or narrows.
      ValueError: the shapes do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.dense(jnp.array([1.0, 2.0]), jnp.eye(2), jnp.array([0.5, 0.5])))
      [1.5 2.5]

    References:
      Rumelhart, Hinton and Williams 1986.
    """
    x, kernel = as_floating("x", x), as_floating("kernel", kernel)
    require_same_dtype("kernel", kernel, "x", x)
    if kernel.ndim != 2:
        raise ValueError(f"kernel shape (={kernel.shape}) must be [D_in, D_out]")
    if x.ndim < 1 or x.shape[-1] != kernel.shape[0]:
        raise ValueError(f"the last axis of x (shape {x.shape}) must equal the kernel's D_in (={kernel.shape[0]})")
    precision, preferred = canonical_precision(precision), canonical_preferred(preferred_element_type, x.dtype)
    y = _compiled_dense(merge_batch(x, 1), kernel, precision, preferred)
    y = split_batch(y, x, 1)
    return y if bias is None else bias_add(y, bias)


def _dense_impl(x: jax.Array, kernel: jax.Array, precision: Any, preferred: Any) -> jax.Array:
    if preferred is not None:
        x, kernel = x.astype(preferred), kernel.astype(preferred)
    return product(x, 1, kernel, 0, precision)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _dense(x: jax.Array, kernel: jax.Array, precision: Any, preferred: Any) -> jax.Array:
    return _dense_impl(x, kernel, precision, preferred)


def _dense_fwd(
    x: jax.Array, kernel: jax.Array, precision: Any, preferred: Any
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # x, for dkernel: the input itself. kernel, for dx: the parameter itself.
    return _dense_impl(x, kernel, precision, preferred), (x, kernel)


def _dense_bwd(
    precision: Any, preferred: Any, residuals: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    del preferred  # the dtype of g says it
    x, kernel = residuals
    dx = product(g, 1, kernel.astype(g.dtype), 1, precision)
    dkernel = product(x.astype(g.dtype), 0, g, 0, precision)
    return dx.astype(x.dtype), dkernel.astype(kernel.dtype)


_dense.defvjp(_dense_fwd, _dense_bwd)
_compiled_dense = compiled(_dense, "dense", static_argnums=(2, 3))


def bias_add(x: jax.Array, bias: jax.Array) -> jax.Array:
    """Add one bias to every channel.

    `conv` and `dense` take a bias themselves and call this; use it alone where the sum stands alone.

    Math:
      y[..., c] = x[..., c] + bias[c].
      VJP: dx = g, dbias[c] = sum of g[..., c] over all leading axes.

    Args:
      x: `[..., C]`, floating.
      bias: `[C]`, in the dtype of x or a narrower one.

    Returns:
      An array of the shape and dtype of x.

    Gradient:
      No kinks. dbias is summed in float32 or wider and cast once, to the dtype of bias.

    Raises:
      TypeError: a dtype is not floating, or that of bias is wider than that of x.
      ValueError: bias is not `[C]`.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.bias_add(jnp.zeros((2, 2)), jnp.array([1.0, 2.0])))
      [[1. 2.]
       [1. 2.]]

    References:
      Rumelhart, Hinton and Williams 1986.
    """
    x = as_floating("x", x)
    return _compiled_bias_add(x, as_channels("bias", bias, x))


def _bias_add_impl(x: jax.Array, bias: jax.Array) -> jax.Array:
    return x + channel_row(bias, x)


@jax.custom_vjp
def _bias_add(x: jax.Array, bias: jax.Array) -> jax.Array:
    return _bias_add_impl(x, bias)


def _bias_add_fwd(x: jax.Array, bias: jax.Array) -> tuple[jax.Array, None]:
    return _bias_add_impl(x, bias), None


def _bias_add_bwd(residuals: None, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    del residuals
    dbias = jnp.sum(g, tuple(range(g.ndim - 1)), dtype=accumulation_dtype(g.dtype))
    return g, dbias.astype(g.dtype)


_bias_add.defvjp(_bias_add_fwd, _bias_add_bwd)
_compiled_bias_add = compiled(_bias_add, "bias_add")
