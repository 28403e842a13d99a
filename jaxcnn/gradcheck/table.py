"""The table of comparisons on a terminal: one row an array, and below it the reports of what is off."""

from collections.abc import Sequence
from typing import Any

from jaxcnn._extras import import_extra
from jaxcnn.gradcheck.report import Row
from jaxcnn.gradcheck.suite import Outcome

COLUMNS = (
    "case",
    "dtype",
    "array",
    "shape",
    "scale",
    "difference",
    "cosine",
    "tolerance",
    "autodiff",
    "fin. diff.",
    "verdict",
    "odd",
)
WIDTH = 160  # where stdout is no terminal


def stdout_console() -> Any:
    """Return the rich console that writes to stdout.

    Raises:
      ModuleNotFoundError: rich, of the extra `train`, is not installed.
    """
    console = import_extra("rich.console", "train").Console()
    if not console.is_terminal:
        console.width = WIDTH
    return console


def print_outcomes(console: Any, outcomes: Sequence[Outcome]) -> None:
    """Print the table of several comparisons, and the whole report of each that is off.

    Args:
      console: the rich console to print on.
      outcomes: the comparisons, in the order of the table.

    Raises:
      ModuleNotFoundError: rich, of the extra `train`, is not installed.
    """
    table = import_extra("rich.table", "train").Table(*COLUMNS)
    for outcome in outcomes:
        _add_rows(table, outcome)
    console.print(table)
    for outcome in outcomes:
        if not outcome.ok:
            console.print(f"\n{outcome.name}, {outcome.dtype}", style="bold")
            console.print(str(outcome.report), markup=False, highlight=False, soft_wrap=True)


def _add_rows(table: Any, outcome: Outcome) -> None:
    for row in outcome.report.rows:
        difference = outcome.finite_differences.get(row.path) if row.kind == "gradient" else None
        table.add_row(
            outcome.name,
            outcome.dtype,
            _array(row),
            str(row.shape),
            f"{row.scale:.1e}",
            f"{row.max_rel:.1e}",
            f"{row.cosine:.6f}",
            f"{row.rtol:.1e}",
            _number(row.autodiff_rel),
            _number(difference),
            "ok" if row.ok and outcome.differences_ok(row.path) else "BAD",
            row.odd,
        )


def _array(row: Row) -> str:
    """Return what the row is about: an output by the row's kind, a gradient by its name."""
    if row.kind.startswith("value"):
        return row.kind
    return row.path if row.kind == "gradient" else f"{row.kind}, {row.path}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
