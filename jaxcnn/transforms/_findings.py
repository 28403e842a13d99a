"""What `accelerate` reports: each layer of a program, by what it was replaced or why it stays, and its cost."""

import collections
import math
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from jaxcnn.transforms._programs import own_algorithm, programs_of, shape_of
from jaxcnn.transforms._text import align

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

    from jaxcnn.transforms._rewriting import Rewritten

WINDOWED = (
    "conv_general_dilated",
    "reduce_window",
    "reduce_window_max",
    "reduce_window_min",
    "reduce_window_sum",
    "select_and_gather_add",
    "select_and_scatter",
    "select_and_scatter_add",
)
_SOURCES = {"select_and_scatter": 1, "select_and_scatter_add": 0}  # which operand has one element a window
_PACKAGE = str(Path(__file__).resolve().parents[1])
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")})


class Finding(NamedTuple):
    """A kind of equation in a program.

    Attributes:
      primitive: the name of its primitive.
      shapes: those of its arrays.
      by: what replaces it; None where it stays.
      why: why it stays.
      where: the line of the caller's source that made it.
      flops: the floating-point operations of one, counted for convolutions and pools only; a size that is a symbol
        counts as 1.
      times: how often it stands in the program; the body of a `scan` counts as often as it is run, that of a `while`
        once, and every branch.
    """

    primitive: str
    shapes: str
    by: str | None
    why: str
    where: str
    flops: int
    times: int = 1


class Report(NamedTuple):
    """What `accelerate` did to a program; `str` makes its table.

    Attributes:
      findings: one for each kind of equation that was replaced, and of convolution and pool that stays.
    """

    findings: tuple[Finding, ...]

    @property
    def share(self) -> float:
        """The share of the floating-point operations of convolutions and pools that is replaced; 1 of none."""
        total = sum(one.flops * one.times for one in self.findings)
        return sum(one.flops * one.times for one in self.findings if one.by) / total if total else 1.0

    def __str__(self) -> str:
        if not self.findings:
            return "no convolution, no pool, nothing replaced"
        rows = [("replaced" if one.by else "left", f"{one.times}x", *one[:2], one.by or one.why, one.where)
                for one in sorted(self.findings, key=lambda one: one.by is None)]  # fmt: skip
        heading = ("", "", "primitive", "shapes", "by, or why not", "where")
        share = f"{self.share:.1%} of the FLOPs of convolutions and pools replaced"
        return "\n".join([*align([heading, *rows]), share])

    def __repr__(self) -> str:
        return f"<Report of {len(self.findings)} findings, {self.share:.1%} replaced>"


def report_of(rewritten: "Rewritten") -> Report:
    """Return what was found in a program."""
    counted: collections.Counter[Finding] = collections.Counter()
    for finding in _found(rewritten, 1):
        counted[finding._replace(times=1)] += finding.times
    return Report(tuple(finding._replace(times=times) for finding, times in counted.items()))


def _found(rewritten: "Rewritten", times: int) -> Iterator[Finding]:
    for eqn, by, why, inside in rewritten.decisions:
        if by is not None or eqn.primitive.name in WINDOWED:
            yield _finding(eqn, by, why, times)
        elif inside:
            for program in inside:
                yield from _found(program, times * _rounds(eqn))
        else:
            yield from (_finding(kept, None, why, times * rounds) for kept, rounds in _windowed_in(eqn))


def _windowed_in(eqn: "JaxprEqn", times: int = 1) -> Iterator[tuple["JaxprEqn", int]]:
    """Yield the convolutions and pools in the programs of an equation, with how often each is run."""
    if own_algorithm(eqn) is not None:
        return
    for program in programs_of(eqn):
        for inner in program.eqns:
            if inner.primitive.name in WINDOWED:
                yield inner, times * _rounds(eqn)
            yield from _windowed_in(inner, times * _rounds(eqn))


def _rounds(eqn: "JaxprEqn") -> int:
    return _number(eqn.params["length"]) if eqn.primitive.name == "scan" else 1


def _finding(eqn: "JaxprEqn", by: str | None, why: str, times: int) -> Finding:
    shapes = " ".join(",".join(map(str, shape_of(var))) or "scalar" for var in (*eqn.invars, *eqn.outvars))
    return Finding(eqn.primitive.name, shapes, by, why, where(eqn), flops_of(eqn), times)


def flops_of(eqn: "JaxprEqn") -> int:
    """Return the floating-point operations of a convolution or pool, a symbol in its sizes being 1; 0 of others.

    A pool has one for each tap of each window, and so does its gradient, whose windows are those of its source.
    """
    if eqn.primitive.name not in WINDOWED:
        return 0
    given: Mapping[str, Any] = eqn.params
    shapes = [tuple(map(_number, shape_of(var))) for var in (*eqn.invars, *eqn.outvars)]
    if eqn.primitive.name == "conv_general_dilated":
        _, kernel, result = shapes
        of_output = [size for axis, size in enumerate(kernel) if axis != given["dimension_numbers"].rhs_spec[0]]
        return 2 * math.prod(result) * math.prod(of_output) // math.prod(given["lhs_dilation"])
    windows = shapes[_SOURCES[eqn.primitive.name]] if eqn.primitive.name in _SOURCES else shapes[len(eqn.invars)]
    return math.prod(windows) * math.prod(given["window_dimensions"])


def _number(size: Any) -> int:
    """Return a size; 1 for one that is a symbol."""
    return 1 if jax.export.is_symbolic_dim(size) else size


def where(eqn: "JaxprEqn") -> str:
    """Return the innermost line outside of libraries that made an equation; that of a library if there is none."""
    traceback: Any = eqn.source_info.traceback
    frames: Sequence[Any] = () if traceback is None else traceback.frames
    own = [frame for frame in frames if not _is_inside(frame.file_name, _PACKAGE)]
    chosen = [frame for frame in own if not any(_is_inside(frame.file_name, folder) for folder in _LIBRARIES)] or own
    return f"{chosen[0].file_name}:{chosen[0].line_num} ({chosen[0].function_name})" if chosen else "unknown"


def _is_inside(file: str, folder: str) -> bool:
    return file.startswith((folder.rstrip("/") + "/", "<frozen"))
