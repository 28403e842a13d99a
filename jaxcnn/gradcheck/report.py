"""The report of a comparison: one row an array, a verdict, and a table."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple


class GradientMismatchError(AssertionError):
    """Two gradients differ by more than the tolerance; the message is the report's table."""


class Row(NamedTuple):
    """What was found about one output or one input."""

    # "value", as called; "value in vjp", as differentiated; "gradient"; "second order", the derivative of the
    # gradients; and, only where it is off: "value at ties", "gradient at ties" and "linear in g"
    kind: str
    path: str  # the name of the argument and the path of the leaf in it
    shape: tuple[int, ...]
    dtype: str
    max_abs: float
    max_rel: float  # max|manual - judge| / scale, in the slice where it is largest
    max_ulp: float
    cosine: float
    position: tuple[int, ...]  # where that is
    manual_at: float
    judge_at: float
    rtol: float
    autodiff_rel: float | None  # plain autodiff in the dtype of the array, against the judge
    scale: float = 0.0  # max|judge| of that slice, or the size of the terms that cancel in it
    judge: str = ""  # "auto in float64", "finite differences", "auto" in its own dtype, or "manual itself"
    odd: str = ""  # who is further from the judge than rounding explains: manual, auto, or both
    least_cosine: float = -1.0  # what the cosine must be at least
    diagnosis: str = ""  # what the difference looks like, where it is too large

    @property
    def ok(self) -> bool:
        """Whether the difference is within the tolerance (nan is not), and the direction is right."""
        return self.max_rel <= self.rtol and self.cosine >= self.least_cosine


class Report(NamedTuple):
    """The rows of a comparison, and the leaves that have no gradient."""

    rows: tuple[Row, ...]
    skipped: tuple[str, ...]  # paths of integer, bool and key leaves
    notes: tuple[str, ...] = ()  # who judged, what was tried, what could not be compared

    @property
    def ok(self) -> bool:
        """Whether every row is."""
        return all(row.ok for row in self.rows)

    @property
    def bad(self) -> tuple[Row, ...]:
        """The rows that are not."""
        return tuple(row for row in self.rows if not row.ok)

    def raise_if_bad(self) -> None:
        """Do nothing if all is well.

        Raises:
          GradientMismatchError: a row differs by more than its tolerance.
        """
        if not self.ok:
            raise GradientMismatchError(f"{len(self.bad)} of {len(self.rows)} arrays differ\n{self}")

    def to_dict(self) -> dict[str, Any]:
        """Return the report in types that JSON holds; what is not finite becomes a string."""
        rows = [{name: _plain(value) for name, value in row._asdict().items()} | {"ok": row.ok} for row in self.rows]
        return {"ok": self.ok, "rows": rows, "skipped": list(self.skipped), "notes": list(self.notes)}

    def __str__(self) -> str:
        head = ("kind", "array", "shape", "dtype", "scale", "difference", "cosine", "tolerance", "at", "manual")
        cells: list[tuple[str, ...]] = [(*head, "judge", "verdict", "odd")]
        for row in self.rows:
            numbers = (f"{row.scale:.2e}", f"{row.max_rel:.2e}", f"{row.cosine:.6f}", f"{row.rtol:.1e}")
            place = (str(row.position), f"{row.manual_at:.6g}", f"{row.judge_at:.6g}")
            verdict = ("ok" if row.ok else "BAD", row.odd)
            cells.append((row.kind, row.path, str(row.shape), row.dtype, *numbers, *place, *verdict))
        lines = align(cells)
        lines += [f"{row.kind} of {row.path}: {row.diagnosis}" for row in self.bad if row.diagnosis]
        lines += self.notes
        if self.skipped:
            lines.append("skipped, no gradient: " + ", ".join(self.skipped))
        lines.append("all within tolerance" if self.ok else f"{len(self.bad)} of {len(self.rows)} out of tolerance")
        return "\n".join(lines)


def align(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return one line a row, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
