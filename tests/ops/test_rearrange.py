import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import rearrange


class TestRearrange(checks.OpChecks):
    ops = ("flatten", "depth_to_space", "space_to_depth")
    oracle = staticmethod(rearrange.oracle)


def test_other_dtypes_ranks_and_empty_batches():
    assert jaxcnn.flatten(jnp.arange(6).reshape(2, 3, 1)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert jaxcnn.flatten(jnp.ones(3)).shape == (3, 1)
    assert jaxcnn.flatten(jnp.ones((2, 3)), batch_rank=0).shape == (6,)
    assert jaxcnn.flatten(jnp.ones((0, 3, 4))).shape == (0, 12)
    assert checks.residuals(jaxcnn.flatten, jnp.ones((2, 3, 4))) == []


def test_blocks_in_the_order_of_tensorflow_and_of_onnx_dcr():
    """The example of ONNX's DepthToSpace in mode DCR, channels last."""
    h, w, c = np.indices((2, 3, 8))
    x = (9 * c + 3 * h + w)[None]
    y = jaxcnn.depth_to_space(x, 2)
    expected = [
        [0, 18, 1, 19, 2, 20],
        [36, 54, 37, 55, 38, 56],
        [3, 21, 4, 22, 5, 23],
        [39, 57, 40, 58, 41, 59],
    ]
    np.testing.assert_array_equal(y[0, :, :, 0], expected)
    np.testing.assert_array_equal(y[0, :, :, 1], np.add(expected, 9))
    np.testing.assert_array_equal(jaxcnn.space_to_depth(y, 2), x)


def test_blocks_in_the_order_of_onnx_crd():
    """The example of ONNX's DepthToSpace in mode CRD, channels last."""
    h, w, c = np.indices((2, 3, 8))
    x = (9 * c + 3 * h + w)[None]
    y = jaxcnn.depth_to_space(x, 2, order="CRD")
    expected = [
        [0, 9, 1, 10, 2, 11],
        [18, 27, 19, 28, 20, 29],
        [3, 12, 4, 13, 5, 14],
        [21, 30, 22, 31, 23, 32],
    ]
    np.testing.assert_array_equal(y[0, :, :, 0], expected)
    np.testing.assert_array_equal(y[0, :, :, 1], np.add(expected, 36))
    np.testing.assert_array_equal(jaxcnn.space_to_depth(y, 2, order="CRD"), x)


def test_crd_is_the_order_of_pixel_shuffle():
    """PyTorch's documentation: (*, C r^2, H, W) is read as (*, C, r, r, H, W), and put together as (*, C, H r, W r)."""
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5 * 9)).astype(np.float32)
    first = x.transpose(0, 3, 1, 2).reshape(2, 5, 3, 3, 3, 4)
    right = np.einsum("ncabhw->nhawbc", first).reshape(2, 9, 12, 5)
    np.testing.assert_array_equal(jaxcnn.depth_to_space(jnp.asarray(x), 3, order="CRD"), right)
    np.testing.assert_array_equal(jaxcnn.space_to_depth(jnp.asarray(right), 3, order="CRD"), x)


@pytest.mark.parametrize("order", ["DCR", "CRD"])
@pytest.mark.parametrize("blocks", [(2,), (2, 3), (1, 2, 3)])
def test_each_order_has_its_way_back_and_its_gradient(order, blocks):
    x = jnp.arange(2.0 * 12 * np.prod([2 * b for b in blocks])).reshape(2, *(2 * b for b in blocks), 12)
    y, pull = jax.vjp(lambda x: jaxcnn.space_to_depth(x, blocks, order=order), x)
    back, pull_back = jax.vjp(lambda y: jaxcnn.depth_to_space(y, blocks, order=order), y)
    np.testing.assert_array_equal(back, x)
    np.testing.assert_array_equal(pull(y)[0], x)
    np.testing.assert_array_equal(pull_back(x)[0], y)


@pytest.mark.parametrize("op", [jaxcnn.depth_to_space, jaxcnn.space_to_depth])
def test_blocks_of_other_dtypes_of_one_element_and_of_empty_batches(op):
    x = jnp.ones((0, 4, 2, 8), bool)
    assert op(x, 2).dtype == bool
    assert 0 in op(x, 2).shape
    assert jax.vjp(lambda x: op(x, 2), x.astype(float))[1](op(x, 2).astype(float))[0].shape == x.shape
    x = jnp.arange(6).reshape(1, 2, 3)
    np.testing.assert_array_equal(op(x, 1), x)
    assert checks.residuals(lambda x: op(x, 2), jnp.ones((1, 2, 2, 4))) == []


X = jnp.ones((2, 4, 3, 6))


@pytest.mark.parametrize(
    ("op", "x", "options", "error", "message"),
    [
        ("flatten", X, {"batch_rank": 5}, ValueError, r"batch_rank \(=5\) must not exceed the rank of x \(shape \(2, 4, 3, 6\)\)"),
        ("flatten", X, {"batch_rank": -1}, ValueError, r"batch_rank \(=-1\) must be at least 0"),
        ("flatten", X, {"batch_rank": 1.5}, TypeError, r"batch_rank \(=1.5\) must be an int"),
        ("depth_to_space", X, {"block_size": 2}, ValueError, r"block_size \(=2\) must make blocks whose elements \(=4\) divide the channels \(=6\)"),
        ("depth_to_space", X, {"block_size": 0}, ValueError, r"block_size \(=0\) must be at least 1"),
        ("depth_to_space", X, {"block_size": 1.5}, TypeError, r"block_size \(=1.5\) must be an int"),
        ("depth_to_space", X, {"block_size": (1, 1, 1, 1)}, ValueError, r"block_size \(=\(1, 1, 1, 1\)\) must be for 1 to 3 spatial axes"),
        ("depth_to_space", X, {"block_size": 1, "order": "RCD"}, ValueError, r"order \(='RCD'\) must be \"DCR\" or \"CRD\""),
        ("space_to_depth", X, {"block_size": 1, "order": None}, ValueError, r"order \(=None\) must be \"DCR\" or \"CRD\""),
        ("space_to_depth", X, {"block_size": 2}, ValueError, r"block_size \(=2\) must divide the spatial axes of x \(shape \(2, 4, 3, 6\)\)"),
        ("space_to_depth", X[0, 0, 0], {"block_size": 2}, ValueError, r"block_size \(=2\) must be for 1 to 0 spatial axes"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(op, x, options, error, message):
    with pytest.raises(error, match=message):
        getattr(jaxcnn, op)(x, **options)
