"""The table of comparisons on a terminal: one row an array, and below it the reports of what is off."""

from collections.abc import Sequence
from typing import Any

from jaxcnn._extras import import_extra
from jaxcnn.gradcheck.suite import Outcome

COLUMNS = (
    "case",
    "dtype",
    "array",
    "shape",
    "max abs",
    "max rel",
    "ulp",
    "cosine",
    "autodiff",
    "fin. diff.",
    "verdict",
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
            row.path if row.kind == "gradient" else row.kind,
            str(row.shape),
            f"{row.max_abs:.1e}",
            f"{row.max_rel:.1e}",
            f"{row.max_ulp:.3g}",
            f"{row.cosine:.6f}",
            _number(row.autodiff_rel),
            _number(difference),
            "ok" if row.ok and outcome.differences_ok(row.path) else "BAD",
        )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
