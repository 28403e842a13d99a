"""How many roundings stand behind a number: the terms of the sums that lead to it, read from the program.

The error of a sum of n rounded terms grows with sqrt(n) where the roundings are independent of each other. A number's
count is that of the operand with the largest one, and what its own operation adds: the terms of a product of matrices,
a convolution or a sum, one for an arithmetic operation, TRANSCENDENTAL for a function that XLA computes to some units
in the last place, and none for what only moves numbers. Beside it stands the number of operations, each counted once:
half precision is rounded once an operation, for its sums run in float32.

References: Higham 2002, "Accuracy and Stability of Numerical Algorithms", chapters 3 and 4; Higham and Mary 2019, "A
new approach to probabilistic rounding error analysis" (the square root).
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from jaxcnn.transforms._programs import is_variable, programs_of

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn

TRANSCENDENTAL = 16  # an error of some 4 units in the last place
TRANSCENDENTALS = frozenset(
    [
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "bessel_i0e",
        "bessel_i1e",
        "cbrt",
        "cos",
        "cosh",
        "digamma",
        "erf",
        "erf_inv",
        "erfc",
        "exp",
        "exp2",
        "expm1",
        "integer_pow",
        "lgamma",
        "log",
        "log1p",
        "logistic",
        "pow",
        "rsqrt",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
    ]
)
MOVES = frozenset(
    [
        "broadcast_in_dim",
        "clamp",
        "concatenate",
        "copy",
        "dynamic_slice",
        "dynamic_update_slice",
        "eq",
        "gather",
        "ge",
        "gt",
        "iota",
        "is_finite",
        "le",
        "lt",
        "max",
        "min",
        "ne",
        "neg",
        "not",
        "pad",
        "reduce_and",
        "reduce_max",
        "reduce_min",
        "reduce_or",
        "reduce_precision",
        "reduce_window_max",
        "reduce_window_min",
        "reshape",
        "rev",
        "scatter",
        "select_n",
        "sign",
        "slice",
        "sort",
        "split",
        "squeeze",
        "stop_gradient",
        "transpose",
    ]
)


class Roundings(NamedTuple):
    """The roundings behind a number."""

    terms: float = 0.0
    operations: float = 0.0

    def after(self, terms: float, operations: float) -> "Roundings":
        """Return what stands behind the result of an operation on this number."""
        return Roundings(self.terms + terms, self.operations + operations)


def roundings(fn: Callable[..., Any], *args: Any) -> list[Roundings]:
    """Return the roundings behind each array that `fn` returns.

    Args:
      fn: a function that JAX can trace.
      *args: its arguments, arrays or pytrees of arrays.
    """
    closed = jax.make_jaxpr(fn)(*args)
    return _through(closed.jaxpr, [Roundings()] * len(closed.jaxpr.invars))


def _through(program: "Jaxpr", inputs: Sequence[Roundings]) -> list[Roundings]:
    found = dict.fromkeys(program.constvars, Roundings())
    found |= dict(zip(program.invars, inputs, strict=True))

    def behind(atoms: Sequence[Any]) -> list[Roundings]:
        return [found[atom] if is_variable(atom) else Roundings() for atom in atoms]

    for eqn in program.eqns:
        operands, inside = behind(eqn.invars), list(programs_of(eqn))
        if (
            len(inside) == 1
            and len(inside[0].invars) == len(eqn.invars)
            and eqn.primitive.name not in ("scan", "while")
        ):
            results = _through(inside[0], operands)
        else:
            worst = _worst(operands)
            added = [_worst(_through(program, [Roundings()] * len(program.invars))) for program in inside]
            longest = _worst(added) if inside else Roundings(_terms(eqn), float(eqn.primitive.name not in MOVES))
            times = eqn.params.get("length", 1) if eqn.primitive.name == "scan" else 1
            results = [worst.after(times * longest.terms, times * longest.operations)] * len(eqn.outvars)
        found |= dict(zip(eqn.outvars, results, strict=False))
    return behind(program.outvars)


def _worst(several: Sequence[Roundings]) -> Roundings:
    return Roundings(max((r.terms for r in several), default=0.0), max((r.operations for r in several), default=0.0))


def _terms(eqn: "JaxprEqn") -> float:
    """Return how many roundings an operation adds to the number behind it."""
    name, params = eqn.primitive.name, eqn.params
    shapes: list[Any] = [getattr(atom.aval, "shape", ()) for atom in eqn.invars]
    if name in MOVES:
        return 0.0
    if name in TRANSCENDENTALS:
        return float(TRANSCENDENTAL)
    if name == "dot_general":
        return math.prod(shapes[0][axis] for axis in params["dimension_numbers"][0][0])
    if name == "conv_general_dilated":
        spec = params["dimension_numbers"].rhs_spec
        return math.prod(size for axis, size in enumerate(shapes[1]) if axis != spec[0])
    if name in ("reduce_window_sum", "reduce_window", "select_and_scatter_add"):
        return math.prod(params["window_dimensions"])
    if name.startswith(("cumsum", "cumprod", "cumlogsumexp")):
        return shapes[0][params["axis"]]
    if name.startswith("scatter"):
        return 1 + math.prod(shapes[2]) / max(1, math.prod(shapes[0]))
    if name in ("reduce_sum", "reduce_prod"):
        return math.prod(shapes[0]) / max(1, math.prod(getattr(eqn.outvars[0].aval, "shape", ())))
    return 1.0
