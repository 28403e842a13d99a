"""Compare the hand-derived gradients of every public op and of the models with automatic ones.

Prints one row for each input of each case: the largest difference between the manual gradient and its judge
(`jax.grad` of the reference; for half precision that in float64, rounded once), the same for plain autodiff in half
precision, and in float64 the difference from central finite differences. Exits with status 1 when anything is off.
"""

import dataclasses
import datetime
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any, Literal

try:
    import jax

    from jaxcnn._cli import fail, parse, require, run
    from jaxcnn.gradcheck import suite
except KeyboardInterrupt:  # the imports take a second or two
    sys.exit(130)

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


@dataclasses.dataclass
class Options:
    """Compare manual with automatic gradients, over every public op and the models."""

    only: str = ""
    """Take only the cases whose name contains this text, such as "max_pool" or "lenet"."""
    every_case: bool = False
    """Take every case of a layer where `only` names none, instead of its first: minutes."""
    dtypes: tuple[Literal["float64", "float32", "bfloat16", "float16"], ...] = suite.DTYPES
    """The dtypes to compare in."""
    json: Path | None = None
    """Write every row to this file, as JSON."""


def main(options: Options) -> int:
    """Run the comparison, print it, and return the exit status."""
    rich_console, rich_progress, rich_table = require("rich.console", "rich.progress", "rich.table", extra="train")
    of_all = suite.SUBJECTS if options.only or options.every_case else suite.FIRST_SUBJECTS
    subjects = [subject for subject in of_all if options.only in subject.name]
    if not subjects:
        fail(f"--only (={options.only!r}) must be part of the name of a case, such as {suite.SUBJECTS[0].name!r}")
    if not options.dtypes:
        fail("--dtypes (=) must name at least one dtype")
    if options.json is not None:
        _check_file(options.json)
    comparisons = suite.run(subjects, options.dtypes)
    total = len(subjects) * len(options.dtypes)
    progress = rich_console.Console(stderr=True)
    outcomes = list(rich_progress.track(comparisons, "comparing", total=total, console=progress, transient=True))
    console = rich_console.Console()
    if not console.is_terminal:
        console.width = 160
    table = rich_table.Table(*COLUMNS)
    _add_rows(table, outcomes)
    console.print(table)
    bad = [outcome for outcome in outcomes if not outcome.ok]
    for outcome in bad:
        console.print(f"\n{outcome.name}, {outcome.dtype}", style="bold")
        console.print(str(outcome.report), markup=False, highlight=False, soft_wrap=True)
    if options.json is not None:
        options.json.write_text(json.dumps(_document(outcomes), indent=1) + "\n")
        console.print(f"wrote {options.json}", highlight=False)
    console.print(f"{len(outcomes) - len(bad)} of {len(outcomes)} comparisons agree", highlight=False)
    return 0 if outcomes and not bad else 1


def _check_file(path: Path) -> None:
    if not path.parent.is_dir():
        fail(f"--json (={path}) must lie in a folder that exists")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        fail(f"--json (={path}) must be a file that can be written")


def _add_rows(table: Any, outcomes: list[suite.Outcome]) -> None:
    for outcome in outcomes:
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


def _document(outcomes: list[suite.Outcome]) -> dict[str, Any]:
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "machine": platform.machine(),
        "ok": bool(outcomes) and all(outcome.ok for outcome in outcomes),
        "comparisons": [outcome.to_dict() for outcome in outcomes],
    }


if __name__ == "__main__":
    run(lambda: main(parse(Options)))
