"""Where `jax.grad`, or the layer of another library, gives a wrong number or none: here it is right, in every dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.gradcheck.cases import Case, Classes, Distinct, Normal, cases_of
from jaxcnn.gradcheck.tolerances import rtol_of
from tests import checks

EPSILON = 2.0**-23  # of float32
DTYPES = ("float16", "bfloat16", "float32")
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def assert_rounded_once(found, right, dtype, bound=0.0):
    """The numbers are the right ones in `dtype`, up to the last digit of the largest, and to a bound for float32."""
    assert found.dtype == dtype
    rtol = max(rtol_of(dtype), bound)
    checks.assert_close(np.asarray(found, np.float64), np.asarray(right, np.float64), rtol, dtype)


@every_dtype
def test_the_gradient_of_a_bias_is_summed_in_float32(dtype):
    """jax.grad: 8 in bfloat16, 64 in float16."""
    x, g = jnp.zeros((64, 32, 32, 8), dtype), jnp.full((64, 32, 32, 8), 0.01, dtype)
    right = np.full(8, float(g[0, 0, 0, 0]) * 65536)
    bias = jnp.zeros(8, dtype)
    kernel = jnp.zeros((1, 1, 8, 8), dtype)
    for layer in (
        jaxcnn.bias_add,
        lambda x, b: jaxcnn.conv(x, kernel, b),
        lambda x, b: jaxcnn.dense(x, kernel[0, 0], b),
    ):
        assert_rounded_once(jax.vjp(lambda b, layer=layer: layer(x, b), bias)[1](g)[0], right, dtype)


@every_dtype
def test_an_average_is_summed_in_float32(dtype):
    """Summed in bfloat16, as flax does: 0.0039 where 0.01 is right."""
    x = jnp.full((1, 32, 32, 1), 0.01, dtype)
    right = np.asarray(x[0, 0, 0, 0], np.float64)
    for pool in (
        lambda x: jaxcnn.avg_pool(x, (32, 32)),
        jaxcnn.global_avg_pool,
        lambda x: jaxcnn.adaptive_avg_pool(x, (1, 1)),
    ):
        assert_rounded_once(pool(x).ravel()[0], right, dtype, 1024 * EPSILON / 2)  # a sum of 1024 terms
    dx = jax.grad(lambda x: jaxcnn.avg_pool(x, (32, 32), 1, "SAME").astype(jnp.float32).sum())(x)
    with jax.enable_x64(True):
        wide = jax.grad(lambda x: jaxcnn.reference.avg_pool(x, (32, 32), 1, "SAME").sum())(x.astype(jnp.float64))
    assert_rounded_once(dx, wide, dtype)


@every_dtype
def test_batch_norm_of_a_large_mean(dtype):
    """Mean 1e4, standard deviation 1: flax 160.7, haiku nan. In half precision, of the numbers that are left."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(1e4 + rng.standard_normal((16, 8, 8, 4)), dtype)
    scale, bias = (jnp.asarray(rng.standard_normal(4), dtype) for _ in range(2))
    g = jnp.asarray(rng.standard_normal(x.shape), dtype)
    y, pull = jax.vjp(lambda *args: jaxcnn.batch_norm(*args)[0], x, scale, bias)
    with jax.enable_x64(True):
        wide = [a.astype(jnp.float64) for a in (x, scale, bias)]
        right, pull_right = jax.vjp(lambda *args: jaxcnn.reference.batch_norm(*args)[0], *wide)
        gradients = pull_right(g.astype(jnp.float64))
    for found, expected in zip((y, *pull(g)), (right, *gradients), strict=True):
        assert_rounded_once(found, expected, dtype, 1e4 * EPSILON / 2)  # the last digit of the mean
    if dtype == "float32":
        assert np.std(jaxcnn.batch_norm(x)[0]) == pytest.approx(1, abs=1e-3)


@every_dtype
def test_the_gradient_of_a_maximum_goes_to_the_nan(dtype):
    x = jnp.array([[1, jnp.nan], [3, 2]], dtype).reshape(2, 2, 1)
    dx = jax.grad(lambda x: jaxcnn.max_pool(x, (2, 2)).sum())(x)
    np.testing.assert_array_equal(np.asarray(dx, np.float32).ravel(), [0, 1, 0, 0])


