"""Where batch, spatial axes and channels stand: from any layout into [N, *spatial, C] and back."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
from jax import lax

Ints = tuple[int, ...]
FORMS = 'three strings such as ("NCHW", "OIHW", "NCHW"), or a jax.lax.ConvDimensionNumbers'


class Layout(NamedTuple):
    """Permutations of axes, for `transpose`."""

    x: Ints  # into [N, *spatial, C]
    kernel: Ints  # into [*window, C_in / groups, C_out]
    y: Ints  # from [N, *spatial, C]


def conv_layout(dimension_numbers: Any, x_ndim: int, kernel_ndim: int) -> Layout:
    """Return the layout of a convolution.

    Args:
      dimension_numbers: as in `jax.lax`: a string each for x, kernel and result, of N or O, C or I, and one letter or
        digit a spatial axis; or a `ConvDimensionNumbers`; None is that of `jax.lax`, channels before positions.
      x_ndim: the rank of x.
      kernel_ndim: the rank of the kernel.

    Raises:
      TypeError: it has none of these forms.
      ValueError: the letters or numbers do not fit each other or the arrays.
    """
    if x_ndim != kernel_ndim or x_ndim < 3:
        raise ValueError(
            f"x (rank {x_ndim}) and kernel (rank {kernel_ndim}) must both have the spatial axes and two more, "
            "where dimension_numbers say which is which"
        )
    if dimension_numbers is None:
        specs = (tuple(range(x_ndim)),) * 3
    elif isinstance(dimension_numbers, lax.ConvDimensionNumbers):
        specs = tuple(map(tuple, dimension_numbers))
    else:
        specs = _specs_of_strings(dimension_numbers)
    if any(sorted(spec) != list(range(x_ndim)) for spec in specs):
        raise ValueError(f"dimension_numbers (={dimension_numbers!r}) must name each of the {x_ndim} axes once")
    (n, c, *spatial), (o, i, *window), (out_n, out_c, *out_spatial) = specs
    into_y = (out_n, *out_spatial, out_c)
    return Layout((n, *spatial, c), (*window, i, o), tuple(into_y.index(axis) for axis in range(x_ndim)))


def _specs_of_strings(dimension_numbers: Any) -> tuple[Ints, ...]:
    """Return the axes of each array, in the order batch, channels, spatial axes as the kernel has them."""
    if (
        not isinstance(dimension_numbers, Sequence)
        or len(dimension_numbers) != 3
        or not all(isinstance(spec, str) for spec in dimension_numbers)
    ):
        raise TypeError(f"dimension_numbers (={dimension_numbers!r}) must be {FORMS}")
    of_x, of_kernel, of_y = dimension_numbers
    spatial = [letter for letter in of_kernel if letter not in "OI"]
    specs = []
    for spec, (first, second) in ((of_x, "NC"), (of_kernel, "OI"), (of_y, "NC")):
        if sorted(spec) != sorted([first, second, *spatial]) or len(set(spec)) != len(spec):
            raise ValueError(f"dimension_numbers (={tuple(dimension_numbers)!r}) must be {FORMS}")
        specs.append(tuple(spec.index(letter) for letter in (first, second, *spatial)))
    return tuple(specs)


def channels_last(x: jax.Array, dimension_numbers: str | None) -> jax.Array:
    """Return x as `[N, *spatial, C]`, its axes being where a string such as "NCHW" says; None is there already.

    Raises:
      TypeError: dimension_numbers is no string.
      ValueError: it does not name each axis of x once, N and C among them.
    """
    return x if dimension_numbers is None else transpose(x, _into_channels_last(dimension_numbers, x.ndim))


def from_channels_last(y: jax.Array, dimension_numbers: str | None) -> jax.Array:
    """Return y `[N, *spatial, C]` with its axes where a string says."""
    if dimension_numbers is None:
        return y
    axes = _into_channels_last(dimension_numbers, y.ndim)
    return transpose(y, tuple(axes.index(axis) for axis in range(y.ndim)))


def _into_channels_last(dimension_numbers: str, ndim: int) -> Ints:
    if not isinstance(dimension_numbers, str):
        raise TypeError(f'dimension_numbers (={dimension_numbers!r}) must be None or a string such as "NCHW"')
    letters = sorted(dimension_numbers)
    if len(letters) != ndim or len(set(letters)) != ndim or not {"N", "C"} < set(letters):
        raise ValueError(
            f"dimension_numbers (={dimension_numbers!r}) must name each of the {ndim} axes of x once: "
            "N, C, and one letter or digit a spatial axis"
        )
    spatial = (axis for axis, letter in enumerate(dimension_numbers) if letter not in "NC")
    return (dimension_numbers.index("N"), *spatial, dimension_numbers.index("C"))


def permuted(shape: Ints, axes: Ints) -> Ints:
    """Return the shape of an array after `transpose(axes)`."""
    return tuple(shape[axis] for axis in axes)


def transpose(x: jax.Array, axes: Ints) -> jax.Array:
    """Return x with its axes permuted; unchanged where they stand right already."""
    return x if axes == tuple(range(x.ndim)) else x.transpose(axes)
