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
    from jaxcnn.gradcheck.table import print_outcomes, stdout_console
except KeyboardInterrupt:  # the imports take a second or two
    sys.exit(130)


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
    rich_console, rich_progress, _ = require("rich.console", "rich.progress", "rich.table", extra="train")
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
    console = stdout_console()
    print_outcomes(console, outcomes)
    if options.json is not None:
        options.json.write_text(json.dumps(_document(outcomes), indent=1) + "\n")
        console.print(f"wrote {options.json}", highlight=False)
    agreeing = sum(outcome.ok for outcome in outcomes)
    console.print(f"{agreeing} of {len(outcomes)} comparisons agree", highlight=False)
    return 0 if outcomes and agreeing == len(outcomes) else 1


def _check_file(path: Path) -> None:
    if not path.parent.is_dir():
        fail(f"--json (={path}) must lie in a folder that exists")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        fail(f"--json (={path}) must be a file that can be written")


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
