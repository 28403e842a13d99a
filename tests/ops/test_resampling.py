import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import resampling

TORCH = json.loads((Path(__file__).parent / "expected" / "upsample_torch.json").read_text())["cases"]


class TestResampling(checks.OpChecks):
    ops = ("upsample_nearest", "upsample_linear")
    oracle = staticmethod(resampling.oracle)


@pytest.mark.parametrize("expected", TORCH, ids=lambda expected: expected["label"])
def test_torch(expected):
    """Values, and the gradients for a cotangent of 1, 2, 3, ...; torch has channels second, here is one."""
    options = {name: tuple(v) if isinstance(v, list) else v for name, v in expected["options"].items()}
    with jax.enable_x64(True):
        x = np.array(expected["x"]).reshape(1, *expected["size"], 1)
        y, pull = jax.vjp(lambda x: getattr(jaxcnn, expected["op"])(x, **options), jnp.asarray(x))
        np.testing.assert_allclose(y.ravel(), expected["y"], rtol=0, atol=1e-14)
        g = jnp.arange(1.0, y.size + 1).reshape(y.shape)
        np.testing.assert_allclose(pull(g)[0].ravel(), expected["dx"], rtol=0, atol=1e-14 * g.size * y.size)


@pytest.mark.parametrize(
    ("options", "values", "gradient"),
    [
        ({"scale_factor": 2}, [0, 1, 3, 4], [1 + 0.75 * 2 + 0.25 * 3, 0.25 * 2 + 0.75 * 3 + 4]),
        ({"size": 4, "align_corners": True}, [0, 4 / 3, 8 / 3, 4], [1 + 4 / 3 + 1, 2 / 3 + 2 + 4]),
        ({"size": 1, "align_corners": True}, [0], [1, 0]),
        ({"size": 1}, [2], [0.5, 0.5]),
        ({"scale_factor": 1}, [0, 4], [1, 2]),
    ],
)
def test_linear_by_hand(options, values, gradient):
    x = jnp.array([0.0, 4.0]).reshape(1, 2, 1)
    y, pull = jax.vjp(lambda x: jaxcnn.upsample_linear(x, **options), x)
    np.testing.assert_allclose(y.ravel(), values, rtol=1e-6)
    np.testing.assert_allclose(pull(jnp.arange(1.0, y.size + 1).reshape(y.shape))[0].ravel(), gradient, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "values", "gradient"),
    [
        ({"scale_factor": 2}, [0, 0, 4, 4], [3, 7]),
        ({"size": 3}, [0, 0, 4], [3, 3]),
        ({"scale_factor": 0.5}, [0], [1, 0]),
        ({"scale_factor": 1}, [0, 4], [1, 2]),
    ],
)
def test_nearest_by_hand_and_of_integers(options, values, gradient):
    x = jnp.array([0.0, 4.0]).reshape(1, 2, 1)
    y, pull = jax.vjp(lambda x: jaxcnn.upsample_nearest(x, **options), x)
    np.testing.assert_array_equal(y.ravel(), values)
    np.testing.assert_array_equal(pull(jnp.arange(1.0, y.size + 1).reshape(y.shape))[0].ravel(), gradient)
    y = jaxcnn.upsample_nearest(x.astype(jnp.int8), **options)
    assert y.dtype == jnp.int8
    np.testing.assert_array_equal(y.ravel(), values)


def test_one_element_and_one_axis():
    one = jnp.full((1, 1, 1), 3.0)
    for options in ({"size": 3}, {"size": 3, "align_corners": True}, {"scale_factor": 3}):
        y, pull = jax.vjp(lambda x, options=options: jaxcnn.upsample_linear(x, **options), one)
        np.testing.assert_array_equal(y, jnp.full((1, 3, 1), 3.0))
        np.testing.assert_array_equal(pull(y)[0], 3 * one)
    x = jnp.arange(3.0).reshape(3, 1)
    np.testing.assert_array_equal(jaxcnn.upsample_linear(x, (2,)), jaxcnn.upsample_linear(x[None], 2)[0])


