"""Networks that float32 cannot decide, before and after `accelerate`, in float64.

Rounding in float32 turns a unit on or off, and then gradients of two right programs differ in their third digit. In
float64 they agree to 1e-10, or as well as a network agrees with itself when its images move by one unit in the last
place, whose batch norms of two images magnify that.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.benchmark.peers import keras_network, loss_of
from tests.transforms.pattern_checks import distance

pytestmark = [
    pytest.mark.full,
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning"),
]
LABELS = jnp.array([3, 7])


def haiku_resnet50(key, images):
    hk = pytest.importorskip("haiku")

    def forward(images):
        head = {"w_init": hk.initializers.VarianceScaling()}  # it is 0 by default
        return hk.nets.ResNet50(num_classes=10, logits_config=head)(images, is_training=True)

    model = hk.transform_with_state(forward)
    params, state = model.init(key, images)
    # Nor is a branch cut off by a scale of 0, as the last one of each block is by default: its gradients would be 0.
    params = jax.tree.map(lambda a: jnp.where(a == 0, 0.1, a), params)
    return params, lambda params, images: model.apply(params, state, None, images)[0]


def unet_3d(key, images):
    nn = pytest.importorskip("flax.linen")

    class UNet(nn.Module):
        @nn.compact
        def __call__(self, x):
            conv = functools.partial(nn.Conv, kernel_size=(3, 3, 3), param_dtype=x.dtype)
            skipped = nn.relu(conv(8)(x))
            x = nn.max_pool(skipped, (2, 2, 2), strides=(2, 2, 2))
            x = nn.relu(conv(16)(x))
            x = nn.ConvTranspose(8, (2, 2, 2), strides=(2, 2, 2), param_dtype=x.dtype)(x)
            x = nn.relu(conv(8)(jnp.concatenate([skipped, x], -1)))
            return nn.Conv(10, (1, 1, 1), param_dtype=x.dtype)(x).mean((1, 2, 3))

    model = UNet()
    return model.init(key, images), model.apply


def conv_lstm(key, images):
    hk = pytest.importorskip("haiku")

    def forward(images):
        frames = jnp.moveaxis(images, 1, 0)
        core = hk.Conv2DLSTM(frames.shape[2:4], 8, 3)
        hidden, _ = hk.dynamic_unroll(core, frames, core.initial_state(frames.shape[1]))
        return hk.Linear(10)(hidden[-1].mean((1, 2)))

    model = hk.without_apply_rng(hk.transform(forward))
    return model.init(key, images), model.apply


def loss_of_critic(params, images):
    """Return the loss of a WGAN's critic with its gradient penalty: a derivative of the images' gradient."""

    def score(images):
        x = images
        for kernel in params["kernels"]:
            x = jax.nn.leaky_relu(jax.lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=NHWC), 0.2)
        return x.reshape(x.shape[0], -1) @ params["head"]

    def norm(gradient):
        return jnp.sqrt(jnp.sum(gradient**2, (1, 2, 3)))

    real, generated = images[:2], images[2:]
    between = 0.3 * real + 0.7 * generated
    penalty = jnp.mean((norm(jax.grad(lambda images: jnp.sum(score(images)))(between)) - 1) ** 2)
    return jnp.mean(score(generated)) - jnp.mean(score(real)) + 10 * penalty


NHWC = ("NHWC", "HWIO", "NHWC")
NETWORKS = {
    "keras Xception": (keras_network("Xception"), (71, 71, 3)),
    "keras DenseNet121": (keras_network("DenseNet121"), (80, 80, 3)),
    "keras InceptionV3": (keras_network("InceptionV3"), (107, 107, 3)),
    "keras MobileNetV3Small": (keras_network("MobileNetV3Small"), (64, 64, 3)),
    "keras EfficientNetV2B0": (keras_network("EfficientNetV2B0"), (64, 64, 3)),
    "haiku ResNet50": (haiku_resnet50, (64, 64, 3)),
    "3-D UNet": (unet_3d, (8, 12, 10, 2)),
    "ConvLSTM": (conv_lstm, (4, 12, 10, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_in_float64(name):
    make, shape = NETWORKS[name]
    with jax.enable_x64(True):
        images = jnp.asarray(np.random.default_rng(0).standard_normal((2, *shape)))
        params, apply = make(jax.random.key(0), images)
        params = jax.tree.map(lambda a: a.astype(jnp.float64), params)
        loss = loss_of(apply)
        gradient = jax.jit(jax.grad(loss))
        right = gradient(params, images, LABELS)
        one_ulp = distance(gradient(params, images * (1 + 4e-16 * jnp.sign(images)), LABELS), right)
        reports = []
        found = jax.jit(jax.grad(jaxcnn.accelerate(loss, report=reports.append)))(params, images, LABELS)
        assert all(np.any(leaf) for leaf in jax.tree.leaves(right))
        assert distance(found, right) < max(1e-10, 30 * one_ulp)
        assert reports[0].share > 0.9


def test_a_gradient_penalty_in_float64():
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(0), 4)
        sizes = ((4, 4, 3, 16), (4, 4, 16, 32))
        kernels = [0.1 * jax.random.normal(key, size) for key, size in zip(keys, sizes, strict=False)]
        params = {"kernels": kernels, "head": 0.1 * jax.random.normal(keys[2], (8 * 8 * 32,))}
        images = jax.random.normal(keys[3], (4, 32, 32, 3))
        right = jax.jit(jax.grad(loss_of_critic))(params, images)
        assert distance(jax.jit(jax.grad(jaxcnn.accelerate(loss_of_critic)))(params, images), right) < 1e-10
        assert distance(jax.jit(jaxcnn.accelerate(jax.grad(loss_of_critic)))(params, images), right) < 1e-10
