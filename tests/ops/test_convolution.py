import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.convolution import oracle


class TestConv(checks.OpChecks):
    ops = ("conv",)
    oracle = staticmethod(oracle)


@pytest.mark.parametrize(
    ("padding", "pairs"),
    [
        (2, ((2, 2), (2, 2))),
        ((1, 2), ((1, 1), (2, 2))),
        ((1, (0, 3)), ((1, 1), (0, 3))),
        ([(1, 0), [0, 2]], ((1, 0), (0, 2))),
        ("valid", ((0, 0), (0, 0))),
        (np.int64(1), ((1, 1), (1, 1))),
    ],
)
def test_paddings_that_mean_the_same(padding, pairs):
    x, kernel = jnp.ones((1, 5, 4, 1)), jnp.ones((3, 2, 1, 1))
    np.testing.assert_array_equal(jaxcnn.conv(x, kernel, padding=padding), jaxcnn.conv(x, kernel, padding=pairs))


def test_same_counts_on_the_dilated_input():
    y = jaxcnn.conv(jnp.ones((1, 4, 5, 1)), jnp.ones((3, 3, 1, 1)), input_dilation=(2, 3), strides=2)
    assert y.shape == (1, 4, 7, 1)  # ceil(7 / 2), ceil(13 / 2)


def test_tutorial_numbers():
    image = jnp.array([[1.0, 0.0], [1.0, 1.0]]).reshape(1, 2, 2, 1)
    kernel = jnp.array([[1.0, -1.0], [1.0, -1.0]]).reshape(2, 2, 1, 1)
    y, pull = jax.vjp(lambda x, k: jaxcnn.conv(x, k, padding="VALID"), image, kernel)
    dx, dkernel = pull(jnp.full((1, 1, 1, 1), 3.0))
    assert y.item() == 1.0
    np.testing.assert_array_equal(dx, 3 * kernel.reshape(1, 2, 2, 1))
    np.testing.assert_array_equal(dkernel, 3 * image.reshape(2, 2, 1, 1))


