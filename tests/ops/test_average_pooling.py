import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import pooling as oracles


class TestAveragePools(checks.OpChecks):
    ops = ("avg_pool", "sum_pool", "global_avg_pool")
    oracle = staticmethod(oracles.oracle)


@pytest.mark.parametrize(
    ("options", "y", "dx"),
    [
        # Windows [0 1 2], [2 3 4], [4 5 0], of which the first and the last have one element of padding.
        ({"padding": 1}, [1, 3, 3], [1, 2, 1, 2, 1]),
        # The last window is [5 0 -]: what ceil_mode adds is never counted.
        ({"padding": ((0, 1),), "ceil_mode": True}, [2, 4, 2.5], [1, 1, 2, 1, 2.5]),
        ({"padding": ((0, 1),), "ceil_mode": True, "count_include_pad": False}, [2, 4, 5], [1, 1, 2, 1, 4]),
        ({"padding": 1, "count_include_pad": False}, [1.5, 3, 4.5], [1.5, 2.5, 1, 2.5, 1.5]),
        ({"padding": 1, "divisor_override": -2}, [-1.5, -4.5, -4.5], [-1.5, -3, -1.5, -3, -1.5]),
        ({"padding": 1, "window_dilation": 2, "divisor_override": 1}, [6, 6], [0, 6, 0, 6, 0]),
    ],
)
def test_counts_by_hand(options, y, dx):
    """The cotangent of every window is 3."""
    x = jnp.arange(1.0, 6.0).reshape(5, 1)
    found, pull = jax.vjp(lambda x: jaxcnn.avg_pool(x, (3,), 2, **options), x)
    np.testing.assert_allclose(found.ravel(), y, rtol=1e-6)
    np.testing.assert_allclose(pull(jnp.full_like(found, 3))[0].ravel(), dx, rtol=1e-6)


def test_a_divisor_of_one_is_not_counted_padding():
    """True and 1 are the same key of a dict, but not the same option."""
    x = jnp.ones((4, 1))
    averages = [jaxcnn.avg_pool(x, (2,)), jaxcnn.avg_pool(x, (2,), divisor_override=1), jaxcnn.sum_pool(x, (2,))]
    assert [float(y[0, 0]) for y in averages] == [1, 2, 2]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sums_in_half_precision_are_not_lost(dtype):
    x = jnp.full((1, 32, 32, 1), 0.01, dtype)
    for y in (jaxcnn.avg_pool(x, (32, 32)), jaxcnn.global_avg_pool(x)):
        np.testing.assert_array_equal(y.ravel(), x[0, 0, 0])
    exact = np.asarray(1024 * float(x[0, 0, 0, 0]), dtype)
    np.testing.assert_array_equal(jaxcnn.sum_pool(x, (32, 32)).ravel(), exact)
    np.testing.assert_array_equal(jaxcnn.avg_pool(x, (32, 32), divisor_override=1).ravel(), exact)


def test_average_of_nothing_is_nan_and_sends_nothing():
    x = jnp.ones((2, 1))
    y, pull = jax.vjp(lambda x: jaxcnn.avg_pool(x, (2,), 2, ((2, 0),), count_include_pad=False), x)
    np.testing.assert_array_equal(y.ravel(), [np.nan, 1])
    np.testing.assert_array_equal(pull(jnp.ones_like(y))[0].ravel(), [0.5, 0.5])


def test_nothing_is_kept():
    x = jnp.ones((2, 6, 4, 3))
    assert checks.residuals(lambda x: jaxcnn.avg_pool(x, (2, 2), 2, window_dilation=2), x) == []
    assert checks.residuals(lambda x: jaxcnn.sum_pool(x, (2, 2), 2), x) == []
    assert checks.residuals(jaxcnn.global_avg_pool, x) == []


def test_empty_batch():
    x = jnp.zeros((0, 4, 4, 2))
    y, pull = jax.vjp(lambda x: jaxcnn.avg_pool(x, (2, 2), 2), x)
    assert y.shape == (0, 2, 2, 2)
    assert pull(y)[0].shape == x.shape


def test_errors():
    x = jnp.ones((2, 4, 4, 3))
    with pytest.raises(TypeError, match=r"count_include_pad \(='no'\) must be True or False"):
        jaxcnn.avg_pool(x, (2, 2), count_include_pad="no")
    with pytest.raises(ValueError, match=r"divisor_override \(=0\) must be a finite number other than 0"):
        jaxcnn.avg_pool(x, (2, 2), divisor_override=0)
    with pytest.raises(ValueError, match=r"divisor_override \(=nan\) must be a finite number other than 0"):
        jaxcnn.avg_pool(x, (2, 2), divisor_override=np.nan)
    with pytest.raises(TypeError, match=r"divisor_override .* must be a static number"):
        jax.jit(lambda d: jaxcnn.avg_pool(x, (2, 2), divisor_override=d))(2.0)
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        jaxcnn.sum_pool(x.astype(jnp.int32), (2, 2))
