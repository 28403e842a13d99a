"""Runs networks, and layers with several batch axes, split over four devices, and compares with one; a script.

Printed is a line of JSON for each: the largest difference to what one device computes, and the names of the
collectives in the program. With the argument "quick" each kind of them is run, but not on every kind of mesh.
"""

import functools
import json
import sys
import traceback

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import jaxcnn
from jaxcnn.models import lenet
from jaxcnn.training import init_train_state, make_train_step
from tests.ops.batched_cases import difference
from tests.ops.mesh_programs import compiled, mesh_of

LAYOUT = ("NHWC", "HWIO", "NHWC")
WHOLE, SPLIT = PartitionSpec(), PartitionSpec("b")


def drawn(*shapes):
    """Return arrays of normally distributed numbers."""
    rng = np.random.default_rng(0)
    return [jnp.asarray(0.3 * rng.standard_normal(shape), jnp.float32) for shape in shapes]


def plain_losses(params, x, labels):
    """Return the losses of a network of plain JAX, one an example."""
    first, bias, depthwise, second, transposed, dense = params
    conv = functools.partial(lax.conv_general_dilated, dimension_numbers=LAYOUT)
    x = jax.nn.gelu(conv(x, first, (1, 1), "SAME") + bias.reshape(1, 1, 1, -1), approximate=False)
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jax.nn.relu(conv(x, depthwise, (1, 1), "SAME", feature_group_count=8))
    x = conv(x, second, (2, 2), "SAME", feature_group_count=2)
    x = conv(x, transposed, (1, 1), ((1, 2), (1, 2)), lhs_dilation=(2, 2))
    x = lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 1, 1, 1), "SAME")
    logits = jax.nn.log_softmax(x.reshape(x.shape[0], -1) @ dense)
    return -jnp.sum(logits * jax.nn.one_hot(labels, 10), -1)


def plain_loss(params, x, labels):
    return jnp.mean(plain_losses(params, x, labels))


def gradients_of(loss):
    return lambda params, x, labels: jax.value_and_grad(loss, (0, 1))(params, x, labels)


def curvature_of(loss):
    def along(params, x, labels):
        return functools.reduce(
            jnp.add, [jnp.sum(jnp.sin(a)) for a in jax.tree.leaves(jax.grad(loss, (0, 1))(params, x, labels))]
        )

    return lambda params, x, labels: jax.grad(along, (0, 1))(params, x, labels)


def step(params, x, labels):
    """Return the loss of a LeNet and its parameters after a step of training."""
    taken = make_train_step(lenet(), jaxcnn.softmax_cross_entropy_with_integer_labels, optax.sgd(0.1))
    state, metrics = taken(init_train_state(params, {}, optax.sgd(0.1)), x, labels, jax.random.key(1))
    return metrics["loss"], state.params


def shared_statistics(x, scale, bias, weights):
    """Return what batch_norm gives with the statistics of all devices, and gradients, inside shard_map."""

    def objective(x, scale, bias):
        y, mean, variance = jaxcnn.batch_norm(x, scale, bias, axis_name="b")
        return lax.psum(jnp.sum(y * weights), "b"), (y, mean, variance)

    return jax.value_and_grad(objective, (0, 1, 2), has_aux=True)(x, scale, bias)


def whole_statistics(x, scale, bias, weights):
    """Return the same on one device."""

    def objective(x, scale, bias):
        found = jaxcnn.batch_norm(x, scale, bias)
        return jnp.sum(found[0] * weights), found

    return jax.value_and_grad(objective, (0, 1, 2), has_aux=True)(x, scale, bias)


def all_of(layer):
    """Return the value and the gradients of a layer."""

    def objective(*arrays):
        y = layer(*arrays)
        return jnp.sum(jnp.sin(y)), y

    return lambda *arrays: jax.value_and_grad(objective, range(len(arrays)), has_aux=True)(*arrays)


