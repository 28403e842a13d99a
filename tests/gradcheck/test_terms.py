import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxcnn.gradcheck.terms import TRANSCENDENTAL, roundings


def ones(*shape):
    return jnp.ones(shape, jnp.float32)


@pytest.mark.parametrize(
    ("fn", "args", "terms"),
    [
        (lambda a, b: a @ b, (ones(3, 50), ones(50, 2)), 50),
        (lambda x: x.sum((0, 2)), (ones(4, 3, 5),), 20),
        (lambda x: x + x, (ones(3),), 1),
        (jnp.exp, (ones(3),), TRANSCENDENTAL),
        (lambda x: x.reshape(6).T[::-1], (ones(2, 3),), 0),
        (lambda x: jnp.max(x, 0), (ones(2, 3),), 0),
        (lambda a, b: (a @ b) @ b, (ones(3, 50), ones(50, 50)), 100),
        (lambda a, b: (a @ b) * b.sum(), (ones(1, 5), ones(5, 5)), 26),
        (jax.jit(lambda x: jnp.sum(x * x)), (ones(9),), 10),
        (lambda x: lax.scan(lambda c, r: (c + r, None), 0.0 * x[0], x)[0], (ones(7, 2),), 8),
        (
            lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")),
            (ones(1, 5, 5, 4), ones(3, 2, 4, 6)),
            24,
        ),
    ],
)
def test_the_terms_behind_a_result(fn, args, terms):
    (found,) = roundings(fn, *args)
    assert found.terms == terms


def test_each_result_has_its_own_count():
    small, large = roundings(lambda x: (x + 1, x.sum()), ones(100))
    assert (small.terms, large.terms) == (1, 100)
    assert (small.operations, large.operations) == (1, 1)


def test_the_kernel_gradient_of_a_convolution_sums_over_all_outputs():
    def conv(x, k):
        return lax.conv_general_dilated(x, k, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def gradients(x, k, g):
        return jax.vjp(conv, x, k)[1](g)

    dx, dkernel = roundings(gradients, ones(8, 12, 12, 3), ones(3, 3, 3, 5), ones(8, 10, 10, 5))
    assert dx.terms == 9 * 5
    assert dkernel.terms == 8 * 10 * 10
    assert np.sqrt(dkernel.terms) < 30
