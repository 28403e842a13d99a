import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import padding


class TestPad(checks.OpChecks):
    ops = ("pad",)
    oracle = staticmethod(padding.oracle)


@pytest.mark.parametrize(
    ("mode", "values", "gradient"),
    [
        ("constant", [9, 9, 1, 2, 3, 9], [3, 4, 5]),
        ("edge", [1, 1, 1, 2, 3, 3], [3 + 1 + 2, 4, 5 + 6]),
        ("replicate", [1, 1, 1, 2, 3, 3], [3 + 1 + 2, 4, 5 + 6]),
        ("reflect", [3, 2, 1, 2, 3, 2], [3, 4 + 2 + 6, 5 + 1]),
        ("symmetric", [2, 1, 1, 2, 3, 3], [3 + 2, 4 + 1, 5 + 6]),
        ("wrap", [2, 3, 1, 2, 3, 1], [3 + 6, 4 + 1, 5 + 2]),
        ("circular", [2, 3, 1, 2, 3, 1], [3 + 6, 4 + 1, 5 + 2]),
    ],
)
def test_every_mode_by_hand(mode, values, gradient):
    x = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1)
    y, pull = jax.vjp(lambda x: jaxcnn.pad(x, ((2, 1),), mode, value=9), x)
    np.testing.assert_array_equal(y.ravel(), values)
    np.testing.assert_array_equal(pull(jnp.arange(1.0, 7.0).reshape(6, 1))[0].ravel(), gradient)
    for dtype in (jnp.int8, jnp.uint32):
        y = jaxcnn.pad(x.astype(dtype), ((2, 1),), mode, value=9)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.ravel(), values)


@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap"])
def test_padding_over_the_axis_is_numpys(mode):
    for size in (1, 2, 3, 5):
        x = np.arange(size)
        for low, high in ((0, 0), (1, 4), (7, 2), (12, 11)):
            found = jaxcnn.pad(x[:, None], ((low, high),), mode)
            np.testing.assert_array_equal(found[:, 0], np.pad(x, (low, high), mode))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize("mode", ["edge", "reflect", "symmetric", "wrap"])
def test_what_meets_in_one_element_is_summed_in_float32(mode, dtype):
    """301 copies of one element: a running sum in bfloat16 ends at 128, where 1/2 is half of a last digit."""
    x, g = jnp.zeros((1, 1), dtype), jnp.full((301, 1), 0.5, dtype)
    (dx,) = jax.vjp(lambda x: jaxcnn.pad(x, ((150, 150),), mode), x)[1](g)
    assert dx[0, 0] == jnp.asarray(301 / 2, dtype)


def test_nan_and_infinity_stay_where_they_are():
    x = jnp.array([jnp.nan, jnp.inf, 1.0]).reshape(3, 1)
    np.testing.assert_array_equal(jaxcnn.pad(x, (1,), "reflect").ravel(), [np.inf, np.nan, np.inf, 1, np.inf])
    g = jnp.array([0.0, 1.0, 2.0, 3.0, jnp.inf]).reshape(5, 1)
    (dx,) = jax.vjp(lambda x: jaxcnn.pad(x, (1,), "edge"), x)[1](g)
    np.testing.assert_array_equal(dx.ravel(), [1, 2, np.inf])


def test_values_of_the_padding():
    x = jnp.ones((2, 3, 1), jnp.float16)
    assert float(jaxcnn.pad(x, 1, value=-jnp.inf)[0, 0, 0]) == -np.inf
    assert bool(jaxcnn.pad(jnp.zeros((1, 2, 1), bool), 1, value=True)[0, 0, 0])
    assert int(jaxcnn.pad(jnp.zeros((1, 2, 1), jnp.uint8), 1, value=255)[0, 0, 0]) == 255


def test_empty_batches_and_axes_and_no_padding():
    x = jnp.zeros((0, 2, 3, 1))
    for mode in ("constant", "reflect", "edge"):
        y, pull = jax.vjp(lambda x, mode=mode: jaxcnn.pad(x, 1, mode), x)
        assert y.shape == (0, 4, 5, 1)
        assert pull(y)[0].shape == x.shape
    assert jaxcnn.pad(jnp.zeros((2, 0, 1)), 1).shape == (2, 2, 1)
    assert jaxcnn.pad(jnp.zeros((2, 0, 1)), 0, "edge").shape == (2, 0, 1)
    assert jaxcnn.pad(jnp.zeros((2, 3, 1)), ((-1, -2),), "wrap").shape == (2, 0, 1)


def test_residuals():
    for mode in ("constant", "reflect"):
        assert checks.residuals(lambda x, mode=mode: jaxcnn.pad(x, 1, mode), jnp.ones((2, 4, 3, 1))) == []


X = jnp.ones((2, 4, 3, 1))


@pytest.mark.parametrize(
    ("x", "padding", "options", "error", "message"),
    [
        (X, 1, {"mode": "mirror"}, ValueError, r"mode \(='mirror'\) must be one of constant, edge, reflect, symmetric, wrap"),
        (X, 1, {"mode": None}, ValueError, r"mode \(=None\) must be one of"),
        (X, "SAME", {}, TypeError, r"padding \(='SAME'\) must be an int, ints or \(low, high\) pairs"),
        (X, 1.5, {}, TypeError, r"padding \(=1.5\) must be"),
        (X, ((1, 2, 3),), {}, TypeError, r"padding \(=\(\(1, 2, 3\),\)\) must hold an int or a \(low, high\) pair"),
        (X, (1, 1, 1, 1), {}, ValueError, r"padding \(=\(1, 1, 1, 1\)\) must be for 1 to 3 spatial axes"),
        (X, ((0, 0), (-2, -2)), {}, ValueError, r"must not crop more than the 3 elements along spatial axis 1"),
        (X, ((0, 0), (2**31, 0)), {}, ValueError, r"must leave spatial axis 1 at most 2147483647 elements"),
        (X, ((-4, 1), 0), {"mode": "edge"}, ValueError, r"padding \(=\(\(-4, 1\), 0\)\) in mode 'edge' must have elements to continue"),
        (X, 1, {"value": "zero"}, TypeError, r"value \(='zero'\) must be a static number"),
        (X.astype(jnp.float16), 1, {"value": 1e6}, ValueError, r"value \(=1000000.0\) must be a number of the dtype of x \(=float16\)"),
        (X.astype(jnp.uint8), 1, {"value": 0.5}, ValueError, r"value \(=0.5\) must be a number of the dtype of x \(=uint8\)"),
        (X.astype(jnp.uint8), 1, {"value": 256}, ValueError, r"value \(=256\) must be a number of the dtype of x \(=uint8\)"),
        (X.astype(bool), 1, {"value": 2}, ValueError, r"value \(=2\) must be a number of the dtype of x \(=bool\)"),
        (X.astype(jnp.complex64), 1, {}, TypeError, r"x dtype \(=complex64\) must be a floating, an integer or the bool"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(x, padding, options, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.pad(x, padding, **options)
