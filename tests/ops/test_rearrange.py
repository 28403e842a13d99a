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
        ("space_to_depth", X, {"block_size": 2}, ValueError, r"block_size \(=2\) must divide the spatial axes of x \(shape \(2, 4, 3, 6\)\)"),
        ("space_to_depth", X[0, 0, 0], {"block_size": 2}, ValueError, r"block_size \(=2\) must be for 1 to 0 spatial axes"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(op, x, options, error, message):
    with pytest.raises(error, match=message):
        getattr(jaxcnn, op)(x, **options)
