import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.gradcheck import finite_difference_gradient
from jaxcnn.gradcheck.finite_differences import sample_indices


def test_derivatives_known_in_closed_form():
    x, w = np.array([[0.3, -1.2], [2.0, 0.7]], np.float32), np.array([2.0, 3.0])
    g = np.array([1.5, -2.0])

    def weighted(x, w):
        return jnp.sin(x) @ w

    found = finite_difference_gradient(weighted, (x, w), 0, g)
    right = g[:, None] * w * np.cos(x.astype(np.float64))
    np.testing.assert_allclose(found.reshape(2, 2), right, rtol=1e-8)
    found = finite_difference_gradient(weighted, (x, w), 1, g)
    np.testing.assert_allclose(found, g @ np.sin(x.astype(np.float64)), rtol=1e-8)


def test_a_function_that_returns_several_arrays():
    x = np.array([0.3, -1.2])
    g = {"square": np.array([1.5, -2.0]), "sum": np.array(3.0)}
    found = finite_difference_gradient(lambda x: {"square": x**2, "sum": jnp.sum(x)}, (x,), 0, g)
    np.testing.assert_allclose(found, 2 * x * g["square"] + 3, rtol=1e-8)
    with pytest.raises(
        ValueError, match=r"cotangent shape \(=\(2,\)\) must be that of the result \(=\{'square': \(2,\)"
    ):
        finite_difference_gradient(lambda x: {"square": x**2, "sum": jnp.sum(x)}, (x,), 0, g["square"])


def test_only_the_elements_asked_for():
    found = finite_difference_gradient(lambda x: x**3, (np.arange(4.0),), 0, np.ones(4), [(3,), (1,)])
    np.testing.assert_allclose(found, [27, 3], rtol=1e-8)


def test_sampled_indices_are_different_and_inside():
    indices = sample_indices((3, 4), 7)
    assert len(set(indices)) == 7
    assert all(0 <= i < 3 and 0 <= j < 4 for i, j in indices)
    assert sample_indices((2, 2), 99) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert sample_indices((), 5) == [()]


def test_the_step_grows_with_the_number():
    found = finite_difference_gradient(lambda x: x**2, (np.array([1e11]),), 0, np.ones(1))
    np.testing.assert_allclose(found, [2e11], rtol=1e-6)


@pytest.mark.parametrize(
    ("args", "argnum", "cotangent", "message"),
    [
        ((np.ones(2),), -1, np.ones(2), r"argnum \(=-1\) must be from 0 to 0"),
        ((np.arange(2),), 0, np.ones(2), r"argument 0 .* must be a floating array"),
        (({"a": np.ones(2)},), 0, np.ones(2), r"argument 0 .* must be a floating array"),
        ((np.ones(2),), 0, np.ones((2, 2)), r"cotangent shape \(=\(2, 2\)\) must be that of the result \(=\(2,\)\)"),
    ],
)
def test_errors_name_argument_value_and_requirement(args, argnum, cotangent, message):
    with pytest.raises(ValueError, match=message):
        finite_difference_gradient(lambda x: x, args, argnum, cotangent)
