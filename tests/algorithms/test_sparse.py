import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.algorithms import sparse


def dense(rows, count):
    matrix = np.zeros((rows.columns.shape[1], count))
    for columns, weights in zip(rows.columns, rows.weights, strict=True):
        np.add.at(matrix, (np.arange(len(columns)), columns), weights)
    return matrix


def drawn(longest, rows=5, count=4):
    rng = np.random.default_rng(longest)
    weights = rng.standard_normal((longest, rows)) * (rng.random((longest, rows)) < 0.7)
    return sparse.Rows(rng.integers(0, count, (longest, rows)), weights)


@pytest.mark.parametrize("longest", [1, 3, sparse.LONGEST + 1])
def test_products_are_those_of_the_dense_matrix_and_of_its_transpose(longest):
    rows = drawn(longest)
    with jax.enable_x64(True):
        x, y = (np.random.default_rng(0).standard_normal((2, n, 3)) for n in (4, 5))
        for found, right in (
            (sparse.product(rows, jnp.asarray(x), 1), np.einsum("oi,nic->noc", dense(rows, 4), x)),
            (
                sparse.product(sparse.transposed(rows, 4), jnp.asarray(y), 1),
                np.einsum("oi,noc->nic", dense(rows, 4), y),
            ),
        ):
            assert found.dtype == jnp.float64
            np.testing.assert_allclose(found, right, rtol=0, atol=1e-14)


def test_products_go_along_every_spatial_axis_and_skip_the_identity():
    x = jnp.arange(12.0).reshape(3, 4, 1)
    rows = sparse.selection([2, 0, 0]), sparse.selection(range(4))
    np.testing.assert_array_equal(sparse.products(rows, x), x[np.array([2, 0, 0])])
    assert jax.make_jaxpr(lambda x: sparse.product(rows[1], x, 1))(x).eqns == []
    assert jax.make_jaxpr(lambda x: sparse.product(sparse.selection(range(3)), x, 1))(x).eqns != []


def test_absent_elements_take_no_part():
    x = jnp.array([jnp.inf, 1.0]).reshape(2, 1)
    rows = sparse.Rows(np.array([[1, 0], [0, 1]]), np.array([[2.0, 1.0], [0.0, -1.0]]))
    np.testing.assert_array_equal(sparse.product(rows, x, 0).ravel(), [2, np.inf])
    np.testing.assert_array_equal(
        sparse.product(sparse.selection([0, 0, 1], [False, True, True]), x, 0).ravel(), [0, np.inf, 1]
    )
    back = sparse.transposed(sparse.selection([1, 1], [True, False]), 3)
    np.testing.assert_array_equal(sparse.product(back, x, 0).ravel(), [0, np.inf, 0])


def test_of_integers_bools_and_nothing():
    x = jnp.array([[1], [2]], jnp.int8)
    assert sparse.product(sparse.selection([1, 0, 1], [True, True, False]), x, 0).ravel().tolist() == [2, 1, 0]
    assert sparse.product(sparse.selection([1, 0]), x > 1, 0).ravel().tolist() == [True, False]
    assert sparse.product(sparse.selection([]), x, 0).shape == (0, 1)
