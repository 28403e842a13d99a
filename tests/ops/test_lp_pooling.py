import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import pooling as oracles

NORMS = [1, 1.5, 2, 2.5, 3, math.inf]


class TestLpPool(checks.OpChecks):
    ops = ("lp_pool",)
    oracle = staticmethod(oracles.oracle)


@pytest.mark.parametrize(
    ("norm", "y", "dx"),
    [
        (1, [7, 4, 0], [1, -2, 0, 0]),
        (2, [5, 4, 0], [0.6, -1.8, 0, 0]),
        (3, [91 ** (1 / 3), 4, 0], [9 / 91 ** (2 / 3), -16 / 91 ** (2 / 3) - 1, 0, 0]),
        (math.inf, [4, 4, 0], [0, -2, 0, 0]),
    ],
)
def test_by_hand(norm, y, dx):
    """The gradient of a window of zeros is 0, and that at a zero in another window too."""
    found, pull = jax.vjp(lambda x: jaxcnn.lp_pool(x, norm, (2,)), jnp.array([[3.0], [-4.0], [0.0], [0.0]]))
    np.testing.assert_allclose(found.ravel(), y, rtol=1e-6)
    np.testing.assert_allclose(pull(jnp.ones((3, 1)))[0].ravel(), dx, rtol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_every_derivative_at_zero_is_finite(norm):
    def f(x):
        return jnp.sum(jnp.sin(jaxcnn.lp_pool(x[:, None], norm, (2,), padding=((3, 0),))))

    x = jnp.array([0.0, 0.0, 0.0, 3.0, 0.0, -4.0, 2.0])
    for derivative in (jax.grad(f), jax.hessian(f), jax.jacrev(jax.grad(f)), jax.jacfwd(jax.hessian(f))):
        assert bool(jnp.all(jnp.isfinite(derivative(x))))
    np.testing.assert_allclose(jax.hessian(f)(x), jax.jacrev(jax.grad(f))(x), rtol=1e-5, atol=1e-6)


def test_the_second_derivative_beside_a_zero():
    """That of sqrt(x^2 + y^2) at (3, 0) is diag(0, 1/3)."""
    hessian = jax.hessian(lambda x: jaxcnn.lp_pool(x[:, None], 2, (2,))[0, 0])(jnp.array([3.0, 0.0]))
    np.testing.assert_allclose(hessian, np.diag([0, 1 / 3]), atol=1e-6)


def test_nan_and_infinity():
    x = jnp.array([[1.0], [np.nan], [2.0], [-np.inf], [1.0], [0.0]])
    for norm in NORMS:
        y = jaxcnn.lp_pool(x, norm, (2,), 2)
        np.testing.assert_array_equal(y.ravel(), [np.nan, np.inf, 1])
    dx = jax.grad(lambda x: jaxcnn.lp_pool(x, math.inf, (2,), 2).sum())(x)
    np.testing.assert_array_equal(dx.ravel(), [0, 1, 0, -1, 1, 0])


@pytest.mark.parametrize("values", [(-1.0, 0.0, 1.0), (0.0,), (np.nan, 0.0, -1.0), (-np.inf, 1.0)])
def test_the_largest_magnitude_at_ties(values):
    x = np.random.default_rng(0).choice(values, (2, 6, 5, 2)).astype(np.float32)
    terms = {"window": (3, 2), "strides": (2, 1), "pads": ((1, 0), (0, 2)), "dilation": (1, 2), "ceil_mode": True}
    options = {"strides": (2, 1), "padding": terms["pads"], "window_dilation": (1, 2), "ceil_mode": True}
    y, pull = jax.vjp(lambda x: jaxcnn.lp_pool(x, math.inf, (3, 2), **options), jnp.asarray(x))
    g = np.random.default_rng(1).integers(1, 9, y.shape).astype(np.float32)
    sign = np.where(np.isnan(x), 1, np.sign(x))
    np.testing.assert_array_equal(pull(jnp.asarray(g))[0], sign * oracles.max_pool_gradient(abs(x), g, **terms))
    np.testing.assert_array_equal(y, oracles.lp_pool(x, math.inf, **terms))


@pytest.mark.parametrize("norm", [1, 1.5, 2, 3, 8, 40.5, math.inf])
@pytest.mark.parametrize("size", [1e-36, 1e-30, 1e-20, 1e-5, 1.0, 1e5, 1e20, 1e30, 1e36])
def test_every_magnitude(norm, size):
    """y of (3, 4) is 4 (1 + (3/4)^p)^(1/p), and dx = (|x| / y)^(p - 1) whatever the size of x."""
    size = np.clip(size, 1e-30, 1e30) if norm == 2 else size
    x = jnp.asarray(np.array([[3.0], [-4.0]]) * size, jnp.float32)
    y, pull = jax.vjp(lambda x: jaxcnn.lp_pool(x, norm, (2,)), x)
    right = 4.0 if norm == math.inf else 4 * (1 + 0.75**norm) ** (1 / norm)
    np.testing.assert_allclose(np.float64(y[0, 0]) / size, right, rtol=4e-6)
    dx = [0, -1] if norm == math.inf else [(3 / right) ** (norm - 1), -((4 / right) ** (norm - 1))]
    np.testing.assert_allclose(pull(jnp.ones((1, 1)))[0].ravel(), dx, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("norm", [125, 127, 1000, 10_000])
@pytest.mark.parametrize("largest", [2.0, 3.0, 0.7, 1e-30, 1e30])
def test_a_high_norm_is_the_largest_element(largest, norm):
    """Half of it adds 2^-norm; its gradient is all for the largest."""
    x = largest * jnp.array([[1.0], [0.5], [1.0]])
    y, pull = jax.vjp(lambda x: jaxcnn.lp_pool(x, norm, (2,)), x)
    np.testing.assert_allclose(y, jnp.full((2, 1), largest), rtol=1e-6)
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0], [[1], [0], [1]], rtol=1e-5, atol=1e-30)


