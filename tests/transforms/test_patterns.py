"""The lines of the table of `accelerate` but convolutions: plain lax before and after, in float64, to second order."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxcnn.transforms import accelerate
from tests.transforms.pattern_checks import arrays, close, replaced, reported, value_and_gradients


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


def window(reducer, init, sizes, strides, padding="VALID", **options):
    return lambda x: lax.reduce_window(x, init, reducer, sizes, strides, padding, **options)


POOLS = {
    "max": (window(lax.max, -np.inf, (1, 3, 2, 1), (1, 2, 2, 1), "SAME"), (2, 7, 6, 3)),
    "max, NCHW": (window(lax.max, -np.inf, (1, 1, 2, 3), (1, 1, 2, 1)), (2, 3, 6, 7)),
    "max, padded": (window(lax.max, -np.inf, (1, 3, 3, 1), (1, 2, 1, 1), ((0, 0), (1, 2), (2, 0), (0, 0))), (2, 7, 6, 3)),
    "max over all axes": (window(lax.max, -np.inf, (2, 3, 2), (1, 1, 2)), (4, 5, 6)),
    "max along one axis": (window(lax.max, -np.inf, (3,), (2,)), (9,)),
    "min": (window(lax.min, np.inf, (1, 3, 2, 1), (1, 2, 2, 1), "SAME"), (2, 7, 6, 3)),
    "sum": (window(lax.add, 0.0, (1, 3, 2, 1), (1, 2, 1, 1), "SAME"), (2, 7, 6, 3)),
    "sum of channels": (window(lax.add, 0.0, (1, 1, 1, 3), (1, 1, 1, 1), "SAME"), (2, 4, 3, 5)),
    "sum, dilated": (window(lax.add, 0.0, (1, 3, 2, 1), (1, 2, 1, 1), window_dilation=(1, 2, 3, 1)), (2, 9, 8, 3)),
    "the elements": (window(lax.max, -np.inf, (1, 1), (1, 1)), (4, 3)),
    "picked": (window(lax.add, 0.0, (1, 1, 1, 1), (1, 2, 2, 1)), (2, 5, 4, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", POOLS)
def test_pools(name):
    fn, shape = POOLS[name]
    (x,) = arrays(shape)
    close(value_and_gradients(accelerate(fn), x), value_and_gradients(fn, x))
    _, report = reported(fn, x)
    reducer = {"the elements": "max", "picked": "sum"}.get(name, name[:3])
    assert [one.by for one in report.findings] == [f"jaxcnn.{reducer}_pool"]
    assert report.share == 1


@pytest.mark.parametrize("name", POOLS)
def test_gradients_of_pools_that_are_in_the_program_already(name):
    fn, shape = POOLS[name]
    (x,) = arrays(shape)
    gradient = jax.grad(lambda x: jnp.sum(jnp.sin(fn(x))))
    found, report = reported(gradient, x)
    close(found, gradient(x))
    assert report.share == 1
    close(
        jax.grad(lambda x: jnp.sum(accelerate(gradient)(x) ** 2))(x), jax.grad(lambda x: jnp.sum(gradient(x) ** 2))(x)
    )


def test_a_max_pool_has_the_gradient_that_lax_has_not():
    x = jnp.array([[1.0, jnp.nan], [3.0, 2.0]]).reshape(1, 2, 2, 1)
    pool = window(lax.max, -np.inf, (1, 2, 2, 1), (1, 1, 1, 1))
    assert jax.grad(lambda x: jnp.sum(accelerate(pool)(x)))(x).ravel().tolist() == [0, 1, 0, 0]
    dilated = window(lax.max, -np.inf, (1, 2, 2, 1), (1, 1, 1, 1), window_dilation=(1, 2, 2, 1))
    (x,) = arrays((1, 4, 4, 1))
    assert jnp.sum(jax.grad(lambda x: jnp.sum(accelerate(dilated)(x)))(x)) == 4


@pytest.mark.parametrize(
    ("fn", "x", "why"),
    [
        (window(lax.max, -np.inf, (2,), (1,), base_dilation=(2,)), np.arange(4.0), "base_dilation"),
        (window(lax.add, 0, (2,), (1,)), np.arange(4), "floating"),
        (window(lax.mul, 1.0, (2,), (1,)), np.arange(4.0), ""),
    ],
)
def test_windows_that_no_pool_reduces_are_left(fn, x, why):
    found, report = reported(fn, x)
    assert jnp.array_equal(found, fn(x))
    assert report.share == 0
    assert all(why in one.why for one in report.findings)


@pytest.mark.parametrize("axis", [-1, 0])
def test_log_softmax(axis):
    (x,) = arrays((3, 5))
    fn = functools.partial(jax.nn.log_softmax, axis=axis)
    close(value_and_gradients(accelerate(fn), x), value_and_gradients(fn, x))
    assert replaced(reported(fn, x)[1]) == [("jit", "jaxcnn.log_softmax")]


def test_another_function_of_the_name_of_log_softmax_is_left():
    @jax.jit
    def log_softmax(x):
        return x - 1

    assert replaced(reported(log_softmax, jnp.ones(3))[1]) == []


def test_exact_gelu():
    (x,) = arrays((3, 5))
    fn = functools.partial(jax.nn.gelu, approximate=False)
    close(value_and_gradients(accelerate(fn), x), value_and_gradients(fn, x))
    assert replaced(reported(fn, x)[1]) == [("mul", "jaxcnn.gelu")]


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: 0.5 * x * lax.erfc(x * np.sqrt(0.5)),
        lambda x: 0.5 * x * lax.erfc(-x * 0.7),
        lambda x: 0.25 * x * lax.erfc(-x * np.sqrt(0.5)),
        lambda x: 0.5 * (x + 1) * lax.erfc(-x * np.sqrt(0.5)),
        lambda x: x * lax.erfc(-x),
    ],
)
def test_what_is_almost_a_gelu_is_left(fn):
    assert replaced(reported(fn, *arrays((3, 5)))[1]) == []


@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 4, 3)])
def test_dense(shape):
    x, kernel = arrays(shape, (3, 6))
    close(value_and_gradients(accelerate(jnp.dot), x, kernel), value_and_gradients(jnp.dot, x, kernel))
    assert replaced(reported(jnp.dot, x, kernel)[1]) == [("dot_general", "jaxcnn.dense")]


def test_other_products_are_left():
    a, b = arrays((2, 3, 4), (2, 4, 5))
    assert replaced(reported(jnp.matmul, a, b)[1]) == []
    assert replaced(reported(jnp.dot, a[0], b[0, :, 0])[1]) == []


BIASES = {
    "broadcast": (lambda x, b: x + b, (3,)),
    "the bias first": (lambda x, b: b + x, (3,)),
    "reshape, as flax": (lambda x, b: x + jnp.reshape(b, (1, 1, 1, -1)), (3,)),
    "broadcast_to, as haiku": (lambda x, b: x + jnp.broadcast_to(b, x.shape), (3,)),
    "rows": (lambda x, b: x + b, (5, 1)),
    "channels first, as equinox": (lambda x, b: jax.vmap(lambda x: x.transpose(2, 0, 1) + b)(x), (3, 1, 1)),
}


@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_biases_in_half_precision(name, dtype):
    fn, shape = BIASES[name]
    x, bias = arrays((64, 32, 5, 3), shape, dtype=dtype)
    found, report = reported(fn, x, bias)
    assert jnp.array_equal(found, fn(x, bias))
    assert replaced(report) == [("add", "jaxcnn.bias_add")]
    g = jnp.full(found.shape, 0.01, dtype)
    dx, dbias = jax.vjp(accelerate(fn), x, bias)[1](g)
    assert jnp.all(dx == g[0, 0, 0, 0])
    right = g.size / bias.size * g[0, 0, 0, 0].astype(jnp.float64)
    assert dbias.shape == bias.shape
    np.testing.assert_array_equal(dbias, jnp.full(bias.shape, right).astype(dtype))


@pytest.mark.parametrize("fn", [lambda x, b: x + b, lambda x, b: x[..., :1] + x])
def test_other_sums_are_left(fn):
    x, bias = arrays((2, 4, 5, 3), (3,))
    assert replaced(reported(fn, x, bias)[1]) == []  # float64
    half = x.astype(jnp.bfloat16)
    assert replaced(reported(lambda x: x + x[:1], half)[1]) == []
    assert replaced(reported(lambda x: x + 1, half)[1]) == []
    assert replaced(reported(lambda x, b: x + b, half, jnp.ones((4, 1, 3), jnp.bfloat16))[1]) == []


def test_sums_in_half_precision_that_are_in_the_program_already():
    x, bias = jnp.zeros((64, 32, 32, 8), jnp.bfloat16), jnp.zeros(8, jnp.bfloat16)
    g = jnp.full(x.shape, 0.01, jnp.bfloat16)
    found, report = reported(lambda x, b, g: jax.vjp(jnp.add, x, b)[1](g)[1], x, bias, g)
    assert found.tolist() == [656] * 8
    assert ("reduce_sum", "a sum in float32") in replaced(report)
