"""Where there is little or nothing: no examples, one pixel, windows larger than the input, integers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn

KERNEL = jnp.ones((3, 3, 2, 2))
# One array of images with two channels each.
LAYERS = {
    "conv": lambda x: jaxcnn.conv(x, KERNEL, jnp.ones(2)),
    "conv, strided": lambda x: jaxcnn.conv(x, KERNEL, strides=2, padding=1),
    "conv, circular": lambda x: jaxcnn.conv(x, KERNEL, padding="CIRCULAR"),
    "conv, reflected": lambda x: jaxcnn.conv(x, KERNEL, padding="REFLECT"),
    "conv_transpose": lambda x: jaxcnn.conv_transpose(x, KERNEL, strides=2),
    "depthwise_conv": lambda x: jaxcnn.depthwise_conv(x, KERNEL[:, :, :1]),
    "weight_standardized_conv": lambda x: jaxcnn.weight_standardized_conv(x, KERNEL),
    "separable_conv": lambda x: jaxcnn.separable_conv(x, KERNEL[:, :, :1], jnp.ones((1, 1, 2, 3))),
    "conv_local": lambda x: jaxcnn.conv_local(x, jnp.ones((*x.shape[1:3], 3, 3, 2, 1))),
    "conv_local, a bias a position": lambda x: jaxcnn.conv_local(
        x, jnp.ones((*x.shape[1:3], 3, 3, 2, 1)), jnp.ones((*x.shape[1:3], 1))
    ),
    "conv_general_dilated": lambda x: jaxcnn.conv_general_dilated(
        x, KERNEL, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    ),
    "max_pool": lambda x: jaxcnn.max_pool(x, (3, 3), padding="SAME"),
    "min_pool": lambda x: jaxcnn.min_pool(x, (3, 3), padding="SAME"),
    "avg_pool": lambda x: jaxcnn.avg_pool(x, (3, 3), padding="SAME"),
    "sum_pool": lambda x: jaxcnn.sum_pool(x, (3, 3), padding="SAME"),
    "lp_pool": lambda x: jaxcnn.lp_pool(x, 2, (3, 3), padding="SAME"),
    "max_pool_with_indices": lambda x: jaxcnn.max_pool_with_indices(x, (3, 3), padding="SAME")[0],
    "adaptive_avg_pool": lambda x: jaxcnn.adaptive_avg_pool(x, (3, 2)),
    "adaptive_max_pool": lambda x: jaxcnn.adaptive_max_pool(x, (3, 2)),
    "global_avg_pool": jaxcnn.global_avg_pool,
    "global_max_pool": jaxcnn.global_max_pool,
    "layer_norm": jaxcnn.layer_norm,
    "rms_norm": jaxcnn.rms_norm,
    "group_norm": lambda x: jaxcnn.group_norm(x, num_groups=2),
    "instance_norm": jaxcnn.instance_norm,
    "local_response_norm": lambda x: jaxcnn.local_response_norm(x, 3),
    "pad": lambda x: jaxcnn.pad(x, 1, "reflect"),
    "unfold": lambda x: jaxcnn.unfold(x, (3, 3), padding=1),
    "upsample_nearest": lambda x: jaxcnn.upsample_nearest(x, 2),
    "upsample_linear": lambda x: jaxcnn.upsample_linear(x, 2, align_corners=True),
    "depth_to_space": lambda x: jaxcnn.depth_to_space(x, (2, 1)),
    "flatten": jaxcnn.flatten,
    "dropout": lambda x: jaxcnn.dropout(x, 0.5, key=jax.random.key(0)),
    "spatial_dropout": lambda x: jaxcnn.spatial_dropout(x, 0.5, key=jax.random.key(0)),
    "relu": jaxcnn.relu,
    "gelu": jaxcnn.gelu,
    "softmax": jaxcnn.softmax,
}


@pytest.mark.parametrize("name", LAYERS)
def test_no_examples(name):
    """The results have no examples either, and the parameters' gradients are 0."""
    x = jnp.zeros((0, 4, 3, 2))
    y, pull = jax.vjp(LAYERS[name], x)
    assert y.shape[0] == 0
    assert y.shape[1:] == LAYERS[name](jnp.zeros((1, 4, 3, 2))).shape[1:]
    assert pull(y)[0].shape == x.shape


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in ("group_norm", "instance_norm")])
def test_one_pixel(name):
    x = jnp.array([0.5, -2.0]).reshape(1, 1, 1, 2)
    y, pull = jax.vjp(LAYERS[name], x)
    (dx,) = pull(jnp.ones_like(y))
    assert np.all(np.isfinite(y))
    assert np.all(np.isfinite(dx))