SHAPES = ((3, 3, 3, 8), (8,), (3, 3, 1, 8), (3, 3, 4, 16), (3, 3, 16, 16), (8 * 8 * 16, 10))
IMAGES, LABELS = drawn((8, 16, 16, 3))[0], jnp.arange(8, dtype=jnp.int32)
PLAIN = (drawn(*SHAPES), IMAGES, LABELS)
DIGITS = (lenet().init(jax.random.key(0), (28, 28, 1))[0], drawn((8, 28, 28, 1))[0], LABELS)
NETWORKS = {
    "plain, accelerated": (jaxcnn.accelerate(plain_loss), PLAIN),
    "gradient of the accelerated": (gradients_of(jaxcnn.accelerate(plain_loss)), PLAIN),
    "accelerated gradient": (jaxcnn.accelerate(gradients_of(plain_loss)), PLAIN),
    "curvature of the accelerated": (curvature_of(jaxcnn.accelerate(plain_loss)), PLAIN),
    "step of a LeNet": (step, DIGITS),
}
WEIGHTED = drawn((4, 8, 6, 5, 2))[0]
SEVERAL = {
    "conv": (lambda x, kernel: jaxcnn.conv(x, kernel), ((3, 2, 2, 3),)),
    "conv, channels in groups": (lambda x, k: jaxcnn.conv(x, k, feature_group_count=2, strides=2), ((3, 2, 1, 4),)),
    "max_pool": (lambda x: jaxcnn.max_pool(x, (2, 2), 2), ()),
    "dense": (lambda x, kernel, bias: jaxcnn.dense(x, kernel, bias), ((2, 3), (3,))),
    "adaptive_max_pool": (lambda x: jaxcnn.adaptive_max_pool(x, (4, 3)), ()),
    "global_avg_pool": (lambda x: jaxcnn.global_avg_pool(x, spatial_rank=2), ()),
    "running_statistics": (lambda x, m, v: jnp.stack(jaxcnn.running_statistics(m, v, x, x * x, count=3)), ((2,), (2,))),
}
PLACES = {  # of the mesh's axes among the batch axes of `WEIGHTED`
    "the first": ((4,), ("b",), PartitionSpec("b")),
    "the second": ((4,), ("b",), PartitionSpec(None, "b")),
    "both": ((2, 2), ("a", "b"), PartitionSpec("a", "b")),
    "the first, by both axes": ((2, 2), ("a", "b"), PartitionSpec(("b", "a"))),
}


def tell(name, run):
    """Print what `run` finds: the results, the right ones, and the collectives."""
    try:
        found, right, collectives = run()
        leaves = (jax.tree.leaves(tree) for tree in (found, right))
        line = [[difference([a], [b]) for a, b in zip(*leaves, strict=True)], collectives]
    except Exception:
        line = [traceback.format_exc(limit=-3), []]
    sys.stdout.write(json.dumps({"name": name, "found": line}) + "\n")


def network(kind, fn, args):
    """Return what a network gives on a mesh, and on one device."""
    mesh = mesh_of(kind)
    split = NamedSharding(mesh, SPLIT)
    params, *examples = args
    with jax.set_mesh(mesh):
        placed = jax.device_put(params, NamedSharding(mesh, WHOLE)), *(jax.device_put(a, split) for a in examples)
        found, collectives = compiled(fn, placed)
    return found, jax.jit(fn)(*args), collectives


def several_batch_axes(place, layer, shapes):
    """Return what a layer gives for a batch of two axes on an Explicit mesh, and on one device."""
    sizes, names, spec = PLACES[place]
    mesh = jax.make_mesh(sizes, names, axis_types=(AxisType.Explicit,) * len(names))
    rest, fn = drawn(*shapes), all_of(layer)
    with jax.set_mesh(mesh):
        whole = [jax.device_put(a, NamedSharding(mesh, WHOLE)) for a in rest]
        found, collectives = compiled(fn, (jax.device_put(WEIGHTED, NamedSharding(mesh, spec)), *whole))
    return found, jax.jit(fn)(WEIGHTED, *rest), collectives


def statistics(checked):
    """Return what batch_norm gives with statistics of all devices, and with all images on one."""
    args = drawn((8, 3, 2, 4), (4,), (4,), (8, 3, 2, 4))
    specs = (SPLIT, WHOLE, WHOLE, SPLIT)

    def of_device(*args):
        (total, outputs), (dx, *of_parameters) = shared_statistics(*args)
        if not checked:  # psum is its own adjoint there
            dx, of_parameters = dx / 4, [lax.psum(a, "b") / 4 for a in of_parameters]
        return (total, outputs), (dx, *of_parameters)

    made = ((WHOLE, (SPLIT, WHOLE, WHOLE)), (SPLIT, WHOLE, WHOLE))
    mesh = mesh_of(AxisType.Auto)
    mapped = jax.shard_map(of_device, mesh=mesh, in_specs=specs, out_specs=made, check_vma=checked)
    found, collectives = compiled(mapped, args)
    return found, jax.jit(whole_statistics)(*args), collectives


if __name__ == "__main__":
    is_quick = sys.argv[1:] == ["quick"]
    for kind in (AxisType.Explicit, AxisType.Auto)[: 1 if is_quick else 2]:
        for name in ("accelerated gradient", "step of a LeNet") if is_quick else NETWORKS:
            tell(f"{name}, {kind.name}", functools.partial(network, kind, *NETWORKS[name]))
    for checked in (True, False):
        tell(f"statistics of all devices, checked: {checked}", functools.partial(statistics, checked))
    for place in ("both",) if is_quick else PLACES:
        for name, (layer, shapes) in SEVERAL.items():
            tell(f"{name}, batch split along {place}", functools.partial(several_batch_axes, place, layer, shapes))
