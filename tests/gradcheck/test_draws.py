import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.gradcheck.draws import LEVELS, draw_cotangents, halves, magnitudes, scaled, with_ties


def normal(*shape, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape), dtype)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_magnitudes_multiply_without_rounding(dtype):
    g = [normal(40, dtype=dtype)]
    large, small = magnitudes(g)
    assert large < -5 < 0 < small < 1
    for factor in (large, small):
        (found,) = scaled(g, factor)
        assert found.dtype == dtype
        np.testing.assert_array_equal(np.asarray(found, np.float64), factor * np.asarray(g[0], np.float64))


def test_halves_sum_to_the_whole_exactly():
    g = [normal(5, 6), normal(3)]
    for a, b, whole in zip(*halves(g), g, strict=True):
        np.testing.assert_array_equal(a + b, whole)
        assert not (a * b).any()
    assert 0 < np.count_nonzero(halves(g)[0][0]) < 30


@pytest.mark.parametrize("name", ["coarse", "fine"])
def test_tied_numbers_tie_within_the_range_and_are_exact(name):
    x, positive = normal(8, 9), jnp.abs(normal(8, 9)) + 0.1
    for given, tied in zip((x, positive), with_ties([x, positive], LEVELS[name]), strict=True):
        assert tied.dtype == given.dtype
        assert given.min() <= tied.min() <= tied.max() <= given.max()
        assert len(np.unique(tied)) <= 2 * LEVELS[name] + 1
        step = float(np.diff(np.unique(tied)).min())
        assert np.log2(step) == np.round(np.log2(step))
        np.testing.assert_array_equal(tied / step, np.round(tied / step))
    zeros = with_ties([x], LEVELS[name])[0] == 0
    assert zeros.any()


def test_numbers_that_are_all_equal_or_not_finite_stay():
    constant, holed = jnp.full((3,), 0.3), jnp.array([0.0, jnp.nan, jnp.inf, 8.0])
    np.testing.assert_array_equal(with_ties([constant], 4)[0], constant)
    assert np.isnan(with_ties([holed], 4)[0][1])


def test_kinks_at_integers_are_reached():
    (x,) = with_ties([8 * normal(20, 20)], LEVELS["fine"])
    assert {-6.0, 0.0, 6.0} <= set(np.unique(x).tolist())


def test_cotangents_follow_the_key():
    y = [normal(4)]
    first, again, other = (draw_cotangents(jax.random.key(n), y)[0] for n in (0, 0, 7))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
