"""Depthwise convolutions of many taps, and of many output channels for each: those of lax, to the second order."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn

CASES = {  # x, kernel, options
    "one axis": ((2, 40, 3), (150, 1, 3), {}),
    "one axis, stride and dilation": ((1, 300, 2), (133, 1, 4), {"strides": 2, "kernel_dilation": 2}),
    "a square": ((1, 14, 13, 2), (13, 12, 1, 2), {}),
    "the longest axis is the first": ((1, 60, 5, 2), (70, 3, 1, 2), {"strides": (1, 2)}),
    "dilated input": ((1, 20, 2), (140, 1, 2), {"input_dilation": 3}),
    "three axes": ((1, 6, 7, 20, 2), (3, 3, 17, 1, 2), {"padding": "VALID"}),
    "more padding than input": ((1, 9, 2), (129, 1, 2), {"padding": ((128, 130),)}),
    "many outputs of a channel": ((2, 7, 6, 3), (3, 2, 1, 36), {"strides": (2, 1)}),
    "many outputs and many taps": ((1, 50, 2), (130, 1, 22), {}),
}


QUICK = ("one axis", "a square", "many outputs of a channel")


@pytest.mark.parametrize("case", [pytest.param(c, marks=() if c in QUICK else pytest.mark.full) for c in CASES])
def test_value_and_derivatives_are_those_of_lax(case):
    shape, kernel_shape, options = CASES[case]
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        args = tuple(jnp.asarray(random.standard_normal(s)) for s in (shape, kernel_shape))
        vectors = tuple(jnp.asarray(random.standard_normal(s)) for s in (shape, kernel_shape))

        def of(layers):
            def conv(x, kernel):
                return layers.conv(x, kernel, feature_group_count=shape[-1], **options)

            def gradient(*args):
                return jax.grad(lambda *args: jnp.sum(jnp.sin(conv(*args))), (0, 1))(*args)

            def inner(*args):
                return sum(jnp.vdot(a, b) for a, b in zip(gradient(*args), vectors, strict=True))

            return jax.jit(
                lambda *args: (
                    conv(*args),
                    gradient(*args),
                    jax.jvp(gradient, args, vectors)[1],
                    jax.grad(inner, (0, 1))(*args),
                )
            )(*args)

        found, right = of(jaxcnn), of(jaxcnn.reference)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * np.max(np.abs(b)))


def test_the_second_order_of_many_taps_keeps_no_copy_for_each():
    x, kernel = jnp.zeros((1, 400, 4)), jnp.zeros((200, 1, 4))

    def gradient(x, kernel):
        return jax.grad(lambda x: jnp.sum(jaxcnn.conv(x, kernel, feature_group_count=4) ** 2))(x)

    saved = jax.tree.leaves(jax.vjp(gradient, x, kernel)[1])
    assert max(leaf.size for leaf in saved) < 8 * x.size


def test_no_tap_beyond_the_window_meets_an_infinity():
    """A window of 133 taps is groups of 16 and one of 5, which is not filled up with zeros."""
    x = jnp.zeros((400, 1)).at[0].set(jnp.inf)
    y = jaxcnn.conv(x, jnp.ones((133, 1, 1)), padding="VALID", feature_group_count=1)
    deep = jaxcnn.conv(jnp.tile(x, 2), jnp.ones((133, 1, 2)), padding="VALID", feature_group_count=2)
    np.testing.assert_array_equal(deep[1:], jnp.zeros((267, 2)))
    assert jnp.isinf(deep[0]).all()
    assert y.shape == (268, 1)
