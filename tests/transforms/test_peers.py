"""Networks of flax, equinox, haiku and keras, unchanged, before and after `accelerate`."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcnn
from jaxcnn.benchmark.peers import PEERS, Peer, keras_network, loss_of
from tests.transforms.pattern_checks import distance

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:scatter inputs have incompatible types:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning"),
]
IMAGES = np.random.default_rng(0).standard_normal((2, 32, 32, 3))
LABELS = jnp.array([3, 7])
SMALL = [peer for peer in PEERS if peer.is_small]
# Without the statistics of a batch of two, whose variance of two numbers magnifies rounding up to a million times.
WITHOUT_BATCH = [
    Peer(f"keras {name}", keras_network(name, train=False), is_small=False)
    for name in ("MobileNetV2", "EfficientNetB0", "ConvNeXtTiny", "ResNet50")
]


def named(peers, full=()):
    return [pytest.param(peer, id=peer.name, marks=[pytest.mark.full] if peer in full else []) for peer in peers]


def made(peer, dtype):
    """Return the parameters, the loss of them, and the images, all in a dtype."""
    images = jnp.asarray(IMAGES, dtype)
    params, apply = peer.make(jax.random.key(0), images)
    params = jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, params)
    loss = loss_of(apply)
    return params, lambda params, images=images: loss(params, images, LABELS), images


@pytest.mark.parametrize("peer", named([*PEERS[:6], *WITHOUT_BATCH], full=[PEERS[5], *WITHOUT_BATCH]))
def test_outputs_and_gradients_in_float64(peer):
    with jax.enable_x64(True):
        params, loss, _ = made(peer, jnp.float64)
        reports = []
        fast = jaxcnn.accelerate(loss, report=reports.append)
        value, gradients = jax.jit(jax.value_and_grad(fast))(params)
        right, right_gradients = jax.jit(jax.value_and_grad(loss))(params)
        assert abs(value - right) < 1e-10 * abs(right)
        assert distance(gradients, right_gradients) < 1e-10
        inside = jaxcnn.accelerate(jax.value_and_grad(loss), report=reports.append)
        assert distance(jax.jit(inside)(params)[1], right_gradients) < 1e-10
    assert all(report.share >= 0.99 for report in reports)
    assert len(reports) == 2


@pytest.mark.full
@pytest.mark.parametrize("peer", named([peer for peer in PEERS if peer.name.startswith(("keras", "haiku"))]))
def test_gradients_of_training_are_as_near_as_the_network_allows(peer):
    with jax.enable_x64(True):
        params, loss, images = made(peer, jnp.float64)
        gradient = jax.jit(jax.grad(loss))
        right = gradient(params)
        one_ulp = distance(gradient(params, images * (1 + 4e-16 * jnp.sign(images))), right)
        assert distance(jax.jit(jax.grad(jaxcnn.accelerate(loss)))(params), right) < max(1e-10, 30 * one_ulp)


@pytest.mark.parametrize("peer", named(SMALL, full=[peer for peer in SMALL if "linen" not in peer.name]))
def test_training_has_the_same_curve(peer):
    params, loss, _ = made(peer, jnp.float32)
    optimizer = optax.sgd(1e-2, momentum=0.9)

    def curve(loss):
        def step(carry, _):
            params, state = carry
            value, gradients = jax.value_and_grad(loss)(params)
            updates, state = optimizer.update(gradients, state)
            return (optax.apply_updates(params, updates), state), value

        return jax.jit(lambda params: jax.lax.scan(step, (params, optimizer.init(params)), length=20)[1])(params)

    plain = curve(loss)
    assert plain[-1] < plain[0]
    np.testing.assert_allclose(curve(jaxcnn.accelerate(loss)), plain, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("peer", named([peer for peer in SMALL if "CNN" in peer.name]))
def test_products_with_the_hessian(peer):
    with jax.enable_x64(True):
        params, loss, _ = made(peer, jnp.float64)

        def product(loss):
            return jax.jit(lambda params: jax.jvp(jax.grad(loss), (params,), (params,))[1])(params)

        assert distance(product(jaxcnn.accelerate(loss)), product(loss)) < 1e-10


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": (3, 3), "strides": (2, 1), "padding": "SAME"},
        {"kernel_size": (3, 2), "padding": "CIRCULAR"},
        {"kernel_size": (3, 3), "padding": "REFLECT"},
        {"kernel_size": (3, 3), "padding": 1, "kernel_dilation": 2, "feature_group_count": 3},
        {"kernel_size": (3,), "padding": "CAUSAL"},
        {"kernel_size": (2, 3), "padding": ((1, 2), (0, 1)), "input_dilation": (2, 1), "use_bias": False},
    ],
)
def test_conv_of_flax_with_our_function_in_place(options):
    nn = pytest.importorskip("flax.linen")
    x = jnp.asarray(
        np.random.default_rng(1).standard_normal((2, 9, 8, 3)[: len(options["kernel_size"]) + 2]), jnp.float32
    )
    x = x if x.ndim == 4 else x[..., :3]
    conv = functools.partial(nn.Conv, features=6, **options)
    ours, theirs = conv(conv_general_dilated=jaxcnn.conv_general_dilated), conv()
    variables = theirs.init(jax.random.key(0), x)

    def gradients(layer):
        return jax.jit(jax.grad(lambda v, x: jnp.sum(jnp.sin(layer.apply(v, x))), (0, 1)))(variables, x)

    assert jax.tree.map(jnp.shape, ours.init(jax.random.key(0), x)) == jax.tree.map(jnp.shape, variables)
    np.testing.assert_allclose(ours.apply(variables, x), theirs.apply(variables, x), atol=1e-5)
    assert distance(gradients(ours), gradients(theirs)) < 4e-6
