import math

import jax
import numpy as np
import pytest

import jaxcnn
import jaxcnn.models
from jaxcnn.benchmark import parts, plain
from jaxcnn.benchmark.measure import relative_error
from jaxcnn.benchmark.networks import CONVNEXT_DEPTHS, CONVNEXT_DIMS, NETWORKS

NAMES = {network.name: network for network in NETWORKS}
BLOCK = [dim * (49 + 1) + 2 * dim + dim * 4 * dim + 4 * dim + 4 * dim * dim + dim + dim for dim in CONVNEXT_DIMS]
DOWN = [4 * c_in * c_out + c_out for c_in, c_out in zip((3, *CONVNEXT_DIMS), CONVNEXT_DIMS, strict=False)]
PARAMETERS = {
    "LeNet": 832 + 51264 + 401536 + 1290,
    "ResNet-18": 11_173_962,  # as commonly reported for the variant for 32x32 with ten classes
    "MobileNetV2": 2_296_922,  # likewise
    "ConvNeXt": sum(depth * block for depth, block in zip(CONVNEXT_DEPTHS, BLOCK, strict=True))
    + sum(DOWN)
    + 2 * (40 + 40 + 80 + 160)
    + 2 * 320
    + 3210,
}


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
def test_parameters_are_as_many_as_they_should_be(network):
    assert network.count() == PARAMETERS[network.name]
    params = jax.eval_shape(network.init, jax.random.key(0))
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == network.count()


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
@pytest.mark.parametrize("ops", [jaxcnn.ops, jaxcnn.reference], ids=["manual", "reference"])
def test_a_step_returns_what_it_was_given_and_a_loss(network, ops):
    args = jax.eval_shape(lambda: parts.network_args(network, "step"))
    params, opt_state, loss = jax.eval_shape(parts.step_function(network, ops), *args)
    same = jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype), (params, opt_state), tuple(args[:2]))
    assert all(jax.tree.leaves(same))
    assert loss.shape == ()
    assert args[2].shape == (network.batch, *network.image)


def test_lenet_is_the_one_of_the_package():
    params, _ = jax.eval_shape(lambda: jaxcnn.models.lenet().init(jax.random.key(0), (28, 28, 1)))
    ours = jax.eval_shape(NAMES["LeNet"].init, jax.random.key(0))
    assert jax.tree.map(lambda leaf: leaf.shape, params) == jax.tree.map(lambda leaf: leaf.shape, ours)


@pytest.mark.parametrize("part", ["step", "hvp"])
def test_both_sides_agree_on_lenet(part):
    args = parts.network_args(NAMES["LeNet"], part, batch=2)
    make = parts.NETWORK_PARTS[part]
    manual, auto = (jax.jit(make(NAMES["LeNet"], ops))(*args) for ops in (jaxcnn.ops, jaxcnn.reference))
    assert relative_error(manual, auto, as_whole=True) <= 4e-6
    if part == "step":
        assert 0.1 < float(manual[2]) < 10  # the random parameters keep the size of activations


def test_a_product_with_the_hessian_is_the_derivative_of_the_gradient():
    network = NAMES["LeNet"]
    params, tangents, images, labels = parts.network_args(network, "hvp", batch=2)
    gradient = jax.grad(parts.loss_function(network, jaxcnn.reference))
    expected = jax.jit(lambda p, v: jax.jvp(lambda p: gradient(p, images, labels), (p,), (v,))[1])(params, tangents)
    product = jax.jit(parts.hvp_function(network, jaxcnn.ops))(params, tangents, images, labels)
    assert relative_error(product, expected, as_whole=True) <= 4e-6


@pytest.mark.full
@pytest.mark.parametrize("name", ["ResNet-18", "MobileNetV2", "ConvNeXt"])
def test_both_sides_agree_on_every_network(name):
    """In float64: in float32 the batch norms of two images magnify rounding, in MobileNetV2 to 1e-3."""
    args = parts.network_args(NAMES[name], "step", batch=2)
    with jax.enable_x64(True):
        args = jax.tree.map(lambda x: x.astype("float64") if x.dtype == "float32" else x, args)
        manual, auto = (jax.jit(parts.step_function(NAMES[name], ops))(*args) for ops in (jaxcnn.ops, jaxcnn.reference))
    assert relative_error(manual, auto, as_whole=True) <= 1e-12


def test_norms_are_those_of_the_definition():
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 6)).astype(np.float32) * 3 + 1
    scale, bias = np.arange(1, 7, dtype=np.float32), np.arange(6, dtype=np.float32)
    for norm, axes, epsilon in ((plain.batch_norm, (0, 1, 2), 1e-5), (plain.layer_norm, (3,), 1e-6)):
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        expected = (x - mean) / np.sqrt(variance + epsilon) * scale + bias
        assert relative_error(norm(x, scale, bias), expected) <= 4e-6
