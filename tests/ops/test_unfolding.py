import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import unfolding

TORCH = json.loads((Path(__file__).parent / "expected" / "unfold_torch.json").read_text())["cases"]


class TestUnfold(checks.OpChecks):
    ops = ("unfold", "fold")
    oracle = staticmethod(unfolding.oracle)


@pytest.mark.parametrize("expected", TORCH, ids=lambda expected: expected["label"])
def test_torch(expected):
    """torch numbers channels, then taps, and has positions last; it merges them."""
    options = {name: tuple(value) for name, value in expected["options"].items()}
    n, c, *size = expected["shape"]
    x = np.arange(n * c * size[0] * size[1], dtype=np.float32).reshape(expected["shape"])
    rows = jaxcnn.unfold(x.transpose(0, 2, 3, 1), **options)
    taps = rows.shape[-1] // c
    of_torch = rows.reshape(n, -1, taps, c).transpose(0, 3, 2, 1).reshape(n, c * taps, -1)
    np.testing.assert_array_equal(of_torch, expected["unfold"])
    image = jaxcnn.fold(rows, tuple(size), **options)
    np.testing.assert_array_equal(image.transpose(0, 3, 1, 2), expected["fold"])


def test_the_product_with_a_kernel_is_the_convolution():
    rng = np.random.default_rng(0)
    x, kernel = (jnp.asarray(rng.standard_normal(s), jnp.float32) for s in ((2, 6, 5, 3), (3, 2, 3, 4)))
    options = {"strides": (2, 1), "padding": "SAME"}
    rows = jaxcnn.unfold(x, (3, 2), window_dilation=(1, 2), **options)
    y = jaxcnn.conv(x, kernel, kernel_dilation=(1, 2), **options)
    np.testing.assert_allclose(jaxcnn.dense(rows, kernel.reshape(-1, 4)), y, atol=1e-5)


def test_windows_side_by_side_are_put_back():
    x = jnp.arange(24).reshape(1, 4, 6, 1)
    rows = jaxcnn.unfold(x, (2, 3), (2, 3))
    assert rows[0, 1, 0].tolist() == [12, 13, 14, 18, 19, 20]
    np.testing.assert_array_equal(jaxcnn.fold(rows, (4, 6), (2, 3), (2, 3)), x)


def test_other_dtypes_and_empty_batches():
    x = jnp.array([True, False, True]).reshape(3, 1)
    assert jaxcnn.unfold(x, (2,)).tolist() == [[True, False], [False, True]]
    x = jnp.zeros((0, 4, 3, 2))
    y, pull = jax.vjp(lambda x: jaxcnn.unfold(x, (2, 2)), x)
    assert y.shape == (0, 3, 2, 8)
    assert pull(y)[0].shape == x.shape
    assert jaxcnn.fold(y, (4, 3), (2, 2)).shape == x.shape


def test_nan_and_infinity_stay_where_they_are():
    x = jnp.array([jnp.nan, jnp.inf, 1.0]).reshape(3, 1)
    np.testing.assert_array_equal(jaxcnn.unfold(x, (2,)), [[np.nan, np.inf], [np.inf, 1]])
    np.testing.assert_array_equal(jaxcnn.fold(x, 3, (1,)), x)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_sums_run_in_float32(dtype):
    """301 copies of one element, 150 of the padding's neighbours on each side."""
    rows = jnp.full((301, 301), 0.5, dtype)
    for image in (
        jaxcnn.fold(rows, 601, (301,)),
        jax.vjp(lambda x: jaxcnn.unfold(x, (301,)), jnp.zeros((601, 1), dtype))[1](rows)[0],
    ):
        assert image[300, 0] == jnp.asarray(301 / 2, dtype)


def test_residuals():
    assert checks.residuals(lambda x: jaxcnn.unfold(x, (2, 2)), jnp.ones((2, 4, 3, 1))) == []
    assert checks.residuals(lambda x: jaxcnn.fold(x, (4, 3), (2, 2)), jnp.ones((2, 3, 2, 4))) == []


X, ROWS = jnp.ones((2, 4, 3, 1)), jnp.ones((2, 3, 2, 4))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"window_shape": 2}, TypeError, r"window_shape \(=2\) must be a sequence"),
        ({"window_shape": (1, 1, 1, 1)}, ValueError, r"window_shape \(=\(1, 1, 1, 1\)\) must have 1 to 3 axes"),
        ({"window_shape": (2, 0)}, ValueError, r"window_shape \(=\(2, 0\)\) must be at least 1"),
        ({"strides": 0}, ValueError, r"strides \(=0\) must be at least 1"),
        ({"window_dilation": (1,)}, ValueError, r"window_dilation \(=\(1,\)\) must have one entry for each of the 2"),
        ({"window_dilation": 4}, ValueError, r"extent \(=5\) must not exceed the padded input's \(=4\) along spatial axis 0"),
        ({"padding": "FULLY"}, ValueError, r"padding \(='FULLY'\) must be"),
    ],
)  # fmt: skip
def test_errors_of_both(options, error, message):
    options = {"window_shape": (2, 2), **options}
    with pytest.raises(error, match=message):
        jaxcnn.unfold(X, **options)
    with pytest.raises(error, match=message):
        jaxcnn.fold(ROWS, (4, 3), **options)


@pytest.mark.parametrize(
    ("x", "output_size", "error", "message"),
    [
        (ROWS, (4, 4), ValueError, r"x shape \(=\(2, 3, 2, 4\)\) must have the positions \(=\(3, 3\)\)"),
        (ROWS[..., :3], (4, 3), ValueError, r"window_shape \(=\(2, 2\)\) must have elements that divide the rows of x"),
        (ROWS, (4, 3, 2), ValueError, r"output_size \(=\(4, 3, 2\)\) must have one entry for each of the 2 spatial axes"),
        (ROWS, 3.5, TypeError, r"output_size \(=3.5\) must be an int"),
        (ROWS.astype(bool), (4, 3), TypeError, r"x dtype \(=bool\) must be a floating or an integer dtype"),
    ],
)  # fmt: skip
def test_errors_of_fold(x, output_size, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.fold(x, output_size, (2, 2))


@pytest.mark.parametrize("dtype", ["int4", "uint8", "int8", "uint16", "int32"])
@pytest.mark.parametrize("ops", [jaxcnn, jaxcnn.reference], ids=["layer", "twin"])
def test_sums_of_integers(ops, dtype):
    """They are those of the dtype, which wrap; padding takes what is added to it away."""
    rows = jnp.asarray(np.array([[1, 2], [3, 4], [-3 if dtype.startswith("int") else 5, 6]], dtype))
    first = [int(n) for n in rows[:, 0]]
    added = ops.fold(rows, (4,), (2,))
    assert added.dtype == dtype
    right = [[1], [2 + 3], [4 + first[2]], [6]]
    lowest, largest = (int(n) for n in (jnp.iinfo(dtype).min, jnp.iinfo(dtype).max))
    wrapped = [[(n - lowest) % (largest - lowest + 1) + lowest for n in row] for row in right]
    assert added.astype(jnp.int32).tolist() == wrapped
    dilated = ops.fold(rows, (3,), (2,), padding=((1, 1),), window_dilation=2)  # places -1, 1; 0, 2; 1, 3
    assert dilated.astype(jnp.int32).tolist() == [[3], [2 + first[2]], [4]]
    top = jnp.asarray(np.array([[0, largest], [1, 0]], dtype))
    assert ops.fold(top, (3,), (2,)).astype(jnp.int32).tolist() == [[0], [lowest], [0]]
