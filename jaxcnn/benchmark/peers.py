"""Networks written with other libraries, for `jaxcnn.accelerate`: nothing in them knows of this package.

flax (linen and nnx) and equinox have layers only, so their networks are put together here as their users would; those
of haiku and keras are the libraries' own. All are in training mode: batch norms take the statistics of the batch, and
the averages that they would keep are dropped. What a library holds in its own way becomes a pytree of arrays.
"""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn._extras import import_extra

EXTRA = "test"  # of this package, which installs the libraries
WIDTHS = (32, 64, 128)  # of the networks that are put together here
Apply = Callable[[Any, jax.Array], jax.Array]


class Peer(NamedTuple):
    """A network of another library.

    Attributes:
      name: the library and the network.
      make: from a key and images `[N, H, W, 3]` to parameters, a tree, and `logits = apply(params, images)`, `[N, 10]`.
      is_small: whether a step of it is cheap.
    """

    name: str
    make: Callable[[jax.Array, jax.Array], tuple[Any, Apply]]
    is_small: bool


def import_library(name: str) -> ModuleType:
    """Import a library of these networks: the first word of their names.

    Raises:
      ModuleNotFoundError: it is not installed; the message says how to install it.
    """
    os.environ["KERAS_BACKEND"] = "jax"  # read where keras is imported first
    return import_extra(name, EXTRA)


def loss_of(apply: Apply) -> Callable[[Any, jax.Array, jax.Array], jax.Array]:
    """Return the mean cross entropy of a network, `loss(params, images, labels)`."""

    def loss(params: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
        log_p = jax.nn.log_softmax(apply(params, images))
        return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=1))

    return loss


