"""`without_custom_rules`: functions as JAX differentiates them by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.gradcheck import compare
from jaxcnn.transforms import without_custom_rules

X = jnp.asarray(np.random.default_rng(0).standard_normal((2, 5, 5, 3)), jnp.float32)
KERNEL = jnp.asarray(np.random.default_rng(1).standard_normal((3, 3, 3, 4)), jnp.float32)


@jax.custom_vjp
def square(x):
    return x * x


square.defvjp(lambda x: (x * x, x), lambda x, g: (5 * x * g,))  # wrong: right is 2


@jax.custom_jvp
def cube(x):
    return x**3


cube.defjvps(lambda t, y, x: 7 * t)  # wrong: right is 3 x^2


def test_a_wrong_rule_is_taken_out_and_found():
    assert jax.grad(square)(3.0) == 15
    assert jax.grad(without_custom_rules(square))(jnp.float32(3)) == 6
    report = compare(square, without_custom_rules(square), jnp.array([1.0, 2.0]))
    assert not report.ok


@pytest.mark.parametrize("op", [jaxcnn.conv, jaxcnn.depthwise_conv])
def test_a_right_rule_agrees(op):
    kernel = KERNEL if op is jaxcnn.conv else KERNEL[:, :, :1, :3]
    compare(op, without_custom_rules(op), X, kernel, argnums=(0, 1)).raise_if_bad()


def test_which_rules_are_taken_out():
    x = jnp.float32(2)
    assert jax.grad(without_custom_rules(cube))(x) == 7
    assert jax.grad(without_custom_rules(cube, "all"))(x) == 12

    def both(x):
        return cube(square(x))

    assert jax.grad(without_custom_rules(both))(x) == 7 * 4
    assert jax.grad(without_custom_rules(both, which="all"))(x) == 6 * 2**5


def test_through_every_nesting():
    @jax.custom_vjp
    def outer(x):
        return jax.jit(square)(x) + 1

    outer.defvjp(lambda x: (outer(x), None), lambda _, g: (100 * g,))

    def nested(x):
        def body(c, _):
            return jax.lax.cond(jnp.sum(c) < 0, lambda c: c, lambda c: jax.checkpoint(outer)(c), c), None

        return jax.lax.scan(body, x, length=2)[0]

    plain = without_custom_rules(jax.jit(nested))
    x = jnp.float32(1)
    assert jax.grad(plain)(x) == 8  # of (x^2 + 1)^2 + 1
    assert jax.jvp(plain, (x,), (x,))[1] == 8
    assert jax.hessian(plain)(x) == 16
    assert jax.jacfwd(jax.jacfwd(plain))(x) == 16


def test_forward_mode_of_every_kind_of_layer():
    def layers(x):
        y = jaxcnn.max_pool(jaxcnn.conv(x, KERNEL), (2, 2))
        return jaxcnn.layer_norm(jaxcnn.relu(y))

    def reference(x):
        y = jaxcnn.reference.max_pool(jaxcnn.reference.conv(x, KERNEL), (2, 2))
        return jaxcnn.reference.layer_norm(jaxcnn.reference.relu(y))

    found, right = (jax.jvp(fn, (X,), (jnp.sin(X),))[1] for fn in (without_custom_rules(layers), reference))
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-5 * float(jnp.max(jnp.abs(right))))


def test_what_cannot_be_taken_out_is_said():
    def solve(b):
        return jax.lax.custom_linear_solve(lambda v: 2 * square(v), b, lambda matvec, b: b, symmetric=True)

    with pytest.raises(ValueError, match="custom rule inside custom_linear_solve"):
        without_custom_rules(solve)(jnp.ones(3))


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"which \(='jvp'\) must be one of 'vjp', 'all'"):
        without_custom_rules(square, "jvp")
    with pytest.raises(TypeError, match=r"fn \(=None\) must be a function"):
        without_custom_rules(None)
    with pytest.raises(TypeError, match=r"must be a function that jax.jit can compile"):
        without_custom_rules(lambda x: float(x))(X[0, 0, 0, 0])
