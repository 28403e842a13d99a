"""What holds for all norms alike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn

EVERYWHERE = ("batch_norm", "layer_norm", "group_norm", "instance_norm")
CENTRED = {"batch_norm": (0, 1, 2), "layer_norm": (3,), "group_norm": (1, 2, 3), "instance_norm": (1, 2)}


def normalized(name):
    """Return the op as a function that returns y alone, group norm with a single group."""
    more = {
        "batch_norm": lambda *args, **options: jaxcnn.batch_norm(*args, **options)[0],
        "group_norm": lambda *args, **options: jaxcnn.group_norm(*args, num_groups=1, **options),
    }
    return more.get(name, getattr(jaxcnn, name))


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_mean_far_from_zero(name):
    """Mean 1e4 and deviation 1: E[x^2] - mean^2 in float32 gives outputs of deviation 160.7."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(1e4 + rng.standard_normal((16, 8, 8, 4) if name == "batch_norm" else (4, 8, 8, 64)), jnp.float32)
    g = rng.standard_normal(x.shape)
    y, pull = jax.vjp(normalized(name), x)
    (dx,) = pull(jnp.asarray(g, jnp.float32))
    wide, axes = np.asarray(x, np.float64), CENTRED[name]
    mean, std = wide.mean(axes, keepdims=True), wide.std(axes, keepdims=True)
    normal = (wide - mean) / std
    np.testing.assert_allclose(y, normal, atol=4e-3)
    right = (g - g.mean(axes, keepdims=True) - normal * (g * normal).mean(axes, keepdims=True)) / std
    np.testing.assert_allclose(dx, right, atol=4e-3)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_narrower_parameters_keep_their_dtype_in_the_gradient(name):
    x, scale, bias = jnp.arange(12.0).reshape(1, 4, 3), jnp.ones(3, jnp.bfloat16), jnp.ones(3, jnp.float16)
    y, pull = jax.vjp(normalized(name), x, scale, bias)
    assert (y.dtype, *(d.dtype for d in pull(y))) == (jnp.float32, jnp.float32, jnp.bfloat16, jnp.float16)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_bias_without_a_scale(name):
    x, bias = jnp.asarray(np.random.default_rng(0).standard_normal((1, 4, 3)), jnp.float32), jnp.array([1.0, 2.0, 3.0])
    fn = normalized(name)
    np.testing.assert_array_equal(fn(x, bias=bias), fn(x, jnp.ones(3), bias))
    np.testing.assert_allclose(jax.grad(lambda b: fn(x, None, b).sum())(bias), [4, 4, 4], rtol=1e-6)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_constant_input_gives_the_bias_and_no_gradient(name):
    x, scale, bias = jnp.full((4, 2, 2), 3.0), jnp.array([2.0, 5.0]), jnp.array([-1.0, 1.0])
    y, pull = jax.vjp(normalized(name), x, scale, bias)
    np.testing.assert_array_equal(y, jnp.broadcast_to(bias.reshape(1, 1, 2), x.shape))
    dx, dscale, dbias = pull(jnp.ones_like(y))
    if name in ("batch_norm", "instance_norm"):  # u is constant over what is averaged, so that dx, too, is 0
        np.testing.assert_allclose(dx, 0, atol=1e-3)
    assert np.isfinite(dx).all()
    np.testing.assert_array_equal(dscale, 0)
    np.testing.assert_array_equal(dbias, 8)


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm", "group_norm", "instance_norm"])
def test_an_empty_batch(name):
    y, pull = jax.vjp(normalized(name), jnp.ones((0, 2, 3)), jnp.ones(3))
    assert y.shape == (0, 2, 3)
    np.testing.assert_array_equal(pull(y)[1], [0, 0, 0])


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm", "group_norm", "instance_norm"])
def test_an_example_does_not_depend_on_the_others(name):
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 2, 4)), jnp.float32)
    np.testing.assert_array_equal(normalized(name)(x)[1:2], normalized(name)(x[1:2]))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", [*EVERYWHERE, "rms_norm"])
def test_sums_in_half_precision_are_not_lost(name, dtype):
    x = jnp.full((1, 16384, 4), 0.01, dtype)
    y, pull = jax.vjp(lambda scale: normalized(name)(x, scale), jnp.ones(4, dtype))
    right = 1 if name == "rms_norm" else 0
    np.testing.assert_allclose(np.asarray(y, np.float64), right, atol=1e-2)
    if name == "rms_norm":
        np.testing.assert_allclose(np.asarray(pull(x)[0], np.float64), 16384 * float(x[0, 0, 0]), rtol=1e-2)


