"""Right rules agree: at the full shapes of the benchmark, where sums have many terms, and where gradients are noise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.benchmark import plain
from jaxcnn.benchmark.cases import ROWS, conv_row
from jaxcnn.gradcheck import compare


def check(row):
    manual, auto = (row.function(plain.row_layers(ops)) for ops in (jaxcnn.ops, jaxcnn.reference))
    arrays = [jnp.asarray(array) for array in row.arrays()]
    compare(manual, auto, *arrays, argnums=row.differentiated, second_order=False, jit=True).raise_if_bad()


@pytest.mark.full
@pytest.mark.parametrize("row", [row for row in ROWS if row.differentiated], ids=lambda row: row.name)
def test_rows_of_the_benchmark_at_their_full_shapes(row):
    check(row)


@pytest.mark.full
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_convolutions_whose_kernel_gradient_sums_25_000_terms(padding):
    """6.4e-6 of the scale in float32: over 4e-6, and within sqrt(25,088) eps = 1.9e-5."""
    check(conv_row("many terms", (8, 56, 56, 64), (3, 3, 64, 64), padding=padding))


def test_a_convolution_of_some_thousand_terms():
    check(conv_row("some terms", (8, 24, 24, 4), (3, 3, 4, 8)))


def normal(*shape, seed=0, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(
    ("fn", "auto"),
    [
        pytest.param(lambda x: jaxcnn.softmax(x).sum(-1), lambda x: jax.nn.softmax(x, axis=-1).sum(-1), id="sum of softmax"),
        pytest.param(
            lambda x: jaxcnn.layer_norm(x).mean(-1), lambda x: jaxcnn.reference.layer_norm(x).mean(-1), id="mean of a norm"
        ),
        pytest.param(
            lambda x: jaxcnn.log_softmax(x + 3.0) - jaxcnn.log_softmax(x),
            lambda x: jax.nn.log_softmax(x + 3.0, axis=-1) - jax.nn.log_softmax(x, axis=-1),
            id="difference of equals",
        ),
    ],
)  # fmt: skip
def test_gradients_that_are_zero_are_judged_against_the_noise(fn, auto, dtype):
    report = compare(fn, auto, normal(6, 9, dtype=dtype), jit=True)
    assert report.ok, report


def test_a_gradient_that_should_be_zero_and_is_small_is_found():
    """1e-3 is no noise where terms of size 1 cancel."""

    def right(x):
        return jax.nn.softmax(x, axis=-1).sum(-1)

    fn = jax.custom_vjp(right)
    fn.defvjp(lambda x: (right(x), x), lambda x, g: (1e-3 * g[..., None] * jnp.cos(x),))
    assert not compare(fn, right, normal(6, 9), jit=True).ok


def test_an_argument_of_pixels_beside_one_of_small_weights():
    x = jnp.asarray(np.random.default_rng(1).integers(0, 256, (2, 9, 8, 3)), jnp.float32)
    kernel = 1e-4 * normal(3, 2, 3, 4)
    compare(jaxcnn.conv, jaxcnn.reference.conv, x, kernel, argnums=(0, 1), jit=True).raise_if_bad()


def test_channels_of_very_different_sizes():
    scale = jnp.asarray([1.0, 1e-7, 1e5, 3e-3])
    # No mean is near 0 beside its deviation: it would be what is left of numbers that cancel.
    x = (normal(3, 5, 4, 4) + 1) * jnp.asarray([[[[1e-4, 1.0, 10.0, 1e3]]]])
    for op in ("batch_norm", "layer_norm"):
        fn, auto = getattr(jaxcnn, op), getattr(jaxcnn.reference, op)
        compare(fn, auto, x, scale, normal(4), argnums=(0, 1, 2), jit=True).raise_if_bad()


def test_numbers_with_ties_from_the_start():
    x = jnp.asarray(np.random.default_rng(2).integers(-1, 2, (2, 6, 7, 2)), jnp.float32)
    pools = ("max_pool", "min_pool")
    for op in pools:
        fn, auto = (functools.partial(getattr(space, op), window_shape=(3, 2)) for space in (jaxcnn, jaxcnn.reference))
        compare(fn, auto, x, jit=True).raise_if_bad()
    for op in ("relu", "leaky_relu", "hard_tanh", "global_max_pool", "absolute_error"):
        compare(getattr(jaxcnn, op), getattr(jaxcnn.reference, op), x, jit=True).raise_if_bad()


def test_the_twins_follow_the_layers_at_ties_and_kinks():
    """A maximum gives all to the first of equal elements; the slopes of |e| at 0 and of the hinge at its kink are 0."""
    ties = jnp.array([[1.0, 2.0], [2.0, 2.0]]).reshape(1, 2, 2, 1)
    for pool in (jaxcnn.reference.global_max_pool, lambda x: jaxcnn.reference.adaptive_max_pool(x, (1, 1))):
        dx = jax.grad(lambda x, pool=pool: pool(x).sum())(ties)
        np.testing.assert_array_equal(dx.reshape(2, 2), [[0, 1], [0, 0]])
    nans = ties.at[0, 1].set(jnp.nan)
    dx = jax.grad(lambda x: jaxcnn.reference.global_max_pool(x).sum())(nans)
    np.testing.assert_array_equal(dx.reshape(2, 2), [[0, 0], [1, 0]])
    np.testing.assert_array_equal(jax.grad(lambda e: jaxcnn.reference.absolute_error(e).sum())(jnp.zeros(2)), 0)
    hinge = jax.grad(lambda z: jaxcnn.reference.hinge_loss(z, jnp.ones(2)).sum())(jnp.array([1.0, 0.5]))
    np.testing.assert_array_equal(hinge, [0, -1])
