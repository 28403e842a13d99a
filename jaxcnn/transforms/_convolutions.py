"""The three readings of an equation that convolves: as a forward pass, as dkernel, as dx.

A convolution in a program is a forward pass, or one of the two gradients that JAX made of one. For lax all three are
convolutions, for a fast algorithm they are not:

    y[n, o, c]        = sum_{k, c'} x[n, o s + k d - low, c'] kernel[k, c', c]           few taps are summed over
    dkernel[k, c', c] = sum_{n, o} x[n, o s + k d - low, c'] g[n, o, c]                  many positions are
    dx[n, p, c']      = sum_{o, k, c : o s + k d - low = p} g[n, o, c] kernel[k, c', c]  g has zeros in between

dkernel is told by its right operand having more positions than its result and no more than its left one, or by its sum
over the first axis of x, the examples. dx is told by the zeros between the elements of its left operand; its kernel is
turned, and turned back here.

Each gradient is the adjoint A of the layer y(x, kernel) in one argument, a function of the other argument and of g,
linear in both. With t the cotangent of A's result, which has the place of the free argument,

    dother = the layer's gradient of `other`, at t in the free place, for g          dg = y(t, other)

so that its rule is made of the layer's own parts, and derivatives of every order run through them.
"""

import functools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.algorithms._mesh import zeros
from jaxcnn.algorithms._sizes import at_least, at_most
from jaxcnn.algorithms._varying import varying_alike
from jaxcnn.ops._layout import transpose
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import Ints, Pairs, dilated_size
from jaxcnn.ops.convolution import conv
from jaxcnn.ops.general_convolution import conv_general_dilated
from jaxcnn.ops.transposed_convolution import turned_kernel
from jaxcnn.transforms._programs import dtype_of, shape_of

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn


class Adjoint(NamedTuple):
    """The static half of a gradient of `conv`.

    Attributes:
      of: which argument is free, 0 for x and 1 for kernel.
      shape: that of the free argument, and so of the result.
      strides: as in `conv`, and so on.
    """

    of: int
    shape: Ints
    strides: Ints
    padding: Pairs
    input_dilation: Ints
    kernel_dilation: Ints
    feature_group_count: int
    precision: Any

    def y(self, free: jax.Array, other: jax.Array) -> jax.Array:
        """Return the layer's value."""
        x, kernel = (free, other) if self.of == 0 else (other, free)
        options: dict[str, Any] = dict(zip(self._fields[2:], self[2:], strict=True))
        return conv(x, kernel, **options)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _adjoint(other: jax.Array, g: jax.Array, layer: Adjoint) -> jax.Array:
    return _adjoint_impl(other, g, layer)


def _adjoint_impl(other: jax.Array, g: jax.Array, layer: Adjoint) -> jax.Array:
    blank = jnp.zeros(layer.shape, other.dtype) if layer.of == 1 else zeros(layer.shape, other.dtype, g)
    free, other = varying_alike(blank, other)
    return jax.vjp(lambda free: layer.y(free, other), free)[1](g)[0]


def _adjoint_fwd(other: jax.Array, g: jax.Array, layer: Adjoint) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    # The two operands, which exist anyway.
    return _adjoint_impl(other, g, layer), (other, g)


def _adjoint_bwd(layer: Adjoint, residuals: tuple[jax.Array, jax.Array], t: jax.Array) -> tuple[jax.Array, jax.Array]:
    other, g = residuals
    y, pull = jax.vjp(lambda other: layer.y(t, other), other)
    return pull(g)[0], y


_adjoint.defvjp(_adjoint_fwd, _adjoint_bwd)
_compiled_adjoint = compiled(_adjoint, "conv_gradient", static_argnums=(2,))


def is_dkernel(eqn: "JaxprEqn") -> bool:
    """Return whether a convolution sums over more positions than it has results, or over the first axis of its input.

    A forward pass does the former too where its kernel is larger than the input. Examples stand on the first axis;
    channels do only in a layout such as ("CHWN", "IHWO", "CHWN"), that of the results too then.
    """
    (examples, channels, *of_lhs), of_rhs, of_out = numbers = eqn.params["dimension_numbers"]
    lhs, rhs = (shape_of(var) for var in eqn.invars)
    if eqn.params["feature_group_count"] != 1 or 0 in (*lhs, *rhs) or _asks_for_sharding(eqn):
        return False
    summed = math.prod(rhs[axis] for axis in of_rhs[2:])
    results = math.prod(shape_of(eqn.outvars[0])[axis] for axis in of_out[2:])
    positions = math.prod(lhs[axis] for axis in of_lhs)
    many = not at_least(results, summed) and at_most(summed, positions)
    return many or (channels == 0 and (examples == 1 or numbers.lhs_spec != of_out))


