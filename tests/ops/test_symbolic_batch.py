"""Layers are exported once for a batch of any size and for every platform, and compute what the plain call does."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

import jaxcnn
from jaxcnn.gradcheck.cases import CASES
from jaxcnn.models import lenet
from tests.ops import batched_cases
from tests.ops.batched_cases import BATCHED, FIRST, Numbers, difference, operand_axes
from tests.ops.batches import with_batch
from tests.ops.mesh_networks import PLAIN, curvature_of, gradients_of, plain_loss
from tests.ops.symbolic_programs import PLATFORMS, exported, symbols

BATCHES = (1, 3, 64)
RTOL = 4e-6  # float32, of algorithms that sum in other orders


def check_case(case, order, batches):
    """Check an order of derivatives of a case for batches of several sizes."""
    count = 4 if order is batched_cases.second_order else 3
    any_size = with_batch(case, batches[0], rows=1)
    axes = jax.tree.map(lambda axis: -1 if axis is None else axis, operand_axes(case), is_leaf=lambda a: a is None)
    program = exported(functools.partial(order, any_size), Numbers(any_size).operands()[:count], axes[:count])
    for batch in batches:
        sized = with_batch(case, batch, rows=1)
        operands = Numbers(sized).operands()[:count]
        right = jax.jit(functools.partial(order, sized))(*operands)
        for what, a, b in zip(("results", "gradients", "second"), program.call(*operands), right, strict=False):
            assert difference(a, b) <= RTOL, f"{case.name}, {batch} images, {what}: {difference(a, b):.1e}"


@pytest.mark.parametrize("name", FIRST)
def test_one_layer_an_algorithm(name):
    (case,) = (case for case in BATCHED if case.name == name)
    check_case(case, batched_cases.first_order, (3,))


@pytest.mark.full
@pytest.mark.parametrize("case", BATCHED, ids=lambda case: case.name)
def test_every_layer_to_the_second_order(case):
    one_is_refused = case.name.startswith("batch_norm no spatial axis")  # of which one example is its own mean
    check_case(case, batched_cases.second_order, BATCHES[1:] if one_is_refused else BATCHES)


WIDE = {
    "3x3, 32 to 32 channels": ((20, 20, 32), (3, 3, 32, 32), {}),
    "3x3, 64 to 64 channels, of 8x8": ((8, 8, 64), (3, 3, 64, 64), {}),
    "3x3, 3 to 32 channels": ((12, 12, 3), (3, 3, 3, 32), {}),
    "images smaller than the window": ((2, 2, 16), (3, 3, 16, 16), {}),
    "groups": ((8, 8, 32), (3, 3, 8, 32), {"feature_group_count": 4}),
}


@pytest.mark.parametrize("name", WIDE)
def test_convolutions_whose_algorithm_depends_on_the_batch(name):
    """Where the table asks how many images there are, a symbol takes what is right for any number."""
    image, kernel_shape, options = WIDE[name]

    def layer(x, kernel):
        return jaxcnn.conv(x, kernel, **options)

    def everything(x, kernel, g):
        y, pull = jax.vjp(layer, x, kernel)
        return y, *pull(g)

    def operands(batch):
        rng = np.random.default_rng(0)
        x, kernel = (rng.standard_normal(shape).astype(np.float32) for shape in ((batch, *image), kernel_shape))
        return x, kernel, rng.standard_normal((*x.shape[:-1], kernel.shape[-1])).astype(np.float32)

    program = exported(everything, operands(1), (0, -1, 0))
    for batch in BATCHES:
        given = operands(batch)
        for a, b in zip(program.call(*given), jax.jit(everything)(*given), strict=True):
            assert difference([a], [b]) <= RTOL


NETWORKS = {
    "accelerated": jaxcnn.accelerate(plain_loss),
    "gradient of the accelerated": gradients_of(jaxcnn.accelerate(plain_loss)),
    "accelerated gradient": jaxcnn.accelerate(gradients_of(plain_loss)),
    "curvature of the accelerated": curvature_of(jaxcnn.accelerate(plain_loss)),
    "in a loop": gradients_of(
        jaxcnn.accelerate(lambda *args: lax.scan(lambda total, _: (total + plain_loss(*args), None), 0.0, None, 2)[0])
    ),
}


QUICK = ("accelerated", "accelerated gradient")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.full]) for name in NETWORKS]
)
def test_a_plain_network_that_is_accelerated(name):
    fn, (params, images, labels) = NETWORKS[name], PLAIN
    program = exported(fn, PLAIN, ([-1] * len(params), 0, 0))
    for batch in BATCHES:
        given = params, jnp.resize(images, (batch, *images.shape[1:])), jnp.resize(labels, (batch,))
        for a, b in zip(*map(jax.tree.leaves, (program.call(*given), jax.jit(fn)(*given))), strict=True):
            assert difference([a], [b]) <= 4 * RTOL


def test_a_report_of_a_symbolic_batch():
    found = []
    fn = jaxcnn.accelerate(gradients_of(plain_loss), report=found.append)
    params, *_ = PLAIN
    export.export(jax.jit(fn), platforms=PLATFORMS)(*symbols(PLAIN, ([-1] * len(params), 0, 0)))
    (report,) = found
    assert 0 < report.share <= 1
    assert "b,16,16,3" in str(report)


def test_an_explanation_of_a_symbolic_batch():
    x, kernel = symbols((np.zeros((1, 20, 20, 32), np.float32), np.zeros((3, 3, 32, 32), np.float32)), (0, -1))
    assert "b,20,20,32" in str(jaxcnn.explain(jaxcnn.conv, x, kernel, platform="cpu"))


def test_a_network_of_ours():
    model = lenet()
    params, _ = model.init(jax.random.key(0), (28, 28, 1))

    def loss(params, x, labels):
        logits, _ = model.apply(params, {}, x, train=True)
        return jnp.mean(jaxcnn.softmax_cross_entropy_with_integer_labels(logits, labels))

    fn = jax.value_and_grad(loss)
    images, labels = np.ones((1, 28, 28, 1), np.float32), np.zeros(1, np.int32)
    program = exported(fn, (params, images, labels), (jax.tree.map(lambda a: -1, params), 0, 0))
    rng = np.random.default_rng(0)
    for batch in BATCHES:
        given = (
            params,
            rng.standard_normal((batch, 28, 28, 1)).astype(np.float32),
            np.arange(batch, dtype=np.int32) % 10,
        )
        for a, b in zip(*map(jax.tree.leaves, (program.call(*given), jax.jit(fn)(*given))), strict=True):
            assert difference([a], [b]) <= 4 * RTOL


WITH_POSITIONS = {case.op: case for case in reversed(CASES) if len(case.inputs[0].shape) >= 3}
WORK = {"flatten", "dense", "bias_add", "relu", "gelu", "batch_norm", "layer_norm", "softmax", "dropout"}


@pytest.mark.parametrize("op", WITH_POSITIONS)
def test_a_symbol_along_a_spatial_axis_works_or_is_our_error(op):
    x, *others = (jax.ShapeDtypeStruct(a.shape, a.dtype) for a in WITH_POSITIONS[op].args(jnp.float32))
    (h,) = export.symbolic_shape("h")
    x = jax.ShapeDtypeStruct((*x.shape[:-2], h, x.shape[-1]), x.dtype)
    message = ""
    try:
        export.export(jax.jit(WITH_POSITIONS[op].manual))(x, *others)
    except ValueError as error:
        message = str(error)
    asked = ("have static sizes along all axes but those of the batch", "divide", "equal", "broadcast", "have the pos")
    assert not message or (op not in WORK and re.search(rf"must ({'|'.join(asked)})", message))