def test_nan_and_infinity_reach_their_neighbours_only():
    x = jnp.array([1.0, 1.0, jnp.inf, 1.0, 1.0]).reshape(1, 5, 1)
    for options in ({"scale_factor": 2}, {"scale_factor": 1.5}, {"size": 9, "align_corners": True}):
        y, pull = jax.vjp(lambda x, options=options: jaxcnn.upsample_linear(x, **options), x)
        assert set(np.unique(y)) == {1, np.inf}
        dx = pull(jnp.ones_like(y).at[0, 0].set(jnp.nan))[0]
        np.testing.assert_array_equal(np.isnan(dx).ravel(), [True] + [False] * 4)
    np.testing.assert_array_equal(jaxcnn.upsample_nearest(x, 1.5).ravel(), [1, 1, 1, np.inf, np.inf, 1, 1])


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize("op", ["upsample_nearest", "upsample_linear"])
def test_sums_run_in_float32(op, dtype):
    x = jnp.zeros((1, 1), dtype)
    for factor in (301, 301.5):
        (dx,) = jax.vjp(lambda x, factor=factor: getattr(jaxcnn, op)(x, (factor,)), x)[1](
            jnp.full((301, 1), 0.5, dtype)
        )
        assert dx[0, 0] == jnp.asarray(301 / 2, dtype)


def test_residuals_and_empty_batch():
    for op in (jaxcnn.upsample_nearest, jaxcnn.upsample_linear):
        for factor in (2, 1.5):
            x = jnp.zeros((0, 4, 3, 1))
            y, pull = jax.vjp(lambda x, op=op, factor=factor: op(x, factor), x)
            assert pull(y)[0].shape == x.shape
            assert checks.residuals(lambda x, op=op, factor=factor: op(x, factor), jnp.ones((1, 4, 3, 1))) == []


X = jnp.ones((2, 4, 3, 1))


@pytest.mark.parametrize("op", [jaxcnn.upsample_nearest, jaxcnn.upsample_linear])
@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        (X, {}, ValueError, r"one of scale_factor \(=None\) and size \(=None\) must be given, and not both"),
        (X, {"scale_factor": 2, "size": 4}, ValueError, r"one of scale_factor \(=2\) and size \(=4\) must be given"),
        (X, {"scale_factor": (2, 2, 2, 2)}, ValueError, r"scale_factor \(=\(2, 2, 2, 2\)\) must be for 1 to 3 spatial axes"),
        (X, {"scale_factor": 0.3}, ValueError, r"scale_factor \(=0.3\) must leave 1 to"),
        (X, {"scale_factor": -1}, ValueError, r"scale_factor \(=-1\) must leave 1 to"),
        (X, {"scale_factor": float("nan")}, ValueError, r"scale_factor \(=nan\) must leave 1 to"),
        (X, {"scale_factor": 1e12}, ValueError, r"scale_factor \(=1000000000000.0\) must leave 1 to"),
        (X, {"scale_factor": "2"}, TypeError, r"scale_factor \(='2'\) must be a static number"),
        (X, {"size": 10**12}, ValueError, r"size \(=1000000000000\) must be at most 2147483647 along every axis"),
        (X, {"size": (5, 0)}, ValueError, r"size \(=\(5, 0\)\) must be at least 1"),
        (X, {"size": 2.5}, TypeError, r"size \(=2.5\) must be an int"),
        (X[:, :0], {"size": 2}, ValueError, r"x \(shape \(2, 0, 3, 1\)\) must have elements along its spatial axes"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(op, x, options, error, message):
    with pytest.raises(error, match=message):
        op(x, **options)


def test_errors_of_upsample_linear():
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        jaxcnn.upsample_linear(X.astype(int), 2)
    with pytest.raises(TypeError, match=r"align_corners \(=None\) must be True or False"):
        jaxcnn.upsample_linear(X, 2, align_corners=None)
