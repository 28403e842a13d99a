"""No layer writes out an operation for each tap, bin, group or channel: its program has a bounded length."""

import jax
import jax.extend.core
import jax.numpy as jnp
import pytest

import jaxcnn

MOST_EQUATIONS = 3000  # of a value or of a gradient, with those of all functions, loops and branches inside it
SIZES = (8, 64, 512, 4096)


def pool(name, shape, window, **options):
    """Return a layer and its arrays."""
    return lambda x: getattr(jaxcnn, name)(x, window, **options), (shape,)


def convolution(x, kernel, name="conv", **options):
    """Return a convolution and its arrays."""
    return lambda x, kernel: getattr(jaxcnn, name)(x, kernel, **options), (x, kernel)


def layer(name, shape, *args, **options):
    """Return a layer of one array, with its other arguments."""
    return lambda x: getattr(jaxcnn, name)(x, *args, **options), (shape,)


LAYERS = {
    "max_pool": lambda n: pool("max_pool", (1, 2 * n, 2), (n,), padding="SAME"),
    "max_pool, strided": lambda n: pool("max_pool", (1, 2 * n, 2), (n,), strides=max(n // 3, 1)),
    "max_pool, side by side": lambda n: pool("max_pool", (1, 2 * n, 2), (n,), strides=n),
    "max_pool, dilated": lambda n: pool("max_pool", (1, 4 * n, 2), (n,), strides=2, window_dilation=3),
    "max_pool, two axes": lambda n: pool("max_pool", (1, n + 3, 9, 2), (n, 9)),
    "max_pool_with_indices": lambda n: pool("max_pool_with_indices", (1, n + 3, 9, 2), (n, 9)),
    "min_pool": lambda n: pool("min_pool", (1, 2 * n, 2), (n,)),
    "avg_pool": lambda n: pool("avg_pool", (1, 2 * n, 2), (n,), padding="SAME", count_include_pad=False),
    "sum_pool, dilated": lambda n: pool("sum_pool", (1, 4 * n, 2), (n,), strides=2, window_dilation=3),
    "lp_pool": lambda n: layer("lp_pool", (1, 2 * n, 2), 3, (n,)),
    "lp_pool, inf": lambda n: layer("lp_pool", (1, 2 * n, 2), float("inf"), (n,)),
    "global_max_pool": lambda n: layer("global_max_pool", (2, n, 2, 2)),
    "global_avg_pool": lambda n: layer("global_avg_pool", (2, n, 2, 2)),
    "adaptive_max_pool, many bins": lambda n: pool("adaptive_max_pool", (1, 4 * n + 1, 2), (n,)),
    "adaptive_max_pool, large bins": lambda n: pool("adaptive_max_pool", (1, 7 * n + 1, 2), (7,)),
    "adaptive_max_pool, more bins than elements": lambda n: pool("adaptive_max_pool", (1, 3, 2), (n,)),
    "adaptive_avg_pool, many bins": lambda n: pool("adaptive_avg_pool", (1, 4 * n + 1, 2), (n,)),
    "adaptive_avg_pool, large bins": lambda n: pool("adaptive_avg_pool", (1, 7 * n + 1, 2), (7,)),
    "adaptive_avg_pool, more bins than elements": lambda n: pool("adaptive_avg_pool", (1, 3, 2), (n,)),
    "conv": lambda n: convolution((1, 2 * n, 2), (n, 2, 2)),
    "conv, two axes": lambda n: convolution((1, n, 9, 2), (n, 9, 2, 8), strides=2),
    "conv, larger than the image": lambda n: convolution((1, n - 1, 8), (n, 8, 8)),
    "conv, dilated input": lambda n: convolution((1, n, 8), (n, 8, 8), input_dilation=2),
    "conv, three axes": lambda n: convolution((1, n, 4, 4, 2), (n, 3, 3, 2, 2)),
    "conv, three axes, long lines": lambda n: convolution((1, 4, 4, n, 2), (3, 3, n, 2, 2)),
    "conv, many groups": lambda n: convolution((1, 8, 8, 2 * n), (3, 3, 2, 2 * n), feature_group_count=n),
    "conv, many wide groups": lambda n: convolution((1, 4, 4, 16 * n), (3, 3, 16, 16 * n), feature_group_count=n),
    "conv, many channels": lambda n: convolution((1, 8, 8, n), (3, 3, n, n)),
    "conv, grouped, many taps": lambda n: convolution((1, n, 160), (n, 2, 160), feature_group_count=80),
    "depthwise": lambda n: convolution((1, 2 * n, 4), (n, 1, 4), feature_group_count=4),
    "depthwise, two axes": lambda n: convolution((1, n, 7, 4), (n, 7, 1, 4), feature_group_count=4),
    "depthwise, strided": lambda n: convolution((1, 2 * n, 4), (n, 1, 4), feature_group_count=4, strides=2),
    "depthwise, many outputs": lambda n: convolution((1, 8, 2), (3, 1, 2 * n), feature_group_count=2),
    "depthwise, many channels": lambda n: convolution((1, 8, n), (3, 1, n), feature_group_count=n),
    "depthwise_conv": lambda n: convolution((1, 2 * n, 4), (n, 1, 4), "depthwise_conv"),
    "weight_standardized_conv": lambda n: convolution((1, 2 * n, 2), (n, 2, 2), "weight_standardized_conv"),
    "conv_transpose": lambda n: convolution((1, n, 2), (n, 2, 2), "conv_transpose", strides=2),
    "conv_transpose, three axes, two groups": lambda n: convolution(
        (1, 4, 4, n, 2), (2, 3, n, 1, 2), "conv_transpose", strides=2, feature_group_count=2, kernel_dilation=2
    ),
    "conv_local": lambda n: convolution((1, n + 3, 2), (4, n, 2, 2), "conv_local", padding="VALID"),
    "local_response_norm": lambda n: layer("local_response_norm", (1, 2 * n), n),
    "unfold": lambda n: pool("unfold", (1, n + 7, 2), (n,)),
    "fold": lambda n: layer("fold", (1, 8, 2 * n), (n + 7,), (n,)),
    "pad": lambda n: layer("pad", (1, n + 1, 2), ((n, n),), "reflect"),
    "upsample_linear": lambda n: layer("upsample_linear", (1, 5, 2), n),
    "upsample_nearest": lambda n: layer("upsample_nearest", (1, 5, 2), n),
    "depth_to_space": lambda n: layer("depth_to_space", (1, 2, 2, 4 * n), 2),
    "space_to_depth": lambda n: layer("space_to_depth", (1, 2 * n, 2, 2), 2),
    "group_norm": lambda n: layer("group_norm", (2, 3, n), jnp.ones(n), jnp.ones(n), num_groups=n),
    "instance_norm": lambda n: layer("instance_norm", (2, 3, n), jnp.ones(n), jnp.ones(n)),
    "layer_norm": lambda n: layer("layer_norm", (2, n), jnp.ones(n), jnp.ones(n)),
    "rms_norm": lambda n: layer("rms_norm", (2, n), jnp.ones(n)),
    "softmax": lambda n: layer("softmax", (2, n)),
    "log_softmax": lambda n: layer("log_softmax", (2, n)),
    "glu": lambda n: layer("glu", (2, 2 * n)),
}


def equations(jaxpr):
    """Return how many equations a jaxpr has, those of the jaxprs inside it too."""
    inner = (jax.extend.core.jaxprs_in_params(equation.params) for equation in jaxpr.eqns)
    return len(jaxpr.eqns) + sum(equations(one) for jaxprs in inner for one in jaxprs)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_traces_to_a_bounded_number_of_equations(name):
    for size in SIZES:
        function, shapes = LAYERS[name](size)
        arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]

        def total(*arrays, function=function):
            return sum(jnp.sum(y) for y in jax.tree.leaves(function(*arrays)) if jnp.issubdtype(y.dtype, jnp.floating))

        gradient = jax.grad(total, tuple(range(len(arrays))))
        for what in (function, gradient):
            assert equations(jax.make_jaxpr(what)(*arrays).jaxpr) <= MOST_EQUATIONS, size
