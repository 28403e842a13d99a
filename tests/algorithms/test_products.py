import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.algorithms._products import product


@pytest.mark.parametrize(
    ("a", "a_axes", "b", "b_axes", "subscripts"),
    [
        ((4, 3), 1, (3, 5), 0, "pc,cd->pd"),
        ((2, 3, 4), (0, 1), (2, 3, 5), (0, 1), "nhc,nhd->cd"),
        ((2, 3, 4), 2, (6, 5, 4), 2, "nhc,klc->nhkl"),
        ((0, 3), 0, (0, 2), 0, "nc,nd->cd"),
    ],
)
def test_product_contracts_the_axes_it_is_given(a, a_axes, b, b_axes, subscripts):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(a), rng.standard_normal(b)
    with jax.enable_x64(True):
        found = product(jnp.asarray(x), a_axes, jnp.asarray(y), b_axes, None)
    np.testing.assert_allclose(found, np.einsum(subscripts, x, y), rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sums_in_half_precision_are_rounded_once(dtype):
    ones = jnp.ones((4096, 1), dtype)  # the sum in half precision would stop at 256 or 2048
    total = product(ones, 0, ones, 0, None)
    assert total.dtype == dtype
    assert float(total[0, 0]) == 4096.0


def test_precision_is_passed_on():
    text = str(jax.make_jaxpr(lambda a: product(a, 1, a, 1, jax.lax.Precision.HIGH))(jnp.ones((2, 3))))
    assert "Precision.HIGH" in text
