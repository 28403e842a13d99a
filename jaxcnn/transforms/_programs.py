"""What programs are made of: the programs that equations hold, and their variables."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from jaxcnn.algorithms.choice import ALGORITHMS, PARTS

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn

RULES = {"vjp": ("custom_vjp_call",), "all": ("custom_vjp_call", "custom_jvp_call")}  # calls of what has such a rule


def programs_of(eqn: "JaxprEqn") -> Iterator["Jaxpr"]:
    """Yield the programs among the parameters of an equation."""
    from jax.extend.core import ClosedJaxpr, Jaxpr  # here, because it imports Pallas

    def among(values: Any) -> Iterator["Jaxpr"]:
        for value in values:
            if isinstance(value, ClosedJaxpr | Jaxpr):
                yield value.jaxpr if isinstance(value, ClosedJaxpr) else value
            elif isinstance(value, tuple | list):
                yield from among(value)

    return among(eqn.params.values())


def calls(program: "Jaxpr", primitives: Sequence[str]) -> bool:
    """Return whether one of some primitives stands in a program, or in one that its equations hold."""
    return any(
        eqn.primitive.name in primitives or any(calls(inner, primitives) for inner in programs_of(eqn))
        for eqn in program.eqns
    )


def own_algorithm(eqn: "JaxprEqn") -> tuple[str, str, str] | None:
    """Return algorithm, part and platform of an equation that runs what `choice.run` chose; None of others."""
    name = str(eqn.params.get("name")).rsplit("_", 2)
    return (name[0], name[1], name[2]) if len(name) == 3 and name[0] in ALGORITHMS and name[1] in PARTS else None


def is_variable(atom: Any) -> bool:
    """Return whether an input of an equation, or an output of a program, is no constant that is written out."""
    from jax.extend.core import Literal

    return not isinstance(atom, Literal)


def shape_of(atom: Any) -> tuple[int, ...]:
    """Return the shape of an input or output of an equation."""
    return atom.aval.shape


def dtype_of(atom: Any) -> Any:
    """Return the dtype of an input or output of an equation."""
    return atom.aval.dtype
