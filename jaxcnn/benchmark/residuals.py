"""What the backward rules keep: the residuals of every layer in bytes, found from shapes, nothing being computed."""

import math
from typing import Any, NamedTuple

import jax

import jaxcnn.ops
import jaxcnn.reference
from jaxcnn.benchmark import plain
from jaxcnn.benchmark.cases import Row


class Residuals(NamedTuple):
    """The residuals of a row on both sides."""

    row: str
    shapes: str
    manual: int  # bytes
    jax_grad: int
    arrays: str  # those of the rules, for people

    @property
    def cells(self) -> list[str]:
        """What a table shows."""
        return [self.row, self.shapes, f"{self.manual:,}", f"{self.jax_grad:,}", self.arrays]


HEADINGS = ("layer", "shapes", "manual bytes", "jax.grad bytes", "manual keeps")


def residuals_of(row: Row) -> Residuals:
    """Return the residuals of all gradients of a row."""
    manual, auto = (_kept(row, ops) for ops in (jaxcnn.ops, jaxcnn.reference))
    arrays = ", ".join(f"{leaf.dtype}[{','.join(map(str, leaf.shape))}]" for leaf in manual)
    return Residuals(row.name, row.shapes, sum(map(_bytes, manual)), sum(map(_bytes, auto)), arrays or "nothing")


def _kept(row: Row, ops: Any) -> list[Any]:
    function, wanted = row.function(plain.row_layers(ops)), row.differentiated

    def pull(*arrays: jax.Array) -> Any:
        def of_wanted(*chosen: jax.Array) -> Any:
            given = dict(zip(wanted, chosen, strict=True))
            return function(*(given.get(i, array) for i, array in enumerate(arrays)))

        return jax.vjp(of_wanted, *(arrays[i] for i in wanted))[1]

    leaves = jax.tree.leaves(jax.eval_shape(pull, *row.arrays()))
    return sorted(leaves, key=_bytes, reverse=True)


def _bytes(leaf: Any) -> int:
    return math.prod(leaf.shape) * leaf.dtype.itemsize
