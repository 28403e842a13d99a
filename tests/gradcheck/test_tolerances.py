import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.gradcheck.tolerances import (
    absolute_difference,
    cosine,
    rtol_of,
    ulp_difference,
)


def test_rtol_by_dtype():
    assert rtol_of(jnp.float64) == 1e-13
    assert rtol_of("float32") == 4e-6
    assert rtol_of(jnp.bfloat16) > rtol_of(jnp.float16) > rtol_of(jnp.float32)
    with pytest.raises(ValueError, match=r"dtype \(=int32\) must be one of float64"):
        rtol_of(np.int32)


def test_absolute_difference_of_numbers_that_are_not_finite():
    a = np.array([1.0, np.nan, np.inf, np.inf, np.nan, -np.inf])
    b = np.array([3.0, np.nan, np.inf, -np.inf, 0.0, 5.0])
    np.testing.assert_array_equal(absolute_difference(a, b), [2, 0, 0, np.inf, np.inf, np.inf])


@pytest.mark.parametrize(
    ("b", "step", "dtype"),
    [(1.0, 2.0**-52, "float64"), (1.5, 2.0**-23, "float32"), (3.0, 2.0**-6, "bfloat16"), (2.0, 2.0**-9, "float16")],
)
def test_ulp_difference(b, step, dtype):
    assert ulp_difference(np.array([b + 3 * step]), np.array([b]), dtype) == 3
    assert float(np.nextafter(np.asarray(b, jnp.dtype(dtype)), np.asarray(9, jnp.dtype(dtype)))) == b + step


def test_cosine():
    assert cosine(np.array([1.0, 0.0]), np.array([0.0, 2.0])) == 0
    assert cosine(np.array([1.0, np.nan]), np.array([-3.0, 1.0])) == -1
    assert cosine(np.zeros(2), np.zeros(2)) == 1
    assert cosine(np.zeros(2), np.ones(2)) == 0
