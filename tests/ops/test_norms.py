import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks, oracles

OPS = ("batch_norm", "layer_norm")
EPSILON = {"batch_norm": 1e-5, "layer_norm": 1e-6}


def oracle(case):
    return functools.partial(getattr(oracles, case.op), epsilon=case.options.get("epsilon", EPSILON[case.op]))


class TestNorms(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(oracle)


def normalized(name):
    """Return the op as a function that returns y alone."""
    return {"batch_norm": lambda *args, **options: jaxcnn.batch_norm(*args, **options)[0]}.get(name, jaxcnn.layer_norm)


@pytest.mark.parametrize("name", OPS)
def test_a_mean_far_from_zero(name):
    """Mean 1e4 and deviation 1: E[x^2] - mean^2 in float32 gives outputs of deviation 160.7."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(1e4 + rng.standard_normal((16, 8, 8, 4) if name == "batch_norm" else (4, 1024)), jnp.float32)
    g = rng.standard_normal(x.shape)
    y, pull = jax.vjp(normalized(name), x)
    (dx,) = pull(jnp.asarray(g, jnp.float32))
    wide, axes = np.asarray(x, np.float64), (0, 1, 2) if name == "batch_norm" else (1,)
    mean, std = wide.mean(axes, keepdims=True), wide.std(axes, keepdims=True)
    np.testing.assert_allclose(np.std(np.asarray(y, np.float64), axes), 1.0, rtol=1e-4)
    normal = (wide - mean) / std
    np.testing.assert_allclose(y, normal, atol=2e-3)
    right = (g - g.mean(axes, keepdims=True) - normal * (g * normal).mean(axes, keepdims=True)) / std
    np.testing.assert_allclose(dx, right, atol=2e-3)
    if name == "batch_norm":
        _, found, variance = jaxcnn.batch_norm(x)
        np.testing.assert_allclose(found, mean.ravel(), rtol=1e-6)
        np.testing.assert_allclose(variance, std.ravel() ** 2, rtol=1e-4)


def test_the_statistics_have_gradients_of_their_own():
    x = jnp.array([[1.0], [2.0], [6.0]])
    of_mean = jax.grad(lambda x: jaxcnn.batch_norm(x)[1].sum())(x)
    of_variance = jax.grad(lambda x: jaxcnn.batch_norm(x)[2].sum())(x)
    np.testing.assert_allclose(of_mean, [[1 / 3], [1 / 3], [1 / 3]], rtol=1e-6)
    np.testing.assert_allclose(of_variance, [[-4 / 3], [-2 / 3], [2.0]], rtol=1e-6)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_dtypes_in_half_precision(dtype):
    x, scale, bias = jnp.ones((4, 3), dtype), jnp.ones(3, dtype), jnp.ones(3, dtype)
    y, mean, variance = jaxcnn.batch_norm(x, scale, bias)
    assert (y.dtype, mean.dtype, variance.dtype) == (dtype, jnp.float32, jnp.float32)
    assert jaxcnn.layer_norm(x, scale, bias).dtype == dtype


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_batch_statistics_are_summed_in_float32(dtype):
    x = jnp.full((65536, 1), 0.01, dtype)
    _, mean, variance = jaxcnn.batch_norm(x)
    np.testing.assert_allclose(mean, float(x[0, 0]), rtol=1e-5)
    assert variance[0] < 1e-12
    _, pull = jax.vjp(lambda b: jaxcnn.batch_norm(x, None, b)[0], jnp.zeros(1, dtype))
    assert pull(x)[0][0] == jnp.asarray(65536 * float(x[0, 0]), dtype)


@pytest.mark.parametrize("name", OPS)
def test_narrower_parameters_keep_their_dtype_in_the_gradient(name):
    x, scale, bias = jnp.arange(12.0).reshape(4, 3), jnp.ones(3, jnp.bfloat16), jnp.ones(3, jnp.float16)
    y, pull = jax.vjp(normalized(name), x, scale, bias)
    assert (y.dtype, *(d.dtype for d in pull(y))) == (jnp.float32, jnp.float32, jnp.bfloat16, jnp.float16)


@pytest.mark.parametrize("name", OPS)
def test_a_bias_without_a_scale(name):
    x, bias = jnp.asarray(np.random.default_rng(0).standard_normal((4, 3)), jnp.float32), jnp.array([1.0, 2.0, 3.0])
    fn = normalized(name)
    np.testing.assert_array_equal(fn(x, bias=bias), fn(x, jnp.ones(3), bias))
    np.testing.assert_allclose(jax.grad(lambda b: fn(x, None, b).sum())(bias), [4, 4, 4], rtol=1e-6)


@pytest.mark.parametrize("name", OPS)
def test_constant_input_gives_the_bias_and_no_gradient(name):
    x, scale, bias = jnp.full((4, 2, 2), 3.0), jnp.array([2.0, 5.0]), jnp.array([-1.0, 1.0])
    y, pull = jax.vjp(normalized(name), x, scale, bias)
    np.testing.assert_array_equal(y, jnp.broadcast_to(bias.reshape(1, 1, 2), x.shape))
    dx, dscale, dbias = pull(jnp.ones_like(y))
    if name == "batch_norm":  # u is constant over the batch, so that dx, too, is 0
        np.testing.assert_allclose(dx, 0, atol=1e-3)
    assert np.isfinite(dx).all()
    np.testing.assert_array_equal(dscale, 0)
    np.testing.assert_array_equal(dbias, 8)


def test_batch_of_one_element():
    """The mean is the element and the variance 0: y is the bias, and x does not move it."""
    x = jnp.array([[3.0, -7.0]])
    (y, mean, variance), pull = jax.vjp(jaxcnn.batch_norm, x, jnp.full(2, 2.0), jnp.array([1.0, 4.0]))
    np.testing.assert_array_equal(y, [[1, 4]])
    np.testing.assert_array_equal(mean, [3, -7])
    np.testing.assert_array_equal(variance, [0, 0])
    dx, dscale, dbias = pull((jnp.array([[1.0, 2.0]]), jnp.array([5.0, 6.0]), jnp.array([8.0, 9.0])))
    np.testing.assert_array_equal(dx, [[5, 6]])
    np.testing.assert_array_equal(dscale, [0, 0])
    np.testing.assert_array_equal(dbias, [1, 2])
    np.testing.assert_array_equal(jaxcnn.batch_norm(x[0])[1], x[0])


def test_one_channel():
    x = jnp.array([[3.0], [5.0]])
    np.testing.assert_array_equal(jaxcnn.layer_norm(x, bias=jnp.array([2.0])), [[2], [2]])
    np.testing.assert_array_equal(jax.grad(lambda x: jaxcnn.layer_norm(x).sum())(x), [[0], [0]])


def test_layer_norm_of_an_empty_batch():
    y, pull = jax.vjp(jaxcnn.layer_norm, jnp.ones((0, 3)), jnp.ones(3), jnp.ones(3))
    assert y.shape == (0, 3)
    np.testing.assert_array_equal(pull(y)[1], [0, 0, 0])


def test_an_example_of_layer_norm_does_not_depend_on_the_others():
    x = jnp.arange(12.0).reshape(3, 4) ** 2
    np.testing.assert_array_equal(jaxcnn.layer_norm(x)[1], jaxcnn.layer_norm(x[1]))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_residuals(dtype):
    x, scale, bias, name = jnp.ones((4, 5, 3, 2), dtype), jnp.ones(2, dtype), jnp.ones(2, dtype), jnp.dtype(dtype).name
    batch, layer = (checks.residuals(getattr(jaxcnn, op), x, scale, bias) for op in OPS)
    assert batch == sorted(["float32[2]", "float32[2]", f"{name}[2]", f"{name}[4, 5, 3, 2]"])
    assert layer == sorted([f"{name}[2]", f"{name}[4, 5, 3, 2]"])


X, C = jnp.ones((4, 3)), jnp.ones(3)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        ((X.astype(int),), {}, TypeError, r"x dtype \(=int32\) must be a floating dtype"),
        ((X[0, 0],), {}, ValueError, r"x shape \(=\(\)\) must be \[..., C\] with at least one channel"),
        ((X[:, :0],), {}, ValueError, r"x shape \(=\(4, 0\)\) must be \[..., C\] with at least one channel"),
        ((X, jnp.ones(4)), {}, ValueError, r"scale shape \(=\(4,\)\) must be \[C\] for the last axis of x \(shape \(4, 3\)\)"),
        ((X, C, X), {}, ValueError, r"bias shape \(=\(4, 3\)\) must be \[C\] for the last axis of x \(shape \(4, 3\)\)"),
        ((X, C.astype(int)), {}, TypeError, r"scale dtype \(=int32\) must be a floating dtype"),
        ((X.astype(jnp.bfloat16), C), {}, TypeError, r"scale dtype \(=float32\) must be that of x \(=bfloat16\) or narrower"),
        ((X.astype(jnp.bfloat16), None, C.astype(jnp.float16)), {}, TypeError, r"bias dtype \(=float16\) must be that of x"),
        ((X,), {"epsilon": 0}, ValueError, r"epsilon \(=0\) must be above 0"),
        ((X,), {"epsilon": float("nan")}, ValueError, r"epsilon \(=nan\) must be above 0"),
        ((X,), {"epsilon": "1"}, TypeError, r"epsilon \(='1'\) must be a static number"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(name, args, options, error, message):
    with pytest.raises(error, match=message):
        getattr(jaxcnn, name)(*args, **options)


def test_batch_norm_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"x \(shape \(0, 3\)\) must hold at least one element a channel"):
        jaxcnn.batch_norm(jnp.ones((0, 3)))


@pytest.mark.parametrize("name", OPS)
def test_a_traced_epsilon_is_refused(name):
    with pytest.raises(TypeError, match=r"epsilon \(=.*\) must be a static number"):
        jax.jit(lambda e: getattr(jaxcnn, name)(X, epsilon=e))(jnp.array(0.1))
