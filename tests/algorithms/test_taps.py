"""Taps, against the definition: tap t of output o reads the dilated x at o * stride + t * kernel_dilation - low."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.algorithms._taps import padded, put, reading, take, taps_of
from jaxcnn.ops._window import ConvConfig, conv_output_size

GEOMETRIES = [
    # size, window, strides, padding, input_dilation, kernel_dilation
    ((5, 4), (3, 2), (1, 1), ((1, 1), (0, 1)), (1, 1), (1, 1)),
    ((7, 6), (2, 3), (3, 2), ((0, 0), (2, 0)), (1, 1), (2, 1)),
    ((6, 5), (2, 2), (2, 1), ((-2, 1), (1, -3)), (1, 1), (1, 2)),
    ((3, 4), (3, 2), (2, 3), ((2, 3), (-1, 1)), (3, 2), (1, 2)),
    ((1, 1), (1, 3), (2, 2), ((3, 0), (2, 4)), (2, 1), (1, 1)),
]


def geometry(case):
    size, window, strides, padding, input_dilation, kernel_dilation = case
    config = ConvConfig(strides, padding, input_dilation, kernel_dilation, 1, None, None)
    return size, window, config, conv_output_size(size, window, config)


def read(x, tap, outputs, config):
    """Return `[N, *outputs, C]` by one element at a time."""
    taken = np.zeros((x.shape[0], *outputs, x.shape[-1]))
    for o in np.ndindex(*outputs):
        at = [
            o[a] * config.strides[a] + tap[a] * config.kernel_dilation[a] - config.padding[a][0] for a in range(len(o))
        ]
        place = [divmod(p, d) for p, d in zip(at, config.input_dilation, strict=True)]
        if all(rest == 0 and 0 <= i < size for (i, rest), size in zip(place, x.shape[1:-1], strict=True)):
            taken[(slice(None), *o)] = x[(slice(None), *(i for i, _ in place))]
    return taken


def test_taps_are_in_row_major_order():
    assert taps_of((2, 3)) == list(itertools.product(range(2), range(3)))


@pytest.mark.parametrize("case", GEOMETRIES)
def test_take_reads_what_the_definition_says_and_put_is_its_adjoint(case):
    size, window, config, outputs = geometry(case)
    rng = np.random.default_rng(0)
    x, v = rng.standard_normal((2, *size, 3)), rng.standard_normal((2, *outputs, 3))
    with jax.enable_x64(True):
        again, unpadded = padded(jnp.asarray(x), config)
        for tap in taps_of(window):
            taken = take(jnp.asarray(x), tap, outputs, config)
            np.testing.assert_array_equal(taken, read(x, tap, outputs, config))
            np.testing.assert_array_equal(take(again, tap, outputs, unpadded), taken)
            first = take(jnp.asarray(np.moveaxis(x, -1, 0)), tap, outputs, config, first_axis=2)
            np.testing.assert_array_equal(np.moveaxis(first, 0, -1), taken)
            back = put(jnp.asarray(v), tap, size, config)
            assert back.shape == x.shape
            np.testing.assert_allclose(np.vdot(back, x), np.vdot(v, taken), rtol=1e-13, atol=1e-13)
            moved = put(jnp.asarray(np.moveaxis(v, -1, 0)), tap, size, config, first_axis=2)
            np.testing.assert_array_equal(np.moveaxis(moved, 0, -1), back)


def test_put_of_what_take_reads_are_the_elements_that_a_tap_reads():
    size, window, config, outputs = geometry(GEOMETRIES[1])
    x = jnp.arange(1.0, 43).reshape(1, *size, 1)
    for tap in taps_of(window):
        there = put(take(x, tap, outputs, config), tap, size, config)
        assert set(np.unique(there)) <= {0.0, *np.unique(take(x, tap, outputs, config))}
        np.testing.assert_array_equal(np.where(there == 0, x, there), x)


FEW_PIXELS = [
    ((2, 1), (7, 3), (1, 1), ((3, 3), (1, 1)), (1, 1), (1, 1)),
    ((1, 3), (5, 4), (2, 1), ((4, 2), (9, 0)), (2, 1), (1, 3)),
    ((3, 4), (3, 2), (1, 1), ((2, 2), (8, -4)), (1, 1), (1, 8)),
]


@pytest.mark.parametrize("case", [*GEOMETRIES, *FEW_PIXELS])
def test_the_taps_between_those_that_read_padding_only_read_the_same_as_before(case):
    size, window, config, outputs = geometry(case)
    x = np.random.default_rng(0).standard_normal((2, *size, 3))
    first, end, inner = reading(window, size, outputs, config)
    kept = tuple(stop - start for start, stop in zip(first, end, strict=True))
    assert conv_output_size(size, kept, inner) == outputs
    for tap in taps_of(window):
        place = tuple(t - start for t, start in zip(tap, first, strict=True))
        whole = read(x, tap, outputs, config)
        if all(0 <= p < count for p, count in zip(place, kept, strict=True)):
            np.testing.assert_array_equal(read(x, place, outputs, inner), whole)
        else:
            np.testing.assert_array_equal(whole, 0)


def test_few_pixels_are_read_by_few_taps():
    size, window, config, outputs = geometry(FEW_PIXELS[0])
    assert reading(window, size, outputs, config)[:2] == ((2, 1), (5, 2))
