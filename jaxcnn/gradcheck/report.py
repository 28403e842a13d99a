"""The report of a comparison: one row an array, a verdict, and a table."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple


class GradientMismatchError(AssertionError):
    """Two gradients differ by more than the tolerance; the message is the report's table."""


class Row(NamedTuple):
    """What was found about one output or one input."""

    kind: str  # "value", as called; "value in vjp", as differentiated; or "gradient"
    path: str  # the name of the argument and the path of the leaf in it
    shape: tuple[int, ...]
    dtype: str
    max_abs: float
    max_rel: float  # max|manual - judge| / max|judge|
    max_ulp: float
    cosine: float
    position: tuple[int, ...]  # where the largest difference sits
    manual_at: float
    judge_at: float
    rtol: float
    autodiff_rel: float | None  # half precision only: plain autodiff in that precision, against the judge
    diagnosis: str = ""  # what the difference looks like, where it is too large

    @property
    def ok(self) -> bool:
        """Whether the relative difference is within the tolerance (nan is not)."""
        return self.max_rel <= self.rtol


class Report(NamedTuple):
    """The rows of a comparison, and the leaves that have no gradient."""

    rows: tuple[Row, ...]
    skipped: tuple[str, ...]  # paths of integer, bool and key leaves

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
        return {"ok": self.ok, "rows": rows, "skipped": list(self.skipped)}

    def __str__(self) -> str:
        cells = [("kind", "path", "shape", "dtype", "max abs", "max rel", "ulp", "cosine", "at", "manual", "judge", "")]
        for row in self.rows:
            numbers = (f"{row.max_abs:.2e}", f"{row.max_rel:.2e}", f"{row.max_ulp:.3g}", f"{row.cosine:.6f}")
            place = (str(row.position), f"{row.manual_at:.6g}", f"{row.judge_at:.6g}")
            verdict = "ok" if row.ok else f"BAD (over {row.rtol:.1e})"
            cells.append((row.kind, row.path, str(row.shape), row.dtype, *numbers, *place, verdict))
        lines = align(cells)
        lines += [f"{row.kind} of {row.path}: {row.diagnosis}" for row in self.bad if row.diagnosis]
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
