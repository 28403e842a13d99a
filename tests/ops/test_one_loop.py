"""XLA's CPU compiler makes one loop of an elementwise layer, and one of its gradient.

It makes two, with an array of the size of x between them, where two things are made of a division or an exponential.
"""

import jax
import pytest

import jaxcnn.ops
from jaxcnn.benchmark import parts
from jaxcnn.benchmark.cases import activations

ROWS = [row for row in activations.ROWS if row.name != "glu"]  # the gradient of glu is two arrays, one after the other


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="it is of XLA's CPU compiler")
@pytest.mark.parametrize("part", ["forward", "dx"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_an_activation_is_one_loop(row, part):
    small = row.shrunk()
    lowered = jax.jit(parts.part_function(small, part, jaxcnn.ops)).lower(*parts.part_args(small, part))
    text = lowered.compile().as_text()
    assert text[text.index("ENTRY") :].count(" fusion(") == 1