def test_every_magnitude_in_one_array():
    """Windows of (3, 4) 10^k side by side, from 1e-30 to 1e30, then overlapping ones of (10^k, 10^(k + 5))."""
    magnitudes = 10.0 ** np.arange(-30, 31, 5)
    x = jnp.asarray((np.array([3, -4]) * magnitudes[:, None]).reshape(-1, 1), jnp.float32)
    y, pull = jax.vjp(lambda x: jaxcnn.lp_pool(x, 2, (2,), 2), x)
    np.testing.assert_allclose(np.float64(y.ravel()) / magnitudes, 5, rtol=1e-6)
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0].reshape(-1, 2), [[0.6, -0.8]] * 13, rtol=1e-6)
    y, pull = jax.vjp(lambda x: jaxcnn.lp_pool(x, 2, (2,)), jnp.asarray(magnitudes[:, None], jnp.float32))
    np.testing.assert_allclose(np.float64(y.ravel()) / magnitudes[1:], 1, rtol=1e-6)
    right = np.array([1e-5, *[1 + 1e-5] * 11, 1])
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0].ravel(), right, rtol=1e-6)


def test_magnitudes_of_windows_of_one_array():
    """Two windows whose ratio is 1e18, and their second derivatives, which are those of |x| at (3, 4)."""
    for size in (1e-15, 1.0, 1e9, 1e11):
        x = jnp.asarray(np.array([3, 4, 3e18, 4e18])[:, None] * size, jnp.float32)
        y, pull = jax.vjp(lambda x: jaxcnn.lp_pool(x, 2, (2,), 2), x)
        np.testing.assert_allclose(np.float64(y.ravel()) / size, [5, 5e18], rtol=1e-6)
        np.testing.assert_allclose(pull(jnp.ones_like(y))[0].ravel(), [0.6, 0.8, 0.6, 0.8], rtol=1e-6)
    for size in (1e-29, 1e-15, 1.0, 1e12, 1e20, 1e29):
        x = jnp.array([3.0, 4.0]) * size
        hessian = jax.hessian(lambda x: jaxcnn.lp_pool(x[:, None], 2, (2,))[0, 0])(x)
        right = np.array([[16, -12], [-12, 9]]) / 125
        np.testing.assert_allclose(np.float64(hessian) * size, right, rtol=1e-5)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sums_in_half_precision_are_not_lost(dtype):
    """Sums of 1024 squares or cubes; in float16 each cube of 100 overflows."""
    for value, norm in ((0.1, 2), (100.0, 3)):
        x = jnp.full((1, 32, 32, 1), value, dtype)
        exact = float(x[0, 0, 0, 0]) * 1024 ** (1 / norm)
        y, pull = jax.vjp(lambda x, norm=norm: jaxcnn.lp_pool(x, norm, (32, 32)), x)
        assert float(y[0, 0, 0, 0]) == pytest.approx(exact, rel=float(jnp.finfo(dtype).eps))
        dx = float(pull(jnp.ones_like(y))[0][0, 0, 0, 0])
        assert dx == pytest.approx(1024 ** (1 / norm - 1), rel=float(jnp.finfo(dtype).eps))


def test_residuals():
    x = jnp.ones((2, 6, 4, 3))
    norms = ["float32[2, 3, 2, 3]", "float32[2, 6, 4, 3]"]
    assert checks.residuals(lambda x: jaxcnn.lp_pool(x, 2, (2, 2), 2), x) == norms
    assert checks.residuals(lambda x: jaxcnn.lp_pool(x, 3, (2, 2), 2), x) == [*norms, "float32[]"]
    taps = ["float32[2, 6, 4, 3]", "uint8[2, 3, 2, 3]", "uint8[2, 6, 2, 3]"]
    assert checks.residuals(lambda x: jaxcnn.lp_pool(x, math.inf, (2, 2), 2), x) == taps


def test_empty_batch():
    x = jnp.zeros((0, 4, 4, 2))
    for norm in (2, math.inf):
        y, pull = jax.vjp(lambda x, norm=norm: jaxcnn.lp_pool(x, norm, (2, 2), 2), x)
        assert pull(y)[0].shape == x.shape


def test_errors():
    x = jnp.ones((4, 4, 1))
    for norm in (0.5, math.nan, -math.inf):
        with pytest.raises(ValueError, match=rf"norm \(={norm}\) must be at least 1"):
            jaxcnn.lp_pool(x, norm, (2, 2))
    with pytest.raises(TypeError, match=r"norm \(='two'\) must be a static number"):
        jaxcnn.lp_pool(x, "two", (2, 2))
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        jaxcnn.lp_pool(x.astype(jnp.int32), 2, (2, 2))