@pytest.mark.parametrize("name", ["group_norm", "instance_norm"])
def test_one_pixel_is_its_own_mean(name):
    with pytest.raises(ValueError, match="must hold more than one element"):
        LAYERS[name](jnp.ones((1, 1, 1, 2)))


def test_the_gradients_of_parameters_without_examples_are_0():
    x = jnp.zeros((0, 4, 3, 2))
    dkernel, dbias = jax.grad(lambda k, b: jaxcnn.conv(x, k, b).sum(), (0, 1))(KERNEL, jnp.ones(2))
    np.testing.assert_array_equal(dkernel, jnp.zeros_like(dkernel))
    np.testing.assert_array_equal(dbias, jnp.zeros(2))


EMPTY = {
    "conv": (lambda x, k: jaxcnn.conv(x, k), (0, 3, 2)),
    "conv, strided": (lambda x, k: jaxcnn.conv(x, k, strides=2, padding="VALID"), (0, 1, 2)),
    "conv, padded": (lambda x, k: jaxcnn.conv(x, k, padding=((2, 1), (1, 1))), (1, 3, 2)),
    "conv, causal": (lambda x, k: jaxcnn.conv(x, k, padding="CAUSAL"), (0, 3, 2)),
    "conv, circular": (lambda x, k: jaxcnn.conv(x, k, padding="CIRCULAR"), (0, 3, 2)),
    "conv, input dilated": (lambda x, k: jaxcnn.conv(x, k, input_dilation=2), (0, 5, 2)),
    "conv, to float32": (lambda x, k: jaxcnn.conv(x, k, preferred_element_type=jnp.float32), (0, 3, 2)),
    "depthwise_conv": (lambda x, k: jaxcnn.depthwise_conv(x, k[:, :, :1], padding="VALID"), (0, 1, 2)),
    "conv_transpose": (lambda x, k: jaxcnn.conv_transpose(x, k, strides=2), (0, 6, 2)),
    "conv_transpose, valid": (lambda x, k: jaxcnn.conv_transpose(x, k, strides=2, padding="VALID"), (0, 7, 2)),
    "conv_transpose, padded": (lambda x, k: jaxcnn.conv_transpose(x, k, padding=2), (2, 5, 2)),
    "conv_general_dilated": (
        lambda x, k: jaxcnn.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")),
        (0, 3, 2),
    ),
    "max_pool": (lambda x, k: jaxcnn.max_pool(x, (3, 2)), (0, 2, 2)),
    "max_pool, same": (lambda x, k: jaxcnn.max_pool(x, (3, 2), 2, "SAME"), (0, 2, 2)),
    "min_pool": (lambda x, k: jaxcnn.min_pool(x, (1, 1)), (0, 3, 2)),
    "avg_pool": (lambda x, k: jaxcnn.avg_pool(x, (2, 2), count_include_pad=False, window_dilation=2), (0, 1, 2)),
    "sum_pool": (lambda x, k: jaxcnn.sum_pool(x, (2, 2), 2, ceil_mode=True), (0, 2, 2)),
    "lp_pool": (lambda x, k: jaxcnn.lp_pool(x, 2, (2, 2)), (0, 2, 2)),
    "max_pool_with_indices": (lambda x, k: jaxcnn.max_pool_with_indices(x, (2, 2))[0], (0, 2, 2)),
    "indices": (lambda x, k: jaxcnn.max_pool_with_indices(x, (2, 2))[1].astype(x.dtype), (0, 2, 2)),
}


