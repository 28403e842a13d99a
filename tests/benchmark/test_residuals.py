import pytest

from jaxcnn.benchmark.cases import ROWS
from jaxcnn.benchmark.residuals import residuals_of


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_rule_keeps_more_than_jax_grad(row):
    """But for one or two numbers a row of logits, which keep the digits that the output in half precision has lost."""
    found = residuals_of(row)
    assert found.manual <= 1.01 * found.jax_grad, found.arrays


def test_what_is_kept_is_counted():
    (row,) = (row for row in ROWS if row.name == "max-pool 2x2 s2")
    found = residuals_of(row)
    assert found.manual == 128 * 14 * 14 * 32 + 128 * 28 * 14 * 32  # a byte each
    assert found.jax_grad == 4 * 128 * 28 * 28 * 32
    assert found.arrays == "uint8[128,28,14,32], uint8[128,14,14,32]"
