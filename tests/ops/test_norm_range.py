"""Norms of numbers whose deviation is small beside their mean, and of numbers whose squares leave float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks


def batch_norm(ops, x, **options):
    return ops.batch_norm(x, **options)[0]


NORMS = {
    "batch_norm": batch_norm,
    "layer_norm": lambda ops, x, **options: ops.layer_norm(x, **options),
    "group_norm": lambda ops, x, **options: ops.group_norm(x, num_groups=2, **options),
    "instance_norm": lambda ops, x, **options: ops.instance_norm(x, **options),
    "weight_standardization": lambda ops, x, **options: ops.weight_standardization(x, **options),
}
WITH_RMS = NORMS | {"rms_norm": lambda ops, x, **options: ops.rms_norm(x, **options)}
AXES = {
    "batch_norm": (0, 1, 2),
    "layer_norm": (3,),
    "instance_norm": (1, 2),
    "weight_standardization": (0, 1, 2),
}


def drawn(shape=(3, 5, 4, 6), seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("constant", [3333.33, 0.1, 1e-3, -777.7, 1e7, 1e20, 1e30])
def test_the_norm_of_a_constant_is_0(name, constant):
    for shape in ((4, 7, 9, 16), (2, 1, 3, 2), (1, 37, 41, 6)):
        y = NORMS[name](jaxcnn, jnp.full(shape, constant, jnp.float32))
        np.testing.assert_allclose(y, 0, atol=1e-6)


@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("constant", [3333.33, 0.1, -777.7])
def test_the_gradient_at_a_constant(name, constant):
    """There x - mean is 0 and 1 / deviation is 1 / sqrt(epsilon): dx = (g - mean(g)) / sqrt(epsilon)."""
    epsilon, g = 1e-4, drawn((4, 7, 9, 16))
    x = jnp.full(g.shape, constant, jnp.float32)
    _, pull = jax.vjp(lambda x: NORMS[name](jaxcnn, x, epsilon=epsilon), x)
    right = (g - g.mean(AXES[name], keepdims=True)) / np.sqrt(epsilon)
    checks.assert_close(pull(jnp.asarray(g, jnp.float32))[0], np.float32(right), 1e-6)


@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("constant", [3333.33, 1e5, 1e-2])
def test_neighbours(name, constant):
    """A number and its neighbour, whose mean lies between two numbers of float32."""
    low, high = np.float32(constant), np.nextafter(np.float32(constant), np.float32(np.inf))
    x = np.where(drawn((4, 7, 9, 16)) < 0.4, low, high)
    wide, epsilon = x.astype(np.float64), float(high - low) ** 2
    centred = wide - wide.mean(AXES[name], keepdims=True)
    right = centred / np.sqrt(np.square(centred).mean(AXES[name], keepdims=True) + epsilon)
    y = NORMS[name](jaxcnn, jnp.asarray(x), epsilon=epsilon)
    checks.assert_close(y, np.float32(right), 1e-5)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_two_numbers_far_from_1(dtype):
    for size in (1e15, 1e20, 1e30):
        x = jnp.array([size, -size], dtype)
        np.testing.assert_array_equal(jaxcnn.layer_norm(x), jnp.array([1, -1], dtype))
        np.testing.assert_array_equal(jaxcnn.rms_norm(x), jnp.array([1, -1], dtype))
        np.testing.assert_array_equal(jaxcnn.instance_norm(x[:, None], spatial_rank=1), jnp.array([[1], [-1]], dtype))
        np.testing.assert_array_equal(jaxcnn.batch_norm(x[:, None])[0], jnp.array([[1], [-1]], dtype))
        np.testing.assert_array_equal(jaxcnn.group_norm(x[None], num_groups=1), jnp.array([[1, -1]], dtype))


def with_gradient(fn, x, g):
    y, pull = jax.vjp(fn, x)
    return y, pull(g)[0]


def check_sets(name, x, g, epsilon, sets):
    """Compare value and gradient with the reference in float64, each of the `sets` of the first axis by its own scale."""
    fn = WITH_RMS[name]
    found = with_gradient(
        lambda x: fn(jaxcnn, x, epsilon=epsilon), jnp.asarray(x, jnp.float32), jnp.asarray(g, jnp.float32)
    )
    with jax.enable_x64(True):
        exact = (np.asarray(a, np.float32).astype(np.float64) for a in (x, g))
        right = with_gradient(lambda x: fn(jaxcnn.reference, x, epsilon=epsilon), *map(jnp.asarray, exact))
    tiny = float(jnp.finfo(jnp.float32).tiny)
    for what, a, b in zip(("y", "dx"), found, right, strict=True):
        for at in sets:
            checks.assert_close(a[at], np.float32(b[at]), 4e-6, f"{what} {at}", noise=8 * tiny)


@pytest.mark.parametrize("name", WITH_RMS)
@pytest.mark.parametrize("epsilon", [1e-5, 1e-12, 1.2e-38])
def test_every_magnitude(name, epsilon):
    for exponent in range(-30, 31, 5):
        check_sets(name, drawn() * 10.0**exponent, drawn(seed=1), epsilon, [slice(None)])


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm", "group_norm", "instance_norm"])
def test_magnitudes_side_by_side(name):
    """Every example has its own."""
    magnitudes = 10.0 ** np.linspace(-30, 30, 7).reshape(7, 1, 1, 1)
    check_sets(name, drawn((7, 2, 3, 6)) * magnitudes, drawn((7, 2, 3, 6), 1), 1e-6, range(7))


def test_channels_of_every_magnitude():
    x = drawn((4, 3, 3, 7)) * 10.0 ** np.linspace(-30, 30, 7)
    for name in ("batch_norm", "weight_standardization"):
        check_sets(name, x, drawn(x.shape, 1), 1e-5, [(..., c) for c in range(7)])


@pytest.mark.parametrize("name", WITH_RMS)
@pytest.mark.parametrize(("size", "shift"), [(1e12, 0), (1e17, 0), (1, 1e4), (1e-3, 1e3)])
def test_second_order_where_the_statistics_are_corrected(name, size, shift):
    """Derivatives of the second order are those of the reference in float64, at a deviation of `size` from `shift`."""
    x, v, g = (drawn((2, 3, 2, 4), seed) for seed in range(3))
    x, v = np.float32(shift + size * x), np.float32(size * v)

    def product(ops, x, v, g):
        return jax.jvp(jax.grad(lambda x: jnp.sum(jnp.sin(WITH_RMS[name](ops, x, epsilon=1e-5)) * g)), (x,), (v,))[1]

    found = product(jaxcnn, *map(jnp.asarray, (x, v, np.float32(g))))
    with jax.enable_x64(True):
        right = product(jaxcnn.reference, *(jnp.asarray(np.float64(a)) for a in (x, v, np.float32(g))))
    checks.assert_close(found, np.float32(right), 2e-5)


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm", "instance_norm"])
def test_vmap_over_lanes_of_which_one_needs_a_correction(name):
    x = jnp.asarray(drawn() * np.array([1, 1e25, 1e-3]).reshape(3, 1, 1, 1), jnp.float32)
    g = jnp.asarray(drawn(seed=1), jnp.float32)
    x, g = x[:, None], g[:, None]

    def both(x, g):
        return with_gradient(lambda x: WITH_RMS[name](jaxcnn, x, epsilon=1e-6), x, g)

    for a, b in zip(jax.vmap(both)(x, g), zip(*map(both, x, g), strict=True), strict=True):
        for lane in range(3):
            checks.assert_close(a[lane], b[lane], 1e-6)


@pytest.mark.parametrize("name", WITH_RMS)
def test_nan_and_infinity_stay_in_their_set(name):
    for value in (np.nan, np.inf):
        x = drawn((3, 4, 2, 4))
        x[1, 2, 1, 3] = value
        y = np.asarray(WITH_RMS[name](jaxcnn, jnp.asarray(x, jnp.float32)))
        assert np.isnan(y[1, 2, 1, 3])
        assert np.isfinite(y).any()
        assert np.isfinite(y[..., 0]).any()


def test_a_variance_out_of_range_is_infinite():
    y, mean, variance = jaxcnn.batch_norm(jnp.array([[1e20], [-1e20]]))
    np.testing.assert_array_equal(y, [[1], [-1]])
    np.testing.assert_array_equal(mean, [0])
    np.testing.assert_array_equal(variance, [np.inf])