def _linen_cnn(key: jax.Array, images: jax.Array) -> tuple[Any, Apply]:
    nn = import_extra("flax.linen", EXTRA)

    class CNN(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.relu(nn.Conv(WIDTHS[0], (3, 3))(x))
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
            x = nn.relu(nn.Conv(WIDTHS[1], (3, 3))(x))
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
            x = nn.relu(nn.Dense(128)(x.reshape(x.shape[0], -1)))
            return nn.Dense(10)(x)

    model = CNN()
    return model.init(key, images), model.apply


def _linen_resnet(key: jax.Array, images: jax.Array) -> tuple[Any, Apply]:
    nn = import_extra("flax.linen", EXTRA)

    class Block(nn.Module):
        width: int
        stride: int

        @nn.compact
        def __call__(self, x: Any) -> Any:
            y = nn.Conv(self.width, (3, 3), self.stride, use_bias=False)(x)
            y = nn.relu(nn.BatchNorm(use_running_average=False)(y))
            y = nn.BatchNorm(use_running_average=False)(nn.Conv(self.width, (3, 3), use_bias=False)(y))
            if x.shape != y.shape:
                x = nn.BatchNorm(use_running_average=False)(nn.Conv(self.width, (1, 1), self.stride)(x))
            return nn.relu(x + y)

    class ResNet(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.max_pool(nn.Conv(WIDTHS[0], (7, 7), 2)(x), (3, 3), (2, 2), "SAME")
            for stage, width in enumerate(WIDTHS):
                x = Block(width, 2 if stage else 1)(x)
            return nn.Dense(10)(jnp.mean(x, (1, 2)))

    model = ResNet()
    variables = model.init(key, images)
    averages = variables["batch_stats"]

    def apply(params: Any, images: jax.Array) -> jax.Array:
        return model.apply({"params": params, "batch_stats": averages}, images, mutable=["batch_stats"])[0]

    return variables["params"], apply


def _nnx_cnn(key: jax.Array, images: jax.Array) -> tuple[Any, Apply]:
    nnx = import_extra("flax.nnx", EXTRA)
    side = images.shape[1] // 4

    class CNN(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.conv1 = nnx.Conv(3, WIDTHS[0], (3, 3), rngs=rngs)
            self.conv2 = nnx.Conv(WIDTHS[0], WIDTHS[1], (3, 3), rngs=rngs)
            self.dense1 = nnx.Linear(side * side * WIDTHS[1], 128, rngs=rngs)
            self.dense2 = nnx.Linear(128, 10, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            x = nnx.avg_pool(nnx.relu(self.conv1(x)), (2, 2), strides=(2, 2))
            x = nnx.max_pool(nnx.relu(self.conv2(x)), (2, 2), strides=(2, 2))
            return self.dense2(nnx.relu(self.dense1(x.reshape(x.shape[0], -1))))

    return _of_nnx(nnx, CNN(nnx.Rngs(key)))


def _nnx_resnet(key: jax.Array, images: jax.Array) -> tuple[Any, Apply]:
    del images
    nnx = import_extra("flax.nnx", EXTRA)

    class Unit(nnx.Module):
        def __init__(self, c_in: int, c_out: int, side: int, stride: int, rngs: Any) -> None:
            self.conv = nnx.Conv(c_in, c_out, (side, side), stride, use_bias=False, rngs=rngs)
            self.norm = nnx.BatchNorm(c_out, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            return self.norm(self.conv(x))

    class Block(nnx.Module):
        def __init__(self, c_in: int, c_out: int, stride: int, rngs: Any) -> None:
            self.first = Unit(c_in, c_out, 3, stride, rngs)
            self.second = Unit(c_out, c_out, 3, 1, rngs)
            self.shortcut = Unit(c_in, c_out, 1, stride, rngs)

        def __call__(self, x: Any) -> Any:
            return nnx.relu(self.second(nnx.relu(self.first(x))) + self.shortcut(x))

    class ResNet(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.stem = nnx.Conv(3, WIDTHS[0], (7, 7), 2, rngs=rngs)
            pairs = zip((WIDTHS[0], *WIDTHS), WIDTHS, strict=False)
            self.blocks = nnx.List([Block(a, b, 2 if stage else 1, rngs) for stage, (a, b) in enumerate(pairs)])
            self.head = nnx.Linear(WIDTHS[-1], 10, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            x = nnx.max_pool(self.stem(x), (3, 3), (2, 2), "SAME")
            for block in self.blocks:
                x = block(x)
            return self.head(jnp.mean(x, (1, 2)))

    return _of_nnx(nnx, ResNet(nnx.Rngs(key)))


def _of_nnx(nnx: Any, model: Any) -> tuple[Any, Apply]:
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    return params, lambda params, images: nnx.merge(graph, params, rest, copy=True)(images)


def _haiku(name: str) -> Callable[[jax.Array, jax.Array], tuple[Any, Apply]]:
    def make(key: jax.Array, images: jax.Array) -> tuple[Any, Apply]:
        hk = import_extra("haiku", EXTRA)

        def forward(images: jax.Array) -> jax.Array:
            return getattr(hk.nets, name)(num_classes=10)(images, is_training=True)

        model = hk.transform_with_state(forward)
        params, state = model.init(key, images)
        return params, lambda params, images: model.apply(params, state, None, images)[0]

    return make


def _equinox_cnn(key: jax.Array, images: jax.Array) -> tuple[Any, Apply]:
    eqx = import_extra("equinox", EXTRA)
    keys = jax.random.split(key, 4)
    features = WIDTHS[2] * (images.shape[1] // 8) ** 2
    model = eqx.nn.Sequential(
        [
            eqx.nn.Conv2d(3, WIDTHS[0], 3, padding=1, key=keys[0]),
            eqx.nn.Lambda(jax.nn.relu),
            eqx.nn.MaxPool2d(2, 2),
            eqx.nn.Conv2d(WIDTHS[0], WIDTHS[1], 3, padding=1, key=keys[1]),
            eqx.nn.GroupNorm(8, WIDTHS[1]),
            eqx.nn.Lambda(jax.nn.relu),
            eqx.nn.AvgPool2d(2, 2),
            eqx.nn.Conv2d(WIDTHS[1], WIDTHS[2], 3, stride=2, padding=1, groups=4, key=keys[2]),
            eqx.nn.Lambda(jax.numpy.ravel),
            eqx.nn.Linear(features, 10, key=keys[3]),
        ]
    )
    params, static = eqx.partition(model, eqx.is_array)

    def apply(params: Any, images: jax.Array) -> jax.Array:
        return jax.vmap(eqx.combine(params, static))(images.transpose(0, 3, 1, 2))

    return params, apply


def keras_network(name: str, *, train: bool = True) -> Callable[[jax.Array, jax.Array], tuple[Any, Apply]]:
    """Return what makes a network of `keras.applications`; without `train`, its batch norms take kept averages."""

    def make(key: jax.Array, images: jax.Array) -> tuple[Any, Apply]:
        keras = import_library("keras")
        keras.utils.set_random_seed(int(jax.random.randint(key, (), 0, 2**31 - 1)))
        keras.config.set_floatx(images.dtype.name)
        keras.config.set_dtype_policy(images.dtype.name)
        if images.dtype == jnp.float64:  # which keras on JAX makes float32 of in its batch norms
            import_extra("keras.src.backend.common.dtypes", EXTRA).BIT64_TO_BIT32_DTYPE["float64"] = "float64"
        build = getattr(keras.applications, name)
        model = build(weights=None, input_shape=images.shape[1:], classes=10, classifier_activation=None)
        state = [variable.value for variable in model.non_trainable_variables]

        def apply(params: Any, images: jax.Array) -> jax.Array:
            return model.stateless_call(params, state, images, training=train)[0]

        return [variable.value for variable in model.trainable_variables], apply

    return make


PEERS = (
    Peer("flax linen CNN", _linen_cnn, is_small=True),
    Peer("flax linen ResNet", _linen_resnet, is_small=True),
    Peer("flax nnx CNN", _nnx_cnn, is_small=True),
    Peer("flax nnx ResNet", _nnx_resnet, is_small=True),
    Peer("equinox CNN", _equinox_cnn, is_small=True),
    Peer("haiku ResNet18", _haiku("ResNet18"), is_small=False),
    Peer("haiku MobileNetV1", _haiku("MobileNetV1"), is_small=False),
    Peer("keras MobileNetV2", keras_network("MobileNetV2"), is_small=False),
    Peer("keras EfficientNetB0", keras_network("EfficientNetB0"), is_small=False),
    Peer("keras ConvNeXtTiny", keras_network("ConvNeXtTiny"), is_small=False),
    Peer("keras ResNet50", keras_network("ResNet50"), is_small=False),
)
