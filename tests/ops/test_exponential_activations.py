import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import activations

OPS = ("elu", "celu", "selu")


class TestExponentialActivations(checks.OpChecks):
    ops = OPS
    oracle = staticmethod(activations.oracle)


def half_elu(x):
    return jaxcnn.elu(x, 0.5)


def negative_elu(x):
    return jaxcnn.elu(x, -0.5)


def half_celu(x):
    return jaxcnn.celu(x, 0.5)


POINTS = [-np.inf, -100.0, -1.0, -0.0, 0.0, 2.0, np.inf, np.nan]


@pytest.mark.parametrize(
    ("fn", "value", "slope"),
    [
        (jaxcnn.elu, [-1, -1, -0.63212056, 0, 0, 2, np.inf, np.nan], [0, 0, 0.36787944, 1, 1, 1, 1, np.nan]),
        (half_elu, [-0.5, -0.5, -0.31606028, 0, 0, 2, np.inf, np.nan], [0, 0, 0.18393972, 0.5, 0.5, 1, 1, np.nan]),
        (negative_elu, [0.5, 0.5, 0.31606028, 0, 0, 2, np.inf, np.nan], [0, 0, -0.18393972, -0.5, -0.5, 1, 1, np.nan]),
        (half_celu, [-0.5, -0.5, -0.43233236, 0, 0, 2, np.inf, np.nan], [0, 0, 0.13533528, 1, 1, 1, 1, np.nan]),
        (jaxcnn.selu, [-1.75809934, -1.75809934, -1.11133074, 0, 0, 2.10140197, np.inf, np.nan],
                      [0, 0, 0.64676860, 1.75809934, 1.75809934, 1.05070099, 1.05070099, np.nan]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_kinks_infinities_and_nan(fn, value, slope, dtype):
    x = jnp.asarray(POINTS, dtype)
    y, pull = jax.vjp(fn, x)
    rtol = 1e-6 if dtype == jnp.float32 else float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(y, np.float64), value, rtol=rtol)
    atol = 0 if dtype == jnp.float16 else 1e-43  # exp(-100), which is subnormal
    np.testing.assert_allclose(np.asarray(pull(jnp.ones_like(y))[0], np.float64), slope, rtol=rtol, atol=atol)
    if dtype != jnp.float16:  # which has the code of bfloat16
        assert np.isfinite(jax.vmap(jax.grad(jax.grad(fn)))(x[:-1])).all()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(("fn", "slope"), [(half_elu, 0.5), (jaxcnn.celu, 1.0), (jaxcnn.selu, 1.75809934)])
def test_hessian_of_the_square_at_the_kink(fn, slope, dtype):
    found = jax.hessian(lambda x: fn(x) ** 2)(jnp.zeros((), dtype))
    np.testing.assert_allclose(float(found), 2 * slope**2, rtol=1e-6 if dtype == jnp.float32 else 0.01)


def test_residuals():
    x = jnp.ones((4, 3))
    for fn in (jaxcnn.elu, jaxcnn.celu, jaxcnn.selu, negative_elu):
        assert checks.residuals(fn, x) == ["float32[4, 3]"]
        assert checks.residuals(fn, x.astype(jnp.bfloat16)) == ["bfloat16[4, 3]"]
        (leaf,) = jax.tree.leaves(jax.vjp(fn, -x)[1])
        np.testing.assert_array_equal(leaf, -x)  # from y, near the level, the slope would have no digits


@pytest.mark.parametrize("name", OPS)
def test_integers_are_refused(name):
    with pytest.raises(TypeError, match=r"x dtype \(=int32\) must be a floating dtype"):
        getattr(jaxcnn, name)(jnp.arange(3))


@pytest.mark.parametrize("name", ["elu", "celu"])
def test_alpha_is_a_static_number(name):
    with pytest.raises(TypeError, match=r"alpha \(=.*\) must be a static number"):
        jax.jit(getattr(jaxcnn, name))(jnp.ones(3), jnp.array(0.1))
    with pytest.raises(TypeError, match=r"alpha \(='1'\) must be a static number"):
        getattr(jaxcnn, name)(jnp.ones(3), "1")


def test_celu_has_no_alpha_of_0():
    with pytest.raises(ValueError, match=r"alpha \(=0.0\) must not be 0"):
        jaxcnn.celu(jnp.ones(3), 0)