@pytest.mark.parametrize("dtype", [jnp.float32, pytest.param(jnp.bfloat16, marks=pytest.mark.full)])
@pytest.mark.parametrize("name", EMPTY)
def test_no_positions(name, dtype):
    """Along an empty axis the results are what the padding gives, which is 0, and all gradients are 0."""
    layer, shape = EMPTY[name]
    x, kernel = jnp.zeros((2, 0, 3, 2), dtype), jnp.ones((3, 3, 2, 2), dtype)
    y, pull = jax.vjp(layer, x, kernel)
    assert (y.shape, y.dtype) == ((2, *shape), jnp.float32 if "float32" in name else dtype)
    np.testing.assert_array_equal(y.astype(float), 0)
    dx, dkernel = pull(jnp.ones_like(y))
    assert (dx.shape, dx.dtype, dkernel.dtype) == (x.shape, dtype, dtype)
    np.testing.assert_array_equal(dkernel.astype(float), jnp.zeros(kernel.shape))
    again = jax.jit(jax.grad(lambda k: jnp.sum(jax.grad(lambda k: jnp.sum(layer(x, k) ** 2))(k))))(kernel)
    np.testing.assert_array_equal(again.astype(float), jnp.zeros(kernel.shape))
    there = jax.vmap(layer, (0, None))(x[None], kernel)
    assert there.shape == (1, *y.shape)


def test_a_bias_alone_where_windows_lie_in_the_padding():
    x, kernel, bias = jnp.zeros((0, 3, 2)), jnp.ones((3, 3, 2, 2)), jnp.array([1.0, 2.0])
    y, pull = jax.vjp(lambda b: jaxcnn.conv(x, kernel, b, padding=((2, 2), (1, 1))), bias)
    np.testing.assert_array_equal(y, jnp.broadcast_to(bias, (2, 3, 2)))
    np.testing.assert_array_equal(pull(jnp.ones_like(y))[0], [6, 6])
    there = jaxcnn.conv(jnp.zeros((2, 2, 0, 3)), kernel, bias, dimension_numbers=("NCHW", "HWIO", "NCHW"))
    assert there.shape == (2, 2, 0, 3)


@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_the_references_have_no_positions_either(name):
    x, kernel = jnp.zeros((2, 0, 3, 2)), jnp.ones((3, 3, 2, 2))
    for padding in ("SAME", "VALID", 2, *(("CIRCULAR", "CAUSAL") if name == "conv" else ())):
        found, right = (getattr(ops, name)(x, kernel, padding=padding) for ops in (jaxcnn, jaxcnn.reference))
        np.testing.assert_array_equal(found, right)


def test_batch_norm_wants_examples():
    with pytest.raises(ValueError, match=r"x \(shape \(0, 4, 3, 2\)\) must hold at least one"):
        jaxcnn.batch_norm(jnp.zeros((0, 4, 3, 2)))


X = jnp.ones((1, 2, 3, 1))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: jaxcnn.max_pool(X, (3, 3)),
        lambda: jaxcnn.min_pool(X, (3, 1)),
        lambda: jaxcnn.avg_pool(X, (2, 2), window_dilation=2),
        lambda: jaxcnn.sum_pool(X, (1, 4)),
        lambda: jaxcnn.lp_pool(X, 2, (5, 5), padding=1),
        lambda: jaxcnn.max_pool_with_indices(X, (4, 4), padding=((1, 0), (0, 0))),
        lambda: jaxcnn.conv(X, jnp.ones((3, 3, 1, 1)), padding="VALID"),
        lambda: jaxcnn.depthwise_conv(X, jnp.ones((3, 1, 1, 1)), padding="VALID"),
        lambda: jaxcnn.unfold(X, (3, 3)),
    ],
)
def test_a_window_larger_than_the_padded_input_is_refused(layer):
    with pytest.raises(ValueError, match=r"the window's extent \(=\d\) must not exceed the padded input's \(=\d\)"):
        layer()


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.int8, jnp.uint8])
def test_pools_of_integers(dtype):
    limits = jnp.iinfo(dtype)
    x = jnp.array([[limits.min, limits.max, 3], [limits.min, limits.min, 4]], dtype).reshape(1, 2, 3, 1)
    np.testing.assert_array_equal(jaxcnn.max_pool(x, (2, 1)).ravel(), jnp.array([limits.min, limits.max, 4], dtype))
    np.testing.assert_array_equal(jaxcnn.min_pool(x, (2, 1)).ravel(), jnp.array([limits.min, limits.min, 3], dtype))
    assert jaxcnn.max_pool(x, (2, 2), padding="SAME").dtype == dtype
    assert jaxcnn.global_max_pool(x).item() == limits.max
    y, indices = jaxcnn.max_pool_with_indices(x, (2, 3))
    assert (y.item(), indices.item()) == (limits.max, 1)


@pytest.mark.parametrize("layer", [jaxcnn.avg_pool, jaxcnn.sum_pool])
def test_averages_of_integers_are_refused(layer):
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        layer(jnp.ones((1, 2, 2, 1), jnp.int32), (2, 2))
