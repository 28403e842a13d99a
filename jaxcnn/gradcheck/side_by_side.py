"""Numbers as text, to be followed by hand: sums of products, small matrices, and two computations side by side."""

from collections.abc import Iterable
from typing import Any

import numpy as np

LABEL_WIDTH, COLUMN_WIDTH = 30, 32


def number(value: Any) -> str:
    """Return a number with five significant digits.

    Example:
      >>> number(2.5), number(-0.0), number(1 / 3)
      ('2.5', '0', '0.33333')
    """
    return f"{float(value) + 0.0:.5g}"  # + 0.0 turns -0 into 0


def factor(value: Any) -> str:
    """Return a number as a factor or a summand, in parentheses where it is negative.

    Example:
      >>> factor(-1), factor(2)
      ('(-1)', '2')
    """
    text = number(value)
    return f"({text})" if text.startswith("-") else text


def sum_of_products(first: Any, second: Any, bias: Any = 0.0) -> str:
    """Return the sum of first[i] second[i], and of a bias if it is not 0, written out.

    Args:
      first: an array.
      second: an array with as many elements.
      bias: a number.

    Example:
      >>> sum_of_products([1, 0], [1, -1]), sum_of_products([2], [3], -0.5)
      ('1*1 + 0*(-1)', '2*3 + (-0.5)')
    """
    terms = [f"{factor(a)}*{factor(b)}" for a, b in zip(np.ravel(first), np.ravel(second), strict=True)]
    return " + ".join(terms + [factor(bias)] * bool(bias))


def matrix(array: Any) -> list[str]:
    """Return an array of rank 0, 1 or 2 as lines of numbers, one a row, in aligned columns.

    Example:
      >>> matrix([[1, -2], [0.5, 0]])
      ['  1  -2', '0.5   0']
    """
    cells = [[number(value) for value in row] for row in np.atleast_2d(array)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]


def side_by_side(label: str, *arrays: Any) -> str:
    """Return a label and arrays of equal shape, of rank 0, 1 or 2, as lines in which a bar parts one from the next.

    Example:
      >>> print(side_by_side("error", [1, 2], [1, 2]))
      error                         1  2                             | 1  2
    """
    return lines_beside(label, *map(matrix, arrays))


def lines_beside(label: str, *columns: Iterable[str]) -> str:
    """Return a label and columns of text, as many lines each, as lines in which a bar parts one from the next.

    Example:
      >>> print(lines_beside("", ["by the rules"], ["by jax.grad"]))
                                    by the rules                     | by jax.grad
    """
    rows = [" | ".join(text.ljust(COLUMN_WIDTH) for text in row).rstrip() for row in zip(*columns, strict=True)]
    return "\n".join(f"{label if line == 0 else '':<{LABEL_WIDTH}}{row}" for line, row in enumerate(rows))
