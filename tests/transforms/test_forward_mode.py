"""Forward mode and transposition through hand rules: an error of ours where there is no way, and only there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxcnn

X = jnp.asarray(np.random.default_rng(0).standard_normal((1, 5, 4, 2)), jnp.float32)
KERNEL = jnp.asarray(np.random.default_rng(1).standard_normal((3, 3, 2, 2)), jnp.float32)


def layer(x, kernel=KERNEL):
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def square(x):
    return jnp.sum(fast(x) ** 2)


def along(fn, x):
    """Return the derivative of fn along x itself."""
    return jax.jvp(fn, (x,), (x,))[1]


fast = jaxcnn.accelerate(layer)
in_jit = jaxcnn.accelerate(lambda x: jax.jit(layer)(x))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: along(fast, x),
        jax.jit(lambda x: along(fast, x)),
        jax.jit(lambda tangent: jax.jvp(fast, (X,), (tangent,))),
        jax.jit(lambda x: jax.jvp(fast, (x,), (X,))),
        jax.jit(lambda x: along(in_jit, x)),
        jax.jit(jax.jacfwd(fast)),
        jax.jit(lambda x: along(lambda x: along(fast, x), x)),
        jax.jit(lambda x: jax.vmap(lambda x: along(fast, x))(x[None])),
        jax.jit(lambda x: along(jax.vmap(fast), x[None])),
        jax.jit(lambda x: lax.scan(lambda carry, _: (along(fast, carry), None), x, None, length=2)),
        lambda x: jax.eval_shape(lambda x: along(fast, x), x),
    ],
)
def test_forward_mode_is_refused_when_it_is_traced(call):
    with pytest.raises(
        TypeError, match=r"accelerated function \(=.*\) must not be .* in forward mode.*without_custom_rules"
    ):
        call(X)


def test_a_kernel_that_is_closed_over_is_seen():
    def of_kernel(kernel):
        return jaxcnn.accelerate(lambda x: layer(x, kernel))(X)

    with pytest.raises(TypeError, match=r"must not be differentiated in forward mode"):
        jax.jit(lambda kernel: along(of_kernel, kernel))(KERNEL)


def test_forward_mode_works_beside_and_over_reverse_mode():
    """Where the tangent meets no rule, or only the derived passes of one."""
    with_bias = jaxcnn.accelerate(lambda x, bias: layer(x) + bias)
    bias = jnp.ones(2)
    found = jax.jit(lambda b: along(lambda b: with_bias(X, b), b))(bias)
    np.testing.assert_array_equal(found, jnp.broadcast_to(bias, X.shape))

    def product(fn):
        return jax.jit(lambda b: along(lambda b: jax.grad(lambda x: jnp.sum(fn(x, b) ** 2))(X), b))(bias)

    np.testing.assert_allclose(product(with_bias), product(lambda x, b: layer(x) + b), rtol=1e-5, atol=1e-4)
    hessian = jax.jit(jax.hessian(square))(X)
    np.testing.assert_allclose(hessian, jax.hessian(lambda x: jnp.sum(layer(x) ** 2))(X), rtol=1e-5, atol=1e-4)


def jitted_jvp(primals, tangents):
    return jax.jit(lambda p, t: jax.jvp(square, p, t))(primals, tangents)


@pytest.mark.parametrize("rule", [lambda p, t: jax.jvp(square, p, t), jitted_jvp])
@pytest.mark.parametrize(
    "gradient",
    [
        jax.grad,
        lambda fn: jax.jit(jax.grad(fn)),
        lambda fn: jax.grad(jax.jit(fn)),
        lambda fn: jax.grad(jax.checkpoint(fn)),
        lambda fn: jax.grad(lambda x: lax.scan(lambda carry, _: (carry, fn(x)), x, None, length=1)[1].sum()),
    ],
)
def test_a_custom_jvp_rule_that_calls_jvp_has_its_reverse_pass(rule, gradient):
    own = jax.custom_jvp(square)
    own.defjvp(rule)
    np.testing.assert_allclose(gradient(own)(X), jax.grad(square)(X), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("conv", lambda x: jaxcnn.conv(x, KERNEL)),
        ("conv", lambda x: jaxcnn.conv(x, KERNEL, padding="CIRCULAR")),
        ("avg_pool", lambda x: jaxcnn.avg_pool(x, (2, 2))),
        ("relu", jaxcnn.relu),
        ("flatten", jaxcnn.flatten),
        ("conv", jax.vmap(lambda x: jaxcnn.conv(x, KERNEL))),
        ("dense", lambda x: jaxcnn.dense(x, KERNEL[0, 0])),
        ("squared_error", lambda x: jaxcnn.squared_error(x)),
    ],
)
def test_linear_transpose_is_refused(name, call):
    with pytest.raises(NotImplementedError, match=rf"jax.linear_transpose of {name} is not possible.*jax.vjp"):
        jax.linear_transpose(call, X)(call(X))


def test_linear_transpose_of_an_accelerated_function_is_refused():
    with pytest.raises(NotImplementedError, match=r"\(=layer\) must not be given to jax.linear_transpose: use"):
        jax.linear_transpose(fast, X)(X)
    (there,), right = jax.vjp(fast, X)[1](X), jax.linear_transpose(layer, X)(X)[0]
    np.testing.assert_allclose(there, right, rtol=1e-5, atol=1e-5)
