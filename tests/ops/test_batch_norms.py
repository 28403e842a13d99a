import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

import jaxcnn
from tests import checks
from tests.oracles.norms import oracle


class TestBatchNorm(checks.OpChecks):
    ops = ("batch_norm",)
    oracle = staticmethod(oracle)


def test_the_statistics_have_gradients_of_their_own():
    x = jnp.array([[1.0], [2.0], [6.0]])
    of_mean = jax.grad(lambda x: jaxcnn.batch_norm(x)[1].sum())(x)
    of_variance = jax.grad(lambda x: jaxcnn.batch_norm(x)[2].sum())(x)
    np.testing.assert_allclose(of_mean, [[1 / 3], [1 / 3], [1 / 3]], rtol=1e-6)
    np.testing.assert_allclose(of_variance, [[-4 / 3], [-2 / 3], [2.0]], rtol=1e-6)


def test_statistics_of_a_mean_far_from_zero():
    x = np.asarray(1e4 + np.random.default_rng(0).standard_normal((16, 8, 8, 4)), np.float32)
    y, mean, variance = jaxcnn.batch_norm(x)
    np.testing.assert_allclose(np.std(np.asarray(y, np.float64), (0, 1, 2)), 1.0, rtol=1e-4)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(variance, x.astype(np.float64).var((0, 1, 2)), rtol=1e-4)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_batch_statistics_are_summed_in_float32(dtype):
    x = jnp.full((65536, 1), 0.01, dtype)
    _, mean, variance = jaxcnn.batch_norm(x)
    assert (mean.dtype, variance.dtype) == (jnp.float32, jnp.float32)
    np.testing.assert_allclose(mean, float(x[0, 0]), rtol=1e-5)
    assert variance[0] < 1e-12
    _, pull = jax.vjp(lambda b: jaxcnn.batch_norm(x, None, b)[0], jnp.zeros(1, dtype))
    assert pull(x)[0][0] == jnp.asarray(65536 * float(x[0, 0]), dtype)


def test_one_element_a_channel_is_for_statistics_given():
    """One alone is its own mean: y would be the bias, whatever x is, and no gradient would reach x."""
    for x in (jnp.array([[3.0, -7.0]]), jnp.array([3.0, -7.0]), jnp.ones((1, 1, 1, 2))):
        with pytest.raises(ValueError, match=r"x \(shape \(.*2,?\)\) must hold more than one element a channel"):
            jaxcnn.batch_norm(x)
        y, _, _ = jaxcnn.batch_norm(x, mean=jnp.array([1.0, 1.0]), variance=jnp.array([4.0, 16.0]), epsilon=1e-9)
        np.testing.assert_allclose(y, (np.asarray(x) - 1) / [2, 4], rtol=1e-6)


def test_the_elements_of_all_devices_count():
    lanes = jnp.array([[[3.0]], [[5.0]]])
    y, mean, variance = jax.vmap(lambda x: jaxcnn.batch_norm(x, axis_name="lanes", epsilon=1e-9), axis_name="lanes")(
        lanes
    )
    np.testing.assert_allclose(y.ravel(), [-1, 1], rtol=1e-6)
    np.testing.assert_array_equal(mean.ravel(), [4, 4])
    np.testing.assert_array_equal(variance.ravel(), [1, 1])
    with pytest.raises(ValueError, match="must hold more than one element a channel"):
        jax.vmap(lambda x: jaxcnn.batch_norm(x, axis_name="lanes"), axis_name="lanes")(lanes[:1])


def test_lanes_that_share_their_statistics_have_the_digits_of_a_deviation():
    x = jnp.full((3, 7, 2), 3333.33)
    y, mean, _ = jax.vmap(lambda x: jaxcnn.batch_norm(x, axis_name="lanes"), axis_name="lanes")(x)
    np.testing.assert_allclose(y, 0, atol=1e-6)
    np.testing.assert_array_equal(mean, np.float32(3333.33))


def test_lanes_share_the_statistics_of_what_is_not_masked():
    rng = np.random.default_rng(0)
    x, where = rng.standard_normal((3, 4, 2)), rng.random((3, 4, 2)) < 0.5

    def lanes(x):
        normalized = jax.vmap(lambda x, w: jaxcnn.batch_norm(x, axis_name="lanes", where=w), axis_name="lanes")
        return normalized(x, where)[0]

    with jax.enable_x64(True):
        y, pull = jax.vjp(lanes, jnp.asarray(x))
        whole, pull_whole = jax.vjp(
            lambda x: jaxcnn.batch_norm(x, where=where.reshape(12, 2))[0], jnp.asarray(x.reshape(12, 2))
        )
        checks.assert_close(y, np.reshape(whole, x.shape), 1e-13)
        checks.assert_close(pull(jnp.sin(y))[0], np.reshape(pull_whole(jnp.sin(whole))[0], x.shape), 1e-12)


def test_given_statistics_keep_their_dtype_and_give_what_training_gives():
    x = jnp.asarray(np.random.default_rng(0).standard_normal((5, 3)), jnp.bfloat16)
    y, mean, variance = jaxcnn.batch_norm(x)
    again, *same = jaxcnn.batch_norm(x, mean=mean, variance=variance)
    np.testing.assert_array_equal(y, again)
    assert [s.dtype for s in same] == [jnp.float32, jnp.float32]
    _, pull = jax.vjp(lambda mean: jaxcnn.batch_norm(x, mean=mean, variance=variance)[0], mean)
    assert pull(y)[0].dtype == jnp.float32


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_residuals(dtype):
    x, scale, bias, name = jnp.ones((4, 5, 3, 2), dtype), jnp.ones(2, dtype), jnp.ones(2, dtype), jnp.dtype(dtype).name
    statistics = ["float32[1, 1, 1, 2]"] * 3
    assert checks.residuals(jaxcnn.batch_norm, x, scale, bias) == sorted(
        [*statistics, f"{name}[2]", f"{name}[4, 5, 3, 2]"]
    )


