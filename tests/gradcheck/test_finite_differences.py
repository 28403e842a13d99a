import jax.numpy as jnp
import numpy as np

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


def test_only_the_elements_asked_for():
    found = finite_difference_gradient(lambda x: x**3, (np.arange(4.0),), 0, np.ones(4), [(3,), (1,)])
    np.testing.assert_allclose(found, [27, 3], rtol=1e-8)


def test_sampled_indices_are_different_and_inside():
    indices = sample_indices((3, 4), 7)
    assert len(set(indices)) == 7
    assert all(0 <= i < 3 and 0 <= j < 4 for i, j in indices)
    assert sample_indices((2, 2), 99) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert sample_indices((), 5) == [()]
