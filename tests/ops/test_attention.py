import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import attention


class TestSqueezeExcite(checks.OpChecks):
    ops = ("squeeze_excite",)
    oracle = staticmethod(attention.oracle)


def arrays(dtype=jnp.float32, positions=(4, 3), channels=4, hidden=2):
    rng = np.random.default_rng(0)
    shapes = ((2, *positions, channels), (channels, hidden), (hidden,), (hidden, channels), (channels,))
    return tuple(jnp.asarray(rng.standard_normal(shape), dtype) for shape in shapes)


def test_it_is_its_parts():
    x, kernel1, bias1, kernel2, bias2 = arrays()
    hidden = jaxcnn.relu(jaxcnn.dense(jaxcnn.global_avg_pool(x), kernel1, bias1))
    gate = jaxcnn.sigmoid(jaxcnn.dense(hidden, kernel2, bias2))
    y = jaxcnn.squeeze_excite(x, kernel1, bias1, kernel2, bias2)
    np.testing.assert_allclose(y, x * gate[:, None, None], rtol=1e-6)
    without = jaxcnn.squeeze_excite(x, kernel1, None, kernel2, None)
    zeros = jaxcnn.squeeze_excite(x, kernel1, 0 * bias1, kernel2, 0 * bias2)
    np.testing.assert_array_equal(without, zeros)


def test_a_hidden_unit_at_zero_has_no_gradient():
    x, kernel1, bias1, kernel2, bias2 = arrays()
    found = jax.grad(lambda k, b: jaxcnn.squeeze_excite(x, k, b, kernel2, bias2).sum(), (0, 1))(0 * kernel1, 0 * bias1)
    for cotangent in found:
        np.testing.assert_array_equal(cotangent, 0)


def test_a_gate_that_rounds_to_one_keeps_its_gradient():
    """sigmoid'(17) = 4.14e-8, where s (1 - s) is 0 in float32; its derivative there is -4.14e-8."""
    x, kernel, zero = jnp.ones((1, 2, 1)), jnp.zeros((1, 1)), jnp.zeros(1)

    def slope(bias):
        return jax.grad(lambda b: jaxcnn.squeeze_excite(x, kernel, zero, kernel, b)[0, 0, 0])(bias)[0]

    for bias in (17.0, -17.0, 30.0):
        right = 1 / (np.exp(bias / 2) + np.exp(-bias / 2)) ** 2
        np.testing.assert_allclose(slope(jnp.array([bias])), right, rtol=1e-6)
        np.testing.assert_allclose(jax.grad(slope)(jnp.array([bias])), [-np.tanh(bias / 2) * right], rtol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_sums_in_half_precision_are_not_lost(dtype):
    """4096 positions of 0.01: a running sum in bfloat16 stops at 4, in float16 at 32."""
    x, *_ = arrays(dtype, (64, 64), 1, 1)
    x = jnp.full_like(x, 0.01)
    one, zero = jnp.ones((1, 1), dtype), jnp.zeros(1, dtype)
    average = float(x[0, 0, 0, 0])
    gate = 1 / (1 + np.exp(-average))
    y, pull = jax.vjp(lambda b: jaxcnn.squeeze_excite(x, one, zero, one, b), zero)
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.float64(y), average * gate, rtol=eps)
    (dbias,) = pull(jnp.full_like(y, 0.01))
    np.testing.assert_allclose(np.float64(dbias), 2 * 4096 * average**2 * gate * (1 - gate), rtol=2 * eps)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_residuals_are_no_more_than_those_of_jax(dtype):
    args = arrays(dtype)
    kept = checks.residuals(jaxcnn.squeeze_excite, *args)
    operands = [f"{jnp.dtype(dtype).name}{shape}" for shape in ("[2, 4, 3, 4]", "[4, 2]", "[2]", "[2, 4]", "[4]")]
    assert kept == sorted([*operands, "float32[2, 4]"])
    of_jax = jax.tree.leaves(jax.vjp(jaxcnn.reference.squeeze_excite, *args)[1])
    mine = jax.tree.leaves(jax.vjp(jaxcnn.squeeze_excite, *args)[1])
    assert sum(leaf.nbytes for leaf in mine) <= sum(leaf.nbytes for leaf in of_jax)


def test_a_narrower_bias_keeps_its_dtype_in_the_gradient_and_precision_reaches_all():
    x, kernel1, bias1, kernel2, bias2 = arrays()

    def loss(b1, k2):
        return jaxcnn.squeeze_excite(x, kernel1, b1, k2, bias2, precision="highest").sum()

    grads = jax.jit(jax.grad(loss, (0, 1)))
    assert [g.dtype for g in grads(bias1.astype(jnp.bfloat16), kernel2)] == [jnp.bfloat16, jnp.float32]
    with jax.default_matmul_precision("default"):
        text = grads.lower(bias1, kernel2).as_text()
    products = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    assert len(products) >= 3
    assert all("HIGHEST" in line for line in products)


def test_empty_batch():
    args = (jnp.zeros((0, 4, 3, 4)), *arrays()[1:])
    y, pull = jax.vjp(jaxcnn.squeeze_excite, *args)
    assert y.shape == (0, 4, 3, 4)
    for cotangent, primal in zip(pull(y), args, strict=True):
        np.testing.assert_array_equal(cotangent, jnp.zeros_like(primal))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": jnp.ones((2, 4, 3, 4), int)}, TypeError, r"x dtype \(=int32\) must be a floating dtype"),
        ({"x": jnp.ones((2, 0, 3, 4))}, ValueError, r"x \(shape \(2, 0, 3, 4\)\) must hold at least one position"),
        ({"x": jnp.ones((2, 4))}, ValueError, r"spatial_rank \(=0\) must be 1 to 1"),
        ({"kernel1": jnp.ones((3, 2))}, ValueError, r"kernel1 shape \(=\(3, 2\)\) must be \[C, R\]"),
        ({"kernel1": jnp.ones((4, 2), jnp.float16)}, TypeError, r"kernel1 dtype \(=float16\) must equal x dtype"),
        ({"kernel2": jnp.ones((4, 2))}, ValueError, r"kernel2 shape \(=\(4, 2\)\) must be \(2, 4\)"),
        ({"bias1": jnp.ones(4)}, ValueError, r"bias1 shape \(=\(4,\)\) must be \(2,\)"),
        ({"bias2": jnp.ones(4, int)}, TypeError, r"bias2 dtype \(=int32\) must be a floating dtype"),
        ({"precision": "most"}, ValueError, r"precision \(='most'\) must be None"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(change, error, message):
    given = dict(zip(("x", "kernel1", "bias1", "kernel2", "bias2"), arrays(), strict=True)) | change
    with pytest.raises(error, match=message):
        jaxcnn.squeeze_excite(**given)
