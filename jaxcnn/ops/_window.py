"""Window arithmetic: canonical strides, paddings and dilations, output sizes, and the paddings of both gradients.

Pure Python on static shapes; nothing here touches an array. One spatial axis has

    I       input size                        I_dil = (I - 1) * input_dilation + 1
    K       window size                       K_eff = (K - 1) * kernel_dilation + 1
    O       output size                       O     = (I_dil + low + high - K_eff) // stride + 1
    o       an output position; tap k of its window reads the dilated input at o * stride + k * kernel_dilation - low
"""

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]
LARGEST_SIZE = 2**31 - 1  # of an axis, in XLA
_SIDES = {
    "VALID": (0, 0),
    "FULL": (1, 1),
    "CAUSAL": (1, 0),
    "REVERSE_CAUSAL": (0, 1),
}  # all but one element of a window
_CONTINUED = {"CIRCULAR": "wrap", "REFLECT": "reflect", "REPLICATE": "edge"}  # the modes of `jaxcnn.pad`
PaddingLike = str | int | Sequence[int | tuple[int, int]]


class ConvConfig(NamedTuple):
    """Everything static about a convolution; hashable, canonical, one entry a spatial axis."""

    strides: Ints
    padding: Pairs
    input_dilation: Ints
    kernel_dilation: Ints
    feature_group_count: int
    precision: Any  # None, lax.Precision, or a pair of them
    preferred_element_type: Any  # the dtype of the output, or None for that of x


class PoolConfig(NamedTuple):
    """Everything static about a pooling layer; padding is never negative here: the input is cropped before."""

    window: Ints
    strides: Ints
    padding: Pairs  # with what ceil_mode adds
    input_size: Ints  # after cropping
    dilation: Ints  # of the window
    beyond: Ints  # how much of the padding after the input ceil_mode has added
    cropped: Pairs  # how much was dropped before and after the input


def dilated_size(size: int, dilation: int) -> int:
    """Return the extent of `size` elements that lie `dilation` apart; nothing stays nothing."""
    return (size - 1) * dilation + 1 if size > 0 else 0


def is_empty(sizes: Ints) -> bool:
    """Return whether one of some sizes is 0; a symbolic one is not."""
    return any(isinstance(size, int) and size == 0 for size in sizes)


def output_size(size: int, window: int, stride: int, padding: tuple[int, int]) -> int:
    """Return the number of window positions; `size` and `window` are the dilated extents."""
    return (size + sum(padding) - window) // stride + 1


