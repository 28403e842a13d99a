"""The gradients of a kernel by example: those of one example after the other, in one batch of products."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import reference
from jaxcnn.algorithms import direct, per_example
from jaxcnn.gradcheck.cases import cases_of
from jaxcnn.gradcheck.tolerances import rtol_of
from jaxcnn.ops._dtypes import widen
from tests import checks
from tests.algorithms.algorithm_checks import AlgorithmCase, case_of

MORE = (
    case_of("window over input", (2, 3, 4, 2), (5, 5, 2, 3)),
    case_of("cropped at a stride", (2, 9, 8, 2), (2, 3, 2, 3), strides=2, padding=((-3, 1), (1, -2))),
    case_of("no images", (0, 6, 4, 2), (2, 2, 2, 3)),
)
CASES = [
    case
    for case in (
        AlgorithmCase(c.op, c.label, c.inputs[:2], c.options)
        for c in (*MORE, *cases_of("conv"))
        if "dimension_numbers" not in c.options
    )
    if len(case.inputs[0].shape) == len(case.inputs[1].shape) and per_example.accepts(case.config)
]


def operands(case, dtype):
    """Return x and g of three examples."""
    shape = jax.eval_shape(case.manual, *case.args("float32")).shape
    rng = np.random.default_rng(0)
    return (jnp.asarray(rng.standard_normal((3, *s)), dtype) for s in (case.inputs[0].shape, shape))


@pytest.mark.parametrize(
    ("case", "dtype"),
    [*((case, "float64") for case in CASES), (CASES[0], "float32"), (CASES[0], "bfloat16"), (CASES[0], "float16")],
    ids=lambda value: getattr(value, "label", value),
)
def test_it_is_lax_for_each_example(case, dtype):
    with jax.enable_x64(dtype == "float64"):
        x, g = operands(case, dtype)
        size = case.inputs[1].shape[:-2]
        found = per_example.dkernel(x, g, size, case.config)
        wide = [widen(a) for a in (x, g)]
        right = jnp.stack([direct.dkernel(*each, size, case.config) for each in zip(*wide, strict=True)])
        assert found.dtype == dtype
        checks.assert_close(
            np.asarray(found, np.float64), np.asarray(right, np.float64), 8 * rtol_of(dtype), f"{case.label}, {dtype}"
        )


def gradients(ops, options):
    """Return the function that gives the gradient of every example of a loss with respect to the kernel."""

    def loss(kernel, x):
        return jnp.sum(jnp.sin(ops.conv(x, kernel, **options)))

    return jax.vmap(jax.grad(loss), (None, 0))


KERNEL = jnp.asarray(np.random.default_rng(1).standard_normal((3, 2, 2, 3)))
X = jnp.asarray(np.random.default_rng(2).standard_normal((4, 6, 5, 2)))


@pytest.mark.parametrize("options", [{}, {"strides": 2}, {"input_dilation": 2}, {"padding": "VALID"}], ids=str)
def test_the_gradients_of_all_examples_and_their_derivatives(options):
    with jax.enable_x64(True):
        kernel, x = KERNEL.astype(jnp.float64), X.astype(jnp.float64)
        found, right = (jax.jit(gradients(ops, options))(kernel, x) for ops in (jaxcnn, reference))
        checks.assert_close(found, right, 1e-13, "gradients")
        curved = [
            jax.jit(jax.grad(lambda k, x, ops=ops: jnp.sum(jnp.cos(gradients(ops, options)(k, x))), (0, 1)))(kernel, x)
            for ops in (jaxcnn, reference)
        ]
        for a, b in zip(*curved, strict=True):
            checks.assert_close(a, b, 1e-12, "derivatives of the gradients")


def test_examples_share_what_is_not_mapped():
    """Of a vmap over one operand alone, and of two, one in the other."""

    def dkernel(ops, x, g):
        return jax.vjp(lambda k: ops.conv(x, k), KERNEL)[1](g)[0]

    g = jnp.ones((3, 2, 6, 5, 3))
    for axes, x, cotangents in (((0, None), X[:3, None], g[0, :1]), ((None, 0), X[:2], g)):
        found, right = (
            jax.vmap(lambda x, g, o=ops: dkernel(o, x, g), axes)(x, cotangents) for ops in (jaxcnn, reference)
        )
        checks.assert_close(found, right, 2e-6, str(axes))
    twice = jnp.stack([X, 2 * X])[:, :, None]
    nested = [
        jax.vmap(jax.vmap(lambda x, g, o=ops: dkernel(o, x, g), (0, None)), (0, 0))(twice, jnp.ones((2, 1, 6, 5, 3)))
        for ops in (jaxcnn, reference)
    ]
    checks.assert_close(*nested, 2e-6, "nested")


def test_no_convolution_of_as_many_groups_as_examples_is_left():
    text = jax.jit(gradients(jaxcnn, {})).lower(KERNEL.astype(jnp.float32), X.astype(jnp.float32)).as_text()
    assert "batch_group_count = 4" not in text
    assert "feature_group_count = 4" not in text
    assert "batching_dims = [0] x [0]" in text
    plain = jax.jit(gradients(reference, {})).lower(KERNEL.astype(jnp.float32), X.astype(jnp.float32)).as_text()
    assert "feature_group_count = 4" in plain or "batch_group_count = 4" in plain
