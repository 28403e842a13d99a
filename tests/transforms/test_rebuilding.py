"""Equations that hold programs, made again: the same values and gradients, with the layers of this package inside."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from jaxcnn.transforms import accelerate, without_custom_rules

X = jnp.asarray(np.random.default_rng(0).standard_normal((2, 6, 5, 4)), jnp.float32)
KERNEL = jnp.asarray(np.random.default_rng(1).standard_normal((3, 3, 1, 4)), jnp.float32) / 4


def layer(x, kernel):
    numbers = ("NHWC", "HWIO", "NHWC")
    return jnp.tanh(
        lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=4)
    )


def scan(x, kernel):
    def body(carry, row):
        y = layer(carry, kernel) + row
        return y, jnp.sum(y, -1)

    return lax.scan(body, x, jnp.arange(3.0), reverse=True, unroll=2)


def scan_without_carry(x, kernel):
    return lax.map(lambda one: layer(one[None], kernel), x)


def fori(x, kernel):
    return lax.fori_loop(0, 3, lambda i, y: layer(y, kernel) + i, x)


def while_loop(x, kernel):
    most = jnp.sum(kernel**2) * 100
    state = lax.while_loop(
        lambda s: (s[0] < 3) & (jnp.sum(s[1]) < most), lambda s: (s[0] + 1, layer(s[1], kernel)), (0, x)
    )
    return state[1]


def cond(x, kernel):
    return lax.cond(jnp.sum(x) > 0, layer, lambda x, k: layer(x, -k), x, kernel)


def switch(x, kernel):
    branches = [layer, lambda x, k: layer(2 * x, k), lambda x, k: x]
    return sum(lax.switch(index, branches, x, kernel) for index in (jnp.int32(0), jnp.int32(1), jnp.int32(7)))


def by_platform(x, kernel):
    return lax.platform_dependent(
        x, kernel, cpu=layer, tpu=lambda x, k: layer(x, -k), default=lambda x, k: layer(x, 2 * k)
    )


def compiled(x, kernel):
    return jax.jit(layer)(jax.jit(layer, inline=True)(x, kernel), kernel)


def checkpoint(x, kernel):
    return jax.checkpoint(layer)(x, kernel)


def checkpoint_with_policy(x, kernel):
    policy = jax.checkpoint_policies.dots_with_no_batch_dims_saveable
    return jax.checkpoint(lambda x: layer(layer(x, kernel), kernel), policy=policy, prevent_cse=False)(x)


def nested(x, kernel):
    step = jax.checkpoint(lambda x: jax.jit(cond)(x, kernel))
    return lax.scan(lambda carry, _: (step(carry), None), x, length=2)[0]


def constants(x, kernel):
    held = np.asarray(KERNEL)
    return jax.jit(lambda x: layer(layer(x, held), kernel))(x)


def sharded(x, kernel, check_vma=True):
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    specs = (PartitionSpec("data"), PartitionSpec())

    def of_shard(x, kernel):
        y = layer(x, kernel)
        return y, lax.psum(jnp.sum(y), "data")

    return jax.shard_map(of_shard, mesh=mesh, in_specs=specs, out_specs=specs, check_vma=check_vma)(x, kernel)


PROGRAMS = [scan, scan_without_carry, fori, cond, switch, by_platform, compiled, checkpoint, checkpoint_with_policy, nested,
            constants, sharded, functools.partial(sharded, check_vma=False)]  # fmt: skip
NAMES = [getattr(program, "__name__", "sharded, unchecked") for program in PROGRAMS]


def close(found, right):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=3e-6 * float(np.max(np.abs(b))))


def gradients(fn):
    def total(x, kernel):
        return sum(jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(fn(x, kernel)))

    return jax.grad(total, (0, 1))


def share(fn, *args):
    reports = []
    accelerate(fn, report=reports.append)(*args)
    return reports[0].share


@pytest.mark.parametrize("fn", PROGRAMS, ids=NAMES)
def test_values_and_gradients(fn):
    fast = accelerate(fn)
    right = jax.jit(fn)(X, KERNEL)
    close(jax.jit(fast)(X, KERNEL), right)
    close(fast(X, KERNEL), right)
    assert share(fn, X, KERNEL) == 1
    right = jax.jit(gradients(fn))(X, KERNEL)
    close(jax.jit(gradients(fast))(X, KERNEL), right)
    close(jax.jit(accelerate(gradients(fn)))(X, KERNEL), right)
    assert share(gradients(fn), X, KERNEL) == 1


@pytest.mark.parametrize("fn", PROGRAMS, ids=NAMES)
def test_rules_are_taken_out_of_it(fn):
    plain = without_custom_rules(accelerate(fn))
    close(jax.jit(plain)(X, KERNEL), jax.jit(fn)(X, KERNEL))
    assert "custom_vjp_call" not in str(jax.make_jaxpr(plain)(X, KERNEL))
    tangents = [jax.jit(lambda x, k, f=f: jax.jvp(f, (x, k), (x, k))[1])(X, KERNEL) for f in (plain, fn)]
    close(*tangents)


def test_a_while_loop():
    close(jax.jit(accelerate(while_loop))(X, KERNEL), while_loop(X, KERNEL))
    assert share(while_loop, X, KERNEL) == 1


def test_what_holds_nothing_to_replace_stays_as_it_is():
    def plain(x):
        return lax.scan(lambda c, _: (jnp.sin(c), None), x, length=2)[0]

    assert str(jax.make_jaxpr(accelerate(plain))(X)) == str(jax.make_jaxpr(plain)(X))


def test_the_settings_of_jit_are_kept():
    donating = jax.jit(layer, donate_argnums=0, keep_unused=True)
    x = X + 0
    accelerate(donating)(x, KERNEL)
    assert x.is_deleted()
    names = str(jax.make_jaxpr(accelerate(donating))(X, KERNEL))
    assert "name=layer" in names
    assert "keep_unused=True" in names


def test_shardings_of_jit_are_kept():
    one = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    placed = jax.jit(layer, in_shardings=(one, None), out_shardings=one)
    close(accelerate(placed)(X, KERNEL), layer(X, KERNEL))


def test_checkpoint_still_recomputes():
    fn = accelerate(checkpoint)
    saved = jax.tree.leaves(jax.vjp(lambda x: fn(x, KERNEL), X)[1])
    assert sorted(leaf.shape for leaf in saved) == sorted([X.shape, KERNEL.shape])


def test_a_gradient_with_checkpoint_keeps_its_barrier():
    text = jax.jit(accelerate(gradients(checkpoint))).lower(X, KERNEL).as_text()
    assert "optimization_barrier" in text
