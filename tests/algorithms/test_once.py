import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.algorithms._once import once

ARRAYS = (jnp.linspace(-1.0, 1.0, 4), jnp.linspace(0.5, 2.0, 4))


def value(x, y):
    return jnp.sin(x) * y


@pytest.mark.parametrize(
    "transform",
    [
        lambda fn: fn,
        jax.jit,
        lambda fn: jax.jacrev(fn, (0, 1)),
        lambda fn: jax.jacfwd(fn, (0, 1)),
        lambda fn: jax.hessian(fn, (0, 1)),
        lambda fn: jax.jacrev(jax.checkpoint(fn)),
        lambda fn: jax.jit(jax.vmap(fn, (None, 0))),
        lambda fn: jax.vmap(jax.grad(fn, 1)),
    ],
    ids=["eager", "jit", "jacrev", "jacfwd", "hessian", "checkpoint", "vmap over one", "vmap of grad"],
)
def test_it_is_the_function(transform):
    found = transform(lambda *arrays: once(value, *arrays))(*ARRAYS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, transform(value)(*ARRAYS))


def test_no_elements():
    assert once(value, jnp.ones((0, 3)), jnp.ones((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("check_vma", [True, False])
def test_it_varies_where_its_arrays_do(check_vma):
    devices = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("d",))
    rows, whole = jax.P("d"), jax.P()

    def fn(x, y):
        return once(lambda x, y: x[:, None] * y[None], x, y)

    sharded = jax.shard_map(fn, mesh=devices, in_specs=(rows, whole), out_specs=rows, check_vma=check_vma)
    np.testing.assert_allclose(jax.jit(sharded)(*ARRAYS), jnp.outer(*ARRAYS), rtol=1e-6)


def compiled(fn, *shapes):
    return jax.jit(fn).lower(*(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)).compile().as_text()


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="what XLA's CPU compiler merges")
def test_it_is_computed_once_where_xla_would_repeat_it():
    def neighbours(y):
        return y[1:] * y[:-1], jnp.max(y.reshape(-1, 2), axis=1)

    def repeated(x, y):
        return neighbours(value(x, y))

    def written(x, y):
        return neighbours(once(value, x, y))

    assert compiled(repeated, (1024,), (1024,)).count(" sine(") > 1
    assert compiled(written, (1024,), (1024,)).count(" sine(") == 1


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="choices of the CPU")
@pytest.mark.parametrize(
    ("x_shape", "kernel_shape"),
    [((128, 28, 28, 1), (5, 5, 1, 32)), ((2, 12, 12, 8), (5, 5, 1, 8))],
    ids=["outer products", "depthwise"],
)
def test_a_pool_and_its_gradient_do_not_convolve_again(x_shape, kernel_shape):
    """All products are in one place; each element of a pool's window would have those of all taps."""

    def loss(bias, x, kernel):
        y = jaxcnn.relu(jaxcnn.conv(x, kernel, bias, feature_group_count=x_shape[-1]))
        return jnp.sum(jaxcnn.max_pool(y, (2, 2)))

    program = compiled(jax.grad(loss), kernel_shape[-1:], x_shape, kernel_shape)
    *others, most = sorted(body.count(" multiply(") for body in program.split("\n\n"))
    assert most == 25
    assert max(others) < 9
