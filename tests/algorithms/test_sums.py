"""Sums run in float32 and are rounded once: of positive numbers in bfloat16, every result is the nearest or the next."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.algorithms import choice
from jaxcnn.gradcheck.tolerances import ulp_difference
from tests.algorithms.algorithm_checks import AlgorithmCase, case_of, compiled, operands_of

CASES = {
    "direct": case_of("", (3, 9, 8, 4), (5, 4, 4, 5)),
    "canonical": case_of("", (3, 9, 8, 4), (5, 4, 4, 5)),
    "depthwise": case_of("", (3, 9, 8, 2), (3, 3, 1, 16)),
    "grouped": case_of("", (3, 9, 8, 8), (5, 4, 4, 8)),
    "pointwise": case_of("", (3, 9, 8, 16), (1, 1, 16, 16)),
    "patches": case_of("", (5, 12, 12, 3), (4, 4, 3, 16), strides=4),
    "planes": case_of("", (3, 12, 5, 3, 2), (11, 2, 1, 2, 2)),
    "input_dilated": case_of("", (3, 6, 5, 2), (4, 4, 2, 3), input_dilation=2),
    "columns": case_of("", (9, 3, 2, 4), (5, 4, 4, 5)),
    "col2im": case_of("", (2, 9, 8, 2), (6, 6, 2, 2)),
    "lattice": case_of("", (2, 9, 8, 2), (6, 6, 2, 2)),
    "outer_products": case_of("", (2, 9, 8, 2), (6, 4, 2, 2)),
}


@pytest.mark.parametrize("name", choice.ALGORITHMS)
def test_sums_in_half_precision_are_rounded_once(name):
    case = AlgorithmCase("conv", name, CASES[name].inputs, CASES[name].options, algorithm=choice.ALGORITHMS[name])
    parts = [part for part in choice.PARTS if hasattr(case.algorithm, part)]
    rng = np.random.default_rng(0)

    def each(given):
        return {part: getattr(case.algorithm, part)(*arrays, *static[part]) for part, arrays in given.items()}

    assert case.accepted
    static = {part: operands_of(part, case, jnp.float32)[1] for part in parts}
    given = {
        part: [jnp.asarray(rng.uniform(1, 2, a.shape), jnp.bfloat16) for a in operands_of(part, case, jnp.float32)[0]]
        for part in parts
    }
    found = compiled(each)(given)
    with jax.enable_x64(True):
        right = compiled(each)({part: [a.astype(np.float64) for a in arrays] for part, arrays in given.items()})
    for part in parts:
        assert found[part].dtype == jnp.bfloat16
        assert ulp_difference(found[part], right[part], jnp.bfloat16) <= 0.51, part