def test_rows_that_no_window_reads_have_no_gradient():
    dx = jax.grad(lambda x: jaxcnn.conv(x, jnp.ones((2, 2, 1, 1)), strides=3, padding="VALID").sum())(
        jnp.ones((1, 7, 6, 1))
    )
    np.testing.assert_array_equal(dx[0, :, 0, 0], [1, 1, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(dx[0, 0, :, 0], [1, 1, 0, 1, 1, 0])


def test_preferred_element_type():
    x, kernel, bias = (jnp.full(s, 0.1, jnp.bfloat16) for s in ((2, 5, 4, 2), (3, 3, 2, 2), (2,)))

    def loss(x, kernel, bias):
        return jaxcnn.conv(x, kernel, bias, preferred_element_type=jnp.float32).sum()

    y = jaxcnn.conv(x, kernel, preferred_element_type=jnp.float32)
    assert y.dtype == jnp.float32
    wide = jaxcnn.reference.conv(x.astype(jnp.float32), kernel.astype(jnp.float32))
    np.testing.assert_allclose(y, wide, rtol=1e-6)
    gradients = jax.grad(loss, (0, 1, 2))(x, kernel, bias)
    assert [g.dtype for g in gradients] == [jnp.bfloat16] * 3
    second = jax.jvp(jax.grad(loss, 1), (x, kernel, bias), (x, kernel, bias))[1]
    assert second.dtype == jnp.bfloat16


@pytest.mark.parametrize("precision", ["highest", jax.lax.Precision.HIGHEST, ("highest", "default")])
def test_precision_reaches_both_gradients(precision):
    x, kernel = jnp.ones((1, 4, 3, 2)), jnp.ones((2, 2, 2, 3))
    text = (
        jax.jit(jax.grad(lambda x, k: jaxcnn.conv(x, k, precision=precision).sum(), (0, 1))).lower(x, kernel).as_text()
    )
    products = [line for line in text.splitlines() if re.search(r"stablehlo\.(convolution|dot_general)", line)]
    assert len(products) >= 2
    assert all("HIGHEST" in line for line in products)


def test_empty_batch():
    x, kernel = jnp.zeros((0, 5, 4, 2)), jnp.ones((3, 3, 2, 3))
    y, pull = jax.vjp(jaxcnn.conv, x, kernel)
    assert y.shape == (0, 5, 4, 3)
    dx, dkernel = pull(y)
    assert dx.shape == x.shape
    np.testing.assert_array_equal(dkernel, jnp.zeros_like(kernel))


def test_residuals_are_the_operands():
    x, kernel, bias = jnp.ones((2, 6, 5, 3)), jnp.ones((3, 2, 3, 4)), jnp.ones(4)
    assert checks.residuals(jaxcnn.conv, x, kernel, bias) == ["float32[2, 6, 5, 3]", "float32[3, 2, 3, 4]"]


def test_exports_for_every_platform():
    platforms = ("cpu", "cuda", "tpu")
    fn = jax.jit(jax.grad(lambda x, k: jaxcnn.conv(x, k, strides=2).sum(), (0, 1)))
    x, kernel = jnp.ones((2, 6, 5, 3)), jnp.ones((3, 2, 3, 4))
    exported = jax.export.export(fn, platforms=platforms)(x, kernel)
    assert exported.platforms == platforms
    text = exported.mlir_module()
    assert text.count("= stablehlo.convolution(") >= 2
    assert "custom_call" not in text


X, K = jnp.ones((2, 6, 5, 4)), jnp.ones((3, 3, 4, 8))


@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        ((X, K), {"feature_group_count": 3}, ValueError, r"feature_group_count \(=3\) must divide the input channels \(=4\)"),
        ((X, K[:, :, :2, :7]), {"feature_group_count": 2}, ValueError, r"\(=2\) must divide the output channels \(=7\)"),
        ((X, K[:, :, :3]), {}, ValueError, r"input channels \(=3\) times feature_group_count \(=1\) must equal"),
        ((X, K), {"feature_group_count": 0}, ValueError, r"feature_group_count \(=0\) must be at least 1"),
        ((X, K), {"strides": 0}, ValueError, r"strides \(=0\) must be at least 1"),
        ((X, K), {"strides": (1, 2, 3)}, ValueError, r"strides \(=\(1, 2, 3\)\) must have one entry for each of the 2"),
        (("image", K), {}, TypeError, r"x \(='image'\) must be an array of numbers"),
        ((X, K), {"padding": b"ab"}, TypeError, r"padding \(=b'ab'\) must be a string"),
        ((X, K), {"padding": 2**40}, ValueError, r"padding \(=1099511627776\) must leave spatial axis 0 at most"),
        ((X, K), {"preferred_element_type": "foo"}, TypeError, r"preferred_element_type \(='foo'\) must be a dtype"),
        ((X, K), {"strides": 1.5}, TypeError, r"strides \(=1.5\) must be an int"),
        ((X, K), {"kernel_dilation": "two"}, TypeError, r"kernel_dilation \(='two'\) must be an int"),
        ((X, K), {"input_dilation": -1}, ValueError, r"input_dilation \(=-1\) must be at least 1"),
        ((X, K), {"padding": "SOME"}, ValueError, r"padding \(='SOME'\) must be \"SAME\""),
        ((X, K), {"padding": "CIRCULAR", "input_dilation": 2}, ValueError, r"input_dilation \(=\(2, 2\)\) must be 1 where padding \(='CIRCULAR'\)"),
        ((X, K), {"padding": (1, 2, 3)}, ValueError, r"padding \(=\(1, 2, 3\)\) must have one entry"),
        ((X, K), {"padding": 1.0}, TypeError, r"padding \(=1.0\) must be a string"),
        ((X, K), {"padding": ((1, 2), (1, 2, 3))}, TypeError, r"must hold an int or a \(low, high\) pair"),
        ((X, K), {"padding": ((-7, 9), (0, 0))}, ValueError, r"must not crop more than the 6 elements along spatial axis 0"),
        ((X, K), {"padding": ((-3, -3), (0, 0))}, ValueError, r"extent \(=3\) must not exceed the padded input's \(=0\)"),
        ((X[:, :2], K), {"padding": "VALID"}, ValueError, r"extent \(=3\) must not exceed the padded input's \(=2\)"),
        ((X[0, 0], K), {}, ValueError, r"x shape \(=\(5, 4\)\) must end in 2 spatial axes"),
        ((X, K[0, 0]), {}, ValueError, r"kernel shape \(=\(4, 8\)\) must be \[\*window"),
        ((X[..., :0], K), {}, ValueError, r"must have no empty axis but batch and the positions of x"),
        ((X.astype(int), K), {}, TypeError, r"x dtype \(=int32\) must be a floating dtype"),
        ((X, K.astype(jnp.bfloat16)), {}, TypeError, r"kernel dtype \(=bfloat16\) must equal x dtype \(=float32\)"),
        ((X, K, jnp.ones(7)), {}, ValueError, r"bias shape \(=\(7,\)\) must be \[C\]"),
        ((X, K), {"precision": "most"}, ValueError, r"precision \(='most'\) must be None"),
        ((X, K), {"preferred_element_type": jnp.bfloat16}, TypeError, r"preferred_element_type \(=bfloat16\) must be"),
        ((X, K), {"preferred_element_type": int}, TypeError, r"preferred_element_type \(=int.*\) must be float32"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(args, options, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.conv(*args, **options)


@pytest.mark.parametrize("name", ["strides", "padding", "input_dilation", "feature_group_count"])
def test_traced_options_are_refused(name):
    with pytest.raises(TypeError, match=rf"{name} \(=.*\) must be static"):
        jax.jit(lambda option: jaxcnn.conv(X, K, **{name: option}))(1)