def ceil_mode_high(size: int, window: int, stride: int, padding: tuple[int, int]) -> int:
    """Return the padding after the input with which the windows of ceil_mode end; `window` is the dilated extent.

    As many windows as it takes to cover the padded input, but none that starts in the padding after the input.
    """
    low, high = padding
    covering = -(-(size + low + high - window) // stride) + 1
    starting_before = -(-(size + low) // stride)
    last = max(min(covering, starting_before), 1) - 1
    return max(last * stride + window - size - low, 0)


def canonical_ints(name: str, value: Any, rank: int, minimum: int = 1) -> Ints:
    """Return `value`, an int or `rank` ints, as a tuple of `rank` ints.

    Raises:
      TypeError: `value` is neither an int nor a sequence of ints.
      ValueError: the length is not `rank`, or an entry is below `minimum`.
    """
    entries = [value] * rank if _is_int(value) else value
    if isinstance(entries, str) or not isinstance(entries, Sequence) or not all(_is_int(v) for v in entries):
        raise TypeError(f"{name} (={value!r}) must be an int or a sequence of {rank} ints")
    if len(entries) != rank:
        raise ValueError(f"{name} (={value!r}) must have one entry for each of the {rank} spatial axes")
    ints = tuple(_as_int(name, v) for v in entries)
    if any(v < minimum for v in ints):
        raise ValueError(f"{name} (={value!r}) must be at least {minimum} along every axis")
    return ints


def canonical_int(name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an int.

    Raises:
      TypeError: it is no static int.
      ValueError: it is below `minimum`.
    """
    if not _is_int(value):
        raise TypeError(f"{name} (={value!r}) must be an int")
    number = _as_int(name, value)
    if number < minimum:
        raise ValueError(f"{name} (={value!r}) must be at least {minimum}")
    return number


def canonical_padding(
    padding: PaddingLike,
    sizes: Ints,
    windows: Ints,
    strides: Ints,
    *,
    ceil_mode: bool = False,
    continued: bool = False,
    may_be_empty: bool = False,
) -> Pairs:
    """Return `padding` as (low, high) pairs, one a spatial axis; `sizes` and `windows` are the dilated extents.

    "SAME" gives ceil(size / stride) outputs with the odd element of padding after the input, "SAME_LOWER" with it
    before; "VALID" pads nothing; "FULL" pads all but one element of a window on both sides, "CAUSAL" before the input,
    "REVERSE_CAUSAL" after it; an int pads every side; an int in a sequence pads both sides of its axis; a pair is
    (low, high), and a negative one crops. In ceil_mode a window may miss up to stride - 1 elements after the input.
    Where the input can be `continued` by other values than one, these names are known too: "CIRCULAR", "REFLECT" and
    "REPLICATE" add the elements of "SAME" at stride 1. Where axes of the input `may_be_empty`, the result has no
    elements along these that the padding does not give.

    Raises:
      TypeError: `padding` has none of these forms.
      ValueError: the string is unknown, the length is wrong, more is cropped than there is, or a window is larger
        than the padded input.
    """
    if isinstance(padding, str):
        pairs = _named_padding(padding, sizes, windows, strides, continued)
    else:
        pairs = _explicit_padding(padding, len(sizes))
    for axis, (size, window, stride, (low, high)) in enumerate(zip(sizes, windows, strides, pairs, strict=True)):
        if max(-low, 0) + max(-high, 0) > size:
            raise ValueError(
                f"padding (={padding!r}) must not crop more than the {size} elements along spatial axis {axis}"
            )
        if size + low + high > LARGEST_SIZE:
            raise ValueError(f"padding (={padding!r}) must leave spatial axis {axis} at most {LARGEST_SIZE} elements")
        if may_be_empty and is_empty((size,)):
            continue
        if size + low + high + (stride - 1 if ceil_mode else 0) < window:
            raise ValueError(
                f"the window's extent (={window}) must not exceed the padded input's (={size + low + high}) "
                f"along spatial axis {axis}"
            )
    return pairs


def continuation(padding: PaddingLike) -> str | None:
    """Return the mode of `jaxcnn.pad` in which a padding continues the input, or None where it adds zeros."""
    return _CONTINUED.get(padding.upper()) if isinstance(padding, str) else None


def _named_padding(padding: str, sizes: Ints, windows: Ints, strides: Ints, continued: bool) -> Pairs:
    name = padding.upper()
    if continued and name in _CONTINUED:
        return tuple(((window - 1) // 2, window // 2) for window in windows)
    if name in _SIDES:
        before, after = _SIDES[name]
        return tuple((before * (window - 1), after * (window - 1)) for window in windows)
    if name not in ("SAME", "SAME_LOWER"):
        known = ", ".join(f'"{name}"' for name in ("SAME", "SAME_LOWER", *_SIDES, *(_CONTINUED if continued else ())))
        raise ValueError(f"padding (={padding!r}) must be {known}, an int, ints or pairs")
    pairs = []
    for size, window, stride in zip(sizes, windows, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        smaller, larger = total // 2, total - total // 2
        pairs.append((smaller, larger) if name == "SAME" else (larger, smaller))
    return tuple(pairs)


def _explicit_padding(padding: Any, rank: int) -> Pairs:
    entries = [padding] * rank if _is_int(padding) else padding
    if not isinstance(entries, Sequence) or isinstance(entries, bytes):
        raise TypeError(f"padding (={padding!r}) must be a string, an int, ints or (low, high) pairs")
    if len(entries) != rank:
        raise ValueError(f"padding (={padding!r}) must have one entry for each of the {rank} spatial axes")
    pairs = []
    for entry in entries:
        pair = (entry, entry) if _is_int(entry) else entry
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(_is_int(v) for v in pair):
            raise TypeError(f"padding (={padding!r}) must hold an int or a (low, high) pair for every spatial axis")
        pairs.append((_as_int("padding", pair[0]), _as_int("padding", pair[1])))
    return tuple(pairs)


def _as_int(name: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:  # a traced value has __index__, which raises
        raise TypeError(f"{name} (={value!r}) must be static, not a traced value") from None
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{name} (={value!r}) must be in the range of int64")
    return number


def _is_int(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool) and not getattr(value, "ndim", 0)


def conv_output_size(input_size: Ints, kernel_size: Ints, config: ConvConfig) -> Ints:
    """Return the spatial size of a convolution's output."""
    sizes = map(dilated_size, input_size, config.input_dilation)
    windows = map(dilated_size, kernel_size, config.kernel_dilation)
    return tuple(map(output_size, sizes, windows, config.strides, config.padding))


def conv_dx_config(input_size: Ints, kernel_size: Ints, output_size: Ints, config: ConvConfig) -> ConvConfig:
    """Return the configuration of dx: a convolution of g with the flipped kernel, its channels swapped."""
    padding = conv_dx_padding(input_size, kernel_size, output_size, config)
    return config._replace(strides=config.input_dilation, padding=padding, input_dilation=config.strides)


def conv_dx_padding(input_size: Ints, kernel_size: Ints, output_size: Ints, config: ConvConfig) -> Pairs:
    """Return the padding under which g, dilated by the strides, meets the flipped kernel to give dx.

    dx at dilated position p collects g[o] * kernel[k] over o * stride + k * kernel_dilation - low = p, so the window
    of p begins K_eff - 1 - low before the first cotangent, and the last p, I_dil - 1, fixes the other side.
    """
    pairs = []
    for axis, (low, _) in enumerate(config.padding):
        i_dil = dilated_size(input_size[axis], config.input_dilation[axis])
        k_eff = dilated_size(kernel_size[axis], config.kernel_dilation[axis])
        o_dil = dilated_size(output_size[axis], config.strides[axis])
        pairs.append((k_eff - 1 - low, i_dil - o_dil + low))
    return tuple(pairs)


def conv_dkernel_padding(input_size: Ints, kernel_size: Ints, output_size: Ints, config: ConvConfig) -> Pairs:
    """Return the padding under which the dilated x meets g, dilated by the strides, in K windows.

    The window of tap k begins k * kernel_dilation - low after the first input, as in the forward pass; the high side
    makes the number of windows K, and crops the rows that no output read where the stride does not divide.
    """
    pairs = []
    for axis, (low, _) in enumerate(config.padding):
        i_dil = dilated_size(input_size[axis], config.input_dilation[axis])
        k_eff = dilated_size(kernel_size[axis], config.kernel_dilation[axis])
        o_dil = dilated_size(output_size[axis], config.strides[axis])
        pairs.append((low, o_dil + k_eff - 1 - i_dil - low))
    return tuple(pairs)


def spatial_rank_of(name: str, value: Any, ndim: int) -> int:
    """Return how many spatial axes an argument of an op speaks of, for x `[*batch, *spatial, C]` of `ndim` axes.

    A sequence has one entry for each; a single number means all axes but the first, the batch, and the channels.

    Raises:
      ValueError: x has no such axes.
    """
    rank = len(value) if isinstance(value, Sequence) else ndim - 2
    if not 1 <= rank <= ndim - 1:
        raise ValueError(f"{name} (={value!r}) must be for 1 to {ndim - 1} spatial axes, of an x with {ndim} axes")
    return rank