@every_dtype
def test_padding_takes_nothing_from_minus_infinity(dtype):
    x = jnp.full((2, 2, 1), -jnp.inf, dtype)
    dx = jax.grad(lambda x: jaxcnn.max_pool(x, (3, 3), padding="SAME").sum())(x)
    np.testing.assert_array_equal(np.asarray(dx, np.float32).ravel(), [4, 0, 0, 0])


@every_dtype
def test_cross_entropy_of_a_class_that_is_ruled_out(dtype):
    """optax: nan."""
    logits, labels = jnp.array([-jnp.inf, 0, 0], dtype), jnp.array([0, 1, 0], dtype)
    for loss in (
        lambda z: jaxcnn.softmax_cross_entropy(z, labels),
        lambda z: jaxcnn.softmax_cross_entropy_with_integer_labels(z, jnp.array(1)),
    ):
        value, dlogits = jax.value_and_grad(loss)(logits)
        assert_rounded_once(value, np.log(2), dtype)
        assert_rounded_once(dlogits, [0, -0.5, 0.5], dtype)


@every_dtype
@pytest.mark.parametrize("label", [-1, 3, 7])
def test_a_label_that_is_none_never_wraps(label, dtype):
    """optax: -1 is the last class."""
    loss = jaxcnn.softmax_cross_entropy_with_integer_labels(jnp.zeros(3, dtype), jnp.array(label))
    assert np.isnan(float(loss))


@every_dtype
def test_log_softmax_of_many_classes_has_a_finite_gradient(dtype):
    """In float16 more than 65504 of anything is infinite, so that a sum over classes must not be in float16."""
    z = jnp.asarray(np.random.default_rng(0).standard_normal((1, 70_000)), dtype)
    g = jnp.ones_like(z)
    y, pull = jax.vjp(jaxcnn.log_softmax, z)
    with jax.enable_x64(True):
        right, pull_right = jax.vjp(jaxcnn.reference.log_softmax, z.astype(jnp.float64))
        dz = pull_right(g.astype(jnp.float64))[0]
    assert_rounded_once(y, right, dtype)
    assert_rounded_once(pull(g)[0], dz, dtype)


POOLS = ("max_pool", "min_pool", "avg_pool", "sum_pool", "lp_pool", "max_pool_with_indices")


@pytest.mark.parametrize("case", [cases_of(op)[-1] for op in POOLS], ids=lambda case: case.name)
def test_no_program_has_a_dilated_reduce_window(case):
    """On a CPU, XLA computes it wrongly."""
    text = jax.jit(lambda x: jax.vjp(case.manual, x)[1](case.manual(x))).lower(*case.args("float32")).as_text()
    for dilations in (part.split(">")[0] for part in text.split("base_dilations = array<i64: ")[1:]):
        assert set(dilations.split(", ")) == {"1"}


WITHOUT_A_DERIVATIVE_ELSEWHERE = (
    Case("max_pool", "with dilation", (Distinct((2, 9, 7, 2)),),
         {"window_shape": (3, 2), "strides": 2, "window_dilation": (2, 3)}),
    Case("max_pool_with_indices", "argmax", (Distinct((2, 5, 6, 2)),), {"window_shape": (3, 2), "strides": (1, 2)}),
    Case("lp_pool", "of any norm", (Distinct((2, 6, 5, 2), 1 / 16),), {"norm": 2.5, "window_shape": (2, 3)}),
    Case("avg_pool", "with a divisor", (Normal((2, 6, 5, 2)),), {"window_shape": (2, 3), "divisor_override": 4}),
    Case("conv_transpose", "in groups", (Normal((2, 4, 3, 4)), Normal((3, 2, 2, 6))),
         {"strides": 2, "feature_group_count": 2}),
    Case("local_response_norm", "", (Normal((2, 3, 4, 6)),), {"size": 3}),
    Case("weight_standardized_conv", "", (Normal((2, 4, 3, 2)), Normal((3, 2, 2, 3)))),
    Case("softmax_cross_entropy_with_integer_labels", "all in one",
         (Normal((6, 4)), Classes((6,), 4)), {"ignore_index": 2, "label_smoothing": 0.1, "class_weights": (1.0, 0.5, 2.0, 3.0)}),
)  # fmt: skip


@pytest.mark.parametrize("case", WITHOUT_A_DERIVATIVE_ELSEWHERE, ids=lambda case: case.name)
def test_it_has_its_derivatives(case):
    checks.check_finite_differences(case)
    checks.check_second_order(case)
