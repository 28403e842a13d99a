"""The window arithmetic against enumeration, on every small geometry."""

import itertools

import pytest

from jaxcnn.ops._window import (
    ConvConfig,
    canonical_ints,
    canonical_padding,
    ceil_mode_high,
    conv_dkernel_padding,
    conv_dx_config,
    conv_dx_padding,
    conv_output_size,
    dilated_size,
    output_size,
)

GEOMETRIES = [
    (size, window, stride, low, high, input_dilation, kernel_dilation)
    for size, window, stride, low, high, input_dilation, kernel_dilation in itertools.product(
        (1, 2, 5), (1, 2, 3), (1, 2, 3), (-1, 0, 2), (-1, 0, 1), (1, 2), (1, 2)
    )
    if (size - 1) * input_dilation + 1 + low + high >= (window - 1) * kernel_dilation + 1
]


@pytest.mark.parametrize(("size", "dilation", "extent"), [(4, 1, 4), (4, 3, 10), (1, 5, 1), (0, 2, 0)])
def test_dilated_size(size, dilation, extent):
    assert dilated_size(size, dilation) == extent


def test_output_size_counts_the_windows_that_fit():
    for size, window, stride, low, high, *_ in GEOMETRIES:
        if size + low + high < window:
            continue
        starts = [o for o in range(50) if o * stride + window <= size + low + high]
        assert output_size(size, window, stride, (low, high)) == len(starts)


def test_ceil_mode_covers_the_padded_input_by_windows_that_start_before_its_end():
    for size, window, stride, low, high in itertools.product(range(1, 6), range(1, 5), range(1, 5), range(4), range(4)):
        starts = [-low]
        while starts[-1] + window < size + high and starts[-1] + stride < size:
            starts.append(starts[-1] + stride)
        new = ceil_mode_high(size, window, stride, (low, high))
        if size + low + high + stride - 1 >= window:
            assert output_size(size, window, stride, (low, new)) == len(starts)
            assert new == max(starts[-1] + window - size, 0)


def test_same_gives_the_ceiling_and_puts_the_odd_one_where_it_says():
    for size, window, stride in itertools.product(range(1, 9), range(1, 6), range(1, 5)):
        same, lower = (canonical_padding(p, (size,), (window,), (stride,))[0] for p in ("SAME", "SAME_LOWER"))
        assert output_size(size, window, stride, same) == -(-size // stride)
        assert same[1] - same[0] in (0, 1)
        assert lower == same[::-1]


def test_gradient_paddings_line_up_every_product():
    """dx and dkernel pair the same x, tap and g as the forward pass; enumerated from each convolution's definition."""
    for size, window, stride, low, high, input_dilation, kernel_dilation in GEOMETRIES:
        config = ConvConfig((stride,), ((low, high),), (input_dilation,), (kernel_dilation,), 1, None, None)
        extent, reach = dilated_size(size, input_dilation), dilated_size(window, kernel_dilation)
        outputs = output_size(extent, reach, stride, (low, high))
        forward = {
            (i, k, o)
            for i, k, o in itertools.product(range(size), range(window), range(outputs))
            if i * input_dilation == o * stride + k * kernel_dilation - low
        }
        ((dx_low, dx_high),) = conv_dx_padding((size,), (window,), (outputs,), config)
        spread = dilated_size(outputs, stride)
        assert output_size(spread, reach, input_dilation, (dx_low, dx_high)) == size
        dx = {
            (i, window - 1 - turned, o)
            for i, turned, o in itertools.product(range(size), range(window), range(outputs))
            if o * stride == i * input_dilation + turned * kernel_dilation - dx_low
        }
        assert dx == forward
        ((dk_low, dk_high),) = conv_dkernel_padding((size,), (window,), (outputs,), config)
        assert output_size(extent, spread, kernel_dilation, (dk_low, dk_high)) == window
        dkernel = {
            (i, k, o)
            for i, k, o in itertools.product(range(size), range(window), range(outputs))
            if i * input_dilation == k * kernel_dilation + o * stride - dk_low
        }
        assert dkernel == forward


def test_the_output_size_of_a_convolution_counts_the_windows_that_fit_along_each_axis():
    pairs = [pair for pair in itertools.product(GEOMETRIES[::7], GEOMETRIES[::11]) if pair[0] != pair[1]]
    for pair in pairs[:200]:
        sizes, windows, strides, lows, highs, *dilations = zip(*pair, strict=True)
        padding = tuple(zip(lows, highs, strict=True))
        config = ConvConfig(strides, padding, *dilations, 1, None, None)
        expected = []
        for size, window, stride, low, high, input_dilation, kernel_dilation in pair:
            last = low + (size - 1) * input_dilation + high  # the place of the last element, padding included
            expected.append(sum(o * stride + (window - 1) * kernel_dilation <= last for o in range(50)))
        assert conv_output_size(sizes, windows, config) == tuple(expected)


def test_dx_is_a_convolution_of_the_output_back_to_the_input():
    """Its strides are the input's dilation and the other way round; a convolution by it has the size of the input."""
    for size, window, stride, low, high, input_dilation, kernel_dilation in GEOMETRIES:
        config = ConvConfig((stride,), ((low, high),), (input_dilation,), (kernel_dilation,), 3, "highest", None)
        outputs = conv_output_size((size,), (window,), config)
        back = conv_dx_config((size,), (window,), outputs, config)
        assert conv_output_size(outputs, (window,), back) == (size,)
        assert (back.strides, back.input_dilation) == (config.input_dilation, config.strides)
        assert back.padding == conv_dx_padding((size,), (window,), outputs, config)
        kept = ("kernel_dilation", "feature_group_count", "precision", "preferred_element_type")
        assert all(getattr(back, name) == getattr(config, name) for name in kept)


def test_canonical_ints():
    assert canonical_ints("strides", 2, 3) == (2, 2, 2)
    assert canonical_ints("strides", [1, 2], 2) == (1, 2)
    for wrong in (True, "22", 2.0, (1, 2.5), None):
        with pytest.raises(TypeError, match="strides"):
            canonical_ints("strides", wrong, 2)
    with pytest.raises(ValueError, match=r"strides \(=9223372036854775808\) must be in the range of int64"):
        canonical_ints("strides", 2**63, 2)