@pytest.mark.parametrize("name", [*EVERYWHERE, "rms_norm"])
def test_what_is_masked_has_no_say(name):
    """Whatever it is, the others are normalised alike; itself it is normalised by them, and has its own gradient."""
    rng = np.random.default_rng(0)
    x, where = (rng.standard_normal((2, 6, 4)).astype(np.float32) for _ in range(2))
    where, fn = where < 0.7, normalized(name)
    y, other = (np.asarray(fn(v, where=where)) for v in (x, np.where(where, x, 100 * x)))
    np.testing.assert_allclose(other[where], y[where], rtol=1e-6)
    assert (np.abs(other - y)[~where] > 0.1).all()
    masked = jnp.asarray(~where, jnp.float32)
    dx = jax.grad(lambda x: jnp.sum(fn(x, where=where) * masked))(jnp.asarray(x))
    slope = jax.grad(lambda s: jnp.sum(fn(x + s * masked, where=where) * masked))(0.0)
    np.testing.assert_allclose(jnp.sum(dx * masked), slope, rtol=1e-5)
    assert slope > 0
    if name != "rms_norm":  # a shift of everything changes nothing
        np.testing.assert_allclose(np.sum(dx), 0, atol=1e-4)


@pytest.mark.parametrize("name", [*EVERYWHERE, "rms_norm"])
def test_nothing_but_masked_elements(name):
    """The statistics are 0: y is x / sqrt(epsilon), and so is its gradient."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((2, 3, 4)), jnp.float32)
    y, pull = jax.vjp(lambda x: normalized(name)(x, where=jnp.zeros((), bool), epsilon=0.25), x)
    np.testing.assert_allclose(y, 2 * x, rtol=1e-6)
    np.testing.assert_allclose(pull(jnp.ones_like(y))[0], 2, rtol=1e-6)


@pytest.mark.parametrize("name", [*EVERYWHERE, "rms_norm"])
def test_errors_of_the_mask(name):
    x = jnp.ones((2, 3, 4))
    with pytest.raises(TypeError, match=r"where dtype \(=int32\) must be bool"):
        normalized(name)(x, where=jnp.ones((2, 3, 4), jnp.int32))
    with pytest.raises(ValueError, match=r"where shape \(=\(3, 1, 1\)\) must broadcast to \(2, 3, 4\)"):
        normalized(name)(x, where=jnp.ones((3, 1, 1), bool))


X, C = jnp.ones((4, 3)), jnp.ones(3)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "rms_norm", "group_norm", "weight_standardization"])
@pytest.mark.parametrize(
    ("args", "options", "error", "message"),
    [
        ((X.astype(int),), {}, TypeError, r"x dtype \(=int32\) must be a floating dtype"),
        ((X[0, 0],), {}, ValueError, r"x shape \(=\(\)\) must be \[..., C\] with at least one channel"),
        ((X[:, :0],), {}, ValueError, r"x shape \(=\(4, 0\)\) must be \[..., C\] with at least one channel"),
        ((X, jnp.ones(4)), {}, ValueError, r"scale shape \(=\(4,\)\) must be \[C\] for the last axis of x \(shape \(4, 3\)\)"),
        ((X, C.astype(int)), {}, TypeError, r"scale dtype \(=int32\) must be a floating dtype"),
        ((X.astype(jnp.bfloat16), C), {}, TypeError, r"scale dtype \(=float32\) must be that of x \(=bfloat16\) or narrower"),
        ((X,), {"epsilon": 0}, ValueError, r"epsilon \(=0\) must be above 0"),
        ((X,), {"epsilon": float("nan")}, ValueError, r"epsilon \(=nan\) must be above 0"),
        ((X,), {"epsilon": "1"}, TypeError, r"epsilon \(='1'\) must be a static number"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(name, args, options, error, message):
    groups = {"num_groups": 3} if name == "group_norm" else {}
    called = "kernel" if name == "weight_standardization" else "x"
    with pytest.raises(error, match=f"{called} {message[2:]}" if message.startswith("x ") else message):
        getattr(jaxcnn, name)(*args, **options, **groups)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_errors_of_the_bias(name):
    with pytest.raises(
        ValueError, match=r"bias shape \(=\(4, 3\)\) must be \[C\] for the last axis of x \(shape \(4, 3\)\)"
    ):
        normalized(name)(X, C, X)
    with pytest.raises(TypeError, match=r"bias dtype \(=float16\) must be that of x"):
        normalized(name)(X.astype(jnp.bfloat16), None, C.astype(jnp.float16))


@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_traced_epsilon_is_refused(name):
    with pytest.raises(TypeError, match=r"epsilon \(=.*\) must be a static number"):
        jax.jit(lambda e: normalized(name)(X[None], epsilon=e))(jnp.array(0.1))