X, C = jnp.ones((4, 3)), jnp.ones(3)


@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        (X[:0], {}, ValueError, r"x \(shape \(0, 3\)\) must hold at least one element a channel"),
        (X, {"mean": C}, ValueError, r"variance \(=None\) must be given, as mean and variance go together"),
        (X, {"variance": C}, ValueError, r"mean \(=None\) must be given, as mean and variance go together"),
        (X, {"mean": C[:2], "variance": C}, ValueError, r"mean shape \(=\(2,\)\) must be \[C\]"),
        (X, {"mean": C, "variance": C.astype(int)}, TypeError, r"variance dtype \(=int32\) must be a floating dtype"),
        (X, {"mean": C, "variance": C, "axis_name": "i"}, ValueError, r"axis_name \(='i'\) must be None where mean and"),
        (X, {"axis_name": "i"}, ValueError, r"axis_name \(='i'\) must name a mapped axis, of shard_map, vmap or pmap"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(x, options, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.batch_norm(x, **options)


DEVICES = 4


def arrays():
    rng = np.random.default_rng(0)
    x, g = (rng.standard_normal((2 * DEVICES, 3, 2, 3)) for _ in range(2))
    return tuple(map(jnp.asarray, (x, *rng.standard_normal((4, 3)), g)))


def gradients(fn):
    """Return value and gradients, and a product with the Hessian, of a curved loss of y, mean and variance."""

    def loss(x, scale, bias, of_mean, of_variance, g):
        y, mean, variance = fn(x, scale, bias)
        return jnp.sum(jnp.sin(y) * g) + jnp.vdot(jnp.sin(mean), of_mean) + jnp.vdot(jnp.sin(variance), of_variance)

    def all_of_them(*args):
        value, grads = jax.value_and_grad(loss, (0, 1, 2))(*args)
        _, product = jax.jvp(lambda *p: jax.grad(loss, (0, 1, 2))(*p, *args[3:]), args[:3], args[:3])
        return value, grads, product

    return all_of_them


def split(a):
    return a.reshape(DEVICES, -1, *a.shape[1:])


def mapped(ops):
    """Return batch norm over lanes that share their statistics, under vmap; the statistics are any lane's."""

    def fn(x, scale, bias):
        lanes = jax.vmap(lambda x: ops.batch_norm(x, scale, bias, axis_name="lanes"), axis_name="lanes")(split(x))
        return lanes[0].reshape(x.shape), lanes[1][2], lanes[2][1]

    return fn


@pytest.mark.parametrize("ops", [jaxcnn, jaxcnn.reference])
def test_lanes_that_share_their_statistics_are_one_batch(ops):
    with jax.enable_x64(True):
        found, right = (jax.jit(gradients(fn))(*arrays()) for fn in (mapped(ops), jaxcnn.reference.batch_norm))
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
            checks.assert_close(a, b, 1e-12)


def test_devices_that_share_their_statistics_are_one_batch():
    """Under shard_map, with and without its check of what varies over devices, and with the loss inside."""
    found = subprocess.run(
        [sys.executable, "-m", "tests.ops.test_batch_norms"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": str(DEVICES), "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == ["checked", "unchecked", "inside"]


def sharded(check):
    mesh = jax.make_mesh((DEVICES,), ("devices",), axis_types=(jax.sharding.AxisType.Auto,))
    batch, whole = PartitionSpec("devices"), PartitionSpec()
    return jax.shard_map(
        lambda x, scale, bias: jaxcnn.batch_norm(x, scale, bias, axis_name="devices"),
        mesh=mesh,
        in_specs=(batch, whole, whole),
        out_specs=(batch, whole, whole),
        check_vma=check,
    )


def inside():
    """Return the gradients where each device differentiates its own part of the loss."""
    mesh = jax.make_mesh((DEVICES,), ("devices",), axis_types=(jax.sharding.AxisType.Auto,))
    batch, whole = PartitionSpec("devices"), PartitionSpec()

    def of_device(x, scale, bias, g):
        def loss(x, scale, bias):
            return jax.lax.psum(
                jnp.sum(jnp.sin(jaxcnn.batch_norm(x, scale, bias, axis_name="devices")[0]) * g), "devices"
            )

        return jax.grad(loss, (0, 1, 2))(x, scale, bias)

    return jax.shard_map(of_device, mesh=mesh, in_specs=(batch, whole, whole, batch), out_specs=(batch, whole, whole))


if __name__ == "__main__":
    expected = jax.jit(gradients(jaxcnn.reference.batch_norm))(*arrays())
    for checked in (True, False):
        result = jax.jit(gradients(sharded(checked)))(*arrays())
        for mine, theirs in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
            checks.assert_close(mine, theirs, 1e-12)
        print("checked" if checked else "unchecked")
    x, scale, bias, *_, g = arrays()
    result = jax.jit(inside())(x, scale, bias, g)
    zero = jnp.zeros(3)
    expected = jax.jit(gradients(jaxcnn.reference.batch_norm))(x, scale, bias, zero, zero, g)[1]
    for mine, theirs in zip(result, expected, strict=True):
        checks.assert_close(mine, theirs, 1e-12)
    print("inside")