def is_dx(eqn: "JaxprEqn") -> bool:
    """Return whether a convolution sets zeros between the elements of its left operand, as dx of a stride does."""
    is_spread = max(eqn.params["lhs_dilation"], default=1) > 1
    return is_spread and eqn.params["batch_group_count"] == 1 and not _asks_for_sharding(eqn)


def _asks_for_sharding(eqn: "JaxprEqn") -> bool:
    """Return whether a convolution wants its result split over other axes of a mesh than its examples are."""
    asked, numbers = eqn.params.get("out_sharding"), eqn.params["dimension_numbers"]
    if asked is None:
        return False
    lhs: Any = eqn.invars[0].aval
    split = [None] * lhs.ndim
    split[numbers.out_spec[0]] = lhs.sharding.spec[numbers.lhs_spec[0]]
    return [*asked.spec, *[None] * (lhs.ndim - len(asked.spec))] != split


def forward(eqn: "JaxprEqn", lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """Return the convolution of an equation, computed by `conv_general_dilated`."""
    given = dict(eqn.params)
    if not _asks_for_sharding(eqn):
        given["out_sharding"] = None
    strides, padding = given.pop("window_strides"), given.pop("padding")
    return conv_general_dilated(lhs, rhs, strides, padding, **given)


def dkernel(eqn: "JaxprEqn", lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """Return the same, computed as the kernel gradient of the layer whose input is `lhs`, for the cotangent `rhs`."""
    given, numbers = eqn.params, eqn.params["dimension_numbers"]
    channels, examples, *of_x = numbers.lhs_spec
    c_out, _, *of_g = numbers.rhs_spec
    back = (*numbers.out_spec[2:], *numbers.out_spec[:2])
    x = transpose(lhs, (examples, *of_x, channels))
    g = transpose(rhs, (numbers.rhs_spec[1], *of_g, c_out))
    shape = tuple(shape_of(eqn.outvars[0])[axis] for axis in back)
    lows = tuple(low for low, _ in given["padding"])
    strides, dilation, spread = given["rhs_dilation"], given["window_strides"], given["lhs_dilation"]
    padding = _exact_padding(x.shape[1:-1], shape[:-2], g.shape[1:-1], strides, dilation, spread, lows)
    groups = given["batch_group_count"]
    layer = Adjoint(1, shape, strides, padding, spread, dilation, groups, given["precision"])
    return _placed(_compiled_adjoint(*_widened(eqn, x, g), layer), back)


def dx(eqn: "JaxprEqn", lhs: jax.Array, rhs: jax.Array) -> jax.Array:
    """Return the same, computed as the input gradient of the strided layer whose kernel is `rhs` turned, for `lhs`."""
    given, numbers = eqn.params, eqn.params["dimension_numbers"]
    examples, c_out, *of_g = numbers.lhs_spec
    c_in, of_group, *of_kernel = numbers.rhs_spec
    back = (numbers.out_spec[0], *numbers.out_spec[2:], numbers.out_spec[1])
    g = transpose(lhs, (examples, *of_g, c_out))
    kernel = turned_kernel(transpose(rhs, (*of_kernel, of_group, c_in)), given["feature_group_count"])
    shape = tuple(shape_of(eqn.outvars[0])[axis] for axis in back)
    strides, dilation, spread = given["lhs_dilation"], given["rhs_dilation"], given["window_strides"]
    extents = map(dilated_size, kernel.shape[:-2], dilation)
    lows = tuple(extent - 1 - low for extent, (low, _) in zip(extents, given["padding"], strict=True))
    padding = _exact_padding(shape[1:-1], kernel.shape[:-2], g.shape[1:-1], strides, dilation, spread, lows)
    groups = given["feature_group_count"]
    layer = Adjoint(0, shape, strides, padding, spread, dilation, groups, given["precision"])
    return _placed(_compiled_adjoint(*_widened(eqn, kernel, g), layer), back)


def _widened(eqn: "JaxprEqn", *operands: jax.Array) -> list[jax.Array]:
    """Return the operands in the dtype of the result, which may be wider."""
    return [operand.astype(dtype_of(eqn.outvars[0])) for operand in operands]


def _exact_padding(
    inputs: Ints, windows: Ints, outputs: Ints, strides: Ints, dilation: Ints, spread: Ints, lows: Ints
) -> Pairs:
    """Return the padding of the layer that starts at `lows` and whose last window ends with the padded input."""
    extents, sizes, reaches = (
        tuple(map(dilated_size, counts, apart))
        for counts, apart in ((windows, dilation), (inputs, spread), (outputs, strides))
    )
    return tuple(
        (low, reach - 1 + extent - size - low)
        for low, reach, extent, size in zip(lows, reaches, extents, sizes, strict=True)
    )


def _placed(result: jax.Array, axes: Ints) -> jax.Array:
    """Return the result with each axis at its place in the equation's output."""
    return transpose(result, tuple(axes.index(axis) for axis in range(len(axes))))
