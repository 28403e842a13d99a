import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.linear import oracle


class TestLinear(checks.OpChecks):
    ops = ("dense", "bias_add")
    oracle = staticmethod(oracle)


@pytest.mark.parametrize(("dtype", "right"), [(jnp.bfloat16, 656.0), (jnp.float16, 655.5)])
@pytest.mark.parametrize("layer", ["bias_add", "conv", "dense"])
def test_bias_gradient_in_half_precision(layer, dtype, right):
    """65536 cotangents of 0.01: jax.grad of a broadcast sum gives 8 in bfloat16 and 64 in float16."""
    x, g = jnp.zeros((64, 32, 32, 8), dtype), jnp.full((64, 32, 32, 8), 0.01, dtype)
    fn = {
        "bias_add": lambda b: jaxcnn.bias_add(x, b),
        "conv": lambda b: jaxcnn.conv(x[..., :1], jnp.zeros((1, 1, 1, 8), dtype), b),
        "dense": lambda b: jaxcnn.dense(x[..., :1], jnp.zeros((1, 8), dtype), b),
    }[layer]
    (dbias,) = jax.vjp(fn, jnp.zeros(8, dtype))[1](g)
    np.testing.assert_array_equal(dbias, jnp.full(8, right, dtype))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_dense_sums_in_float32(dtype):
    x, kernel = jnp.full((1, 65536), 0.01, dtype), jnp.ones((65536, 1), dtype)
    y, pull = jax.vjp(jaxcnn.dense, x.T, jnp.ones((1, 1), dtype))
    right = jnp.asarray(65536 * float(x[0, 0]), dtype)
    assert jaxcnn.dense(x, kernel)[0, 0] == right
    assert pull(jnp.full_like(y, 0.01))[1][0, 0] == jnp.asarray(65536 * float(x[0, 0]) ** 2, dtype)


def test_preferred_element_type():
    x, kernel, bias = (jnp.full(s, 0.1, jnp.bfloat16) for s in ((3, 5), (5, 2), (2,)))

    def loss(x, kernel, bias):
        return jaxcnn.dense(x, kernel, bias, preferred_element_type=jnp.float32).sum()

    y = jaxcnn.dense(x, kernel, preferred_element_type=jnp.float32)
    np.testing.assert_allclose(y, x.astype(jnp.float32) @ kernel.astype(jnp.float32), rtol=1e-6)
    assert [g.dtype for g in jax.grad(loss, (0, 1, 2))(x, kernel, bias)] == [jnp.bfloat16] * 3
    assert jax.jvp(jax.grad(loss, 1), (x, kernel, bias), (x, kernel, bias))[1].dtype == jnp.bfloat16


def test_a_narrower_bias_keeps_its_dtype_in_the_gradient():
    x, bias = jnp.ones((300, 2)), jnp.ones(2, jnp.bfloat16)
    y, pull = jax.vjp(jaxcnn.bias_add, x, bias)
    dx, dbias = pull(jnp.ones_like(y))
    assert (y.dtype, dx.dtype, dbias.dtype) == (jnp.float32, jnp.float32, jnp.bfloat16)
    np.testing.assert_array_equal(dbias, jnp.array([300, 300], jnp.bfloat16))


def test_precision_reaches_both_gradients():
    x, kernel = jnp.ones((4, 3)), jnp.ones((3, 2))
    grads = jax.jit(jax.grad(lambda x, k: jaxcnn.dense(x, k, precision="highest").sum(), (0, 1)))
    with jax.default_matmul_precision("default"):
        text = grads.lower(x, kernel).as_text()
    products = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    assert len(products) >= 2
    assert all("HIGHEST" in line for line in products)


def test_residuals():
    x, kernel, bias = jnp.ones((4, 3)), jnp.ones((3, 2)), jnp.ones(2)
    assert checks.residuals(jaxcnn.dense, x, kernel, bias) == ["float32[3, 2]", "float32[4, 3]"]
    assert checks.residuals(jaxcnn.bias_add, jnp.ones((4, 2)), bias) == []


def test_empty_batch():
    y, pull = jax.vjp(jaxcnn.dense, jnp.zeros((0, 3)), jnp.ones((3, 2)), jnp.ones(2))
    assert y.shape == (0, 2)
    np.testing.assert_array_equal(pull(y)[1], jnp.zeros((3, 2)))


X, K = jnp.ones((4, 3)), jnp.ones((3, 2))


@pytest.mark.parametrize(
    ("fn", "args", "options", "error", "message"),
    [
        (jaxcnn.dense, (X, K[0]), {}, ValueError, r"kernel shape \(=\(2,\)\) must be \[D_in, D_out\]"),
        (jaxcnn.dense, (X.T, K), {}, ValueError, r"last axis of x \(shape \(3, 4\)\) must equal the kernel's D_in \(=3\)"),
        (jaxcnn.dense, (X, K.astype(jnp.float16)), {}, TypeError, r"kernel dtype \(=float16\) must equal x dtype"),
        (jaxcnn.dense, (X.astype(int), K), {}, TypeError, r"x dtype \(=int32\) must be a floating dtype"),
        (jaxcnn.dense, (X, K, jnp.ones(3)), {}, ValueError, r"bias shape \(=\(3,\)\) must be \[C\]"),
        (jaxcnn.dense, (X, K), {"precision": ("high",)}, ValueError, r"precision \(=\('high',\)\) must be None"),
        (jaxcnn.dense, (X, K), {"preferred_element_type": jnp.float16}, TypeError, r"preferred_element_type \(=float16\)"),
        (jaxcnn.bias_add, (X.astype(jnp.bfloat16), jnp.ones(3)), {}, TypeError, r"bias dtype \(=float32\) must be that of x"),
        (jaxcnn.bias_add, (X.astype(jnp.bfloat16), jnp.ones(3, jnp.float16)), {}, TypeError, r"bias dtype \(=float16\) must"),
        (jaxcnn.bias_add, (X, X), {}, ValueError, r"bias shape \(=\(4, 3\)\) must be \[C\]"),
        (jaxcnn.bias_add, (X, jnp.ones(3, int)), {}, TypeError, r"bias dtype \(=int32\) must be a floating dtype"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(fn, args, options, error, message):
    with pytest.raises(error, match=message):
        fn(*args, **options)
