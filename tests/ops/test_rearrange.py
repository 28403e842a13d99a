import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks


def oracle(case):
    def of_array(x):
        rank = case.options.get("batch_rank", 1)
        rows = [[x[(*n, *rest)] for rest in np.ndindex(*x.shape[rank:])] for n in np.ndindex(*x.shape[:rank])]
        return np.array(rows).reshape(*x.shape[:rank], -1)

    return of_array


class TestFlatten(checks.OpChecks):
    ops = ("flatten",)
    oracle = staticmethod(oracle)


def test_other_dtypes_ranks_and_empty_batches():
    assert jaxcnn.flatten(jnp.arange(6).reshape(2, 3, 1)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert jaxcnn.flatten(jnp.ones(3)).shape == (3, 1)
    assert jaxcnn.flatten(jnp.ones((2, 3)), batch_rank=0).shape == (6,)
    assert jaxcnn.flatten(jnp.ones((0, 3, 4))).shape == (0, 12)
    assert checks.residuals(jaxcnn.flatten, jnp.ones((2, 3, 4))) == []


def test_errors_name_argument_value_and_requirement():
    with pytest.raises(ValueError, match=r"batch_rank \(=3\) must not exceed the rank of x \(shape \(2, 3\)\)"):
        jaxcnn.flatten(jnp.ones((2, 3)), batch_rank=3)
    with pytest.raises(ValueError, match=r"batch_rank \(=-1\) must be at least 0"):
        jaxcnn.flatten(jnp.ones((2, 3)), batch_rank=-1)
    with pytest.raises(TypeError, match=r"batch_rank \(=1.5\) must be an int"):
        jax.jit(lambda x: jaxcnn.flatten(x, batch_rank=1.5))(jnp.ones((2, 3)))
