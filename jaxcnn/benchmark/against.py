"""This checkout's layers beside those of another one, each in a process of its own, in turns.

Most changes leave most layers as they are. So each part of a row is lowered on both sides first, and what is the same
text, once its symbols are numbered by appearance, is not timed.

A result of some megabytes is memory that the allocator asks the system for, page by page, or has from the last call;
which of the two depends on what a process did before, and changed the time of an elementwise layer by a factor of four.
So both processes keep the memory that they have once had.
"""

import dataclasses
import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

import jaxcnn.ops
from jaxcnn.benchmark import parts
from jaxcnn.benchmark.cases import ROWS
from jaxcnn.benchmark.measure import SLOWER, Effort
from jaxcnn.benchmark.timing import Ratio, Sampler, Statistics, interleave, paired_ratio, sampler_of, summarize
from jaxcnn.benchmark.worker import Worker, WorkerError

HEADINGS = ("row", "part", "this ms", "other ms", "other / this", "95 %")
_KEEPS_MEMORY = {  # of glibc; a second arena would give back what it has, whatever the thresholds say
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
}
_SYMBOL = re.compile(r"@(?:[\w$.\-]+|\"[^\"]*\")")


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One part of one row on both sides; times are in milliseconds.

    Attributes:
      row: its name.
      part: what was computed.
      same: whether both lower to the same text; then nothing was timed.
      this: this checkout; None where nothing was timed.
      other: the other one.
      ratio: the time of the other one over that of this one: above 1 where this one is faster.
      problem: why the other one cannot do this; None where it can.
    """

    row: str
    part: str
    same: bool = False
    this: Statistics | None = None
    other: Statistics | None = None
    ratio: Ratio | None = None
    problem: str | None = None

    @property
    def slower(self) -> bool:
        """Whether this checkout is slower, beyond doubt."""
        return self.ratio is not None and self.ratio.high < SLOWER

    @property
    def cells(self) -> tuple[str, ...]:
        """What a table shows, under `HEADINGS`."""
        if self.this is None or self.other is None or self.ratio is None:
            return (self.row, self.part, "", "", "=" if self.same else "", self.problem or "")
        times = (f"{side.median:.3g}" for side in (self.this, self.other))
        return (
            self.row,
            self.part,
            *times,
            f"{self.ratio.median:.3f}",
            f"{self.ratio.low:.3f} to {self.ratio.high:.3f}",
        )


class Lowered:
    """A part of a row, lowered, compiled and timed in the process of a checkout.

    Args:
      dtype: of the floating arrays.
    """

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype
        self._lowered: Any = None
        self._args: list[Any] = []
        self.sampler: Sampler = lambda calls: 0.0

    def lower(self, row: str, part: str) -> str:
        """Lower a part of a row, and return the digest of its program."""
        jax.clear_caches()
        (found,) = (one for one in ROWS if one.name == row)
        self._args = parts.part_args(found, part, self._dtype)
        self._lowered = jax.jit(parts.part_function(found, part, jaxcnn.ops)).lower(*self._args)
        return program_digest(self._lowered.as_text())

    def compile(self) -> float:
        """Compile what was lowered, so that it can be timed, and return the seconds."""
        start = time.perf_counter()
        self.sampler = sampler_of(self._lowered.compile(), self._args)
        return time.perf_counter() - start

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of the other process, as `checkout_worker` describes them."""
        if "calls" in request:
            return {"seconds": self.sampler(request["calls"])}
        if "compile" in request:
            return {"seconds": self.compile()}
        return {"program": self.lower(request["row"], request["part"])}


class Checkout:
    """A checkout of the project in a process of its own; a context manager, which ends that process.

    Args:
      folder: where it is.
      dtype: of the floating arrays of rows.
      name: how it is called in errors.

    Raises:
      WorkerError: its package cannot be imported.
    """

    def __init__(self, folder: Path, dtype: str, name: str = "the other checkout") -> None:
        # -P: the folder of the file is not on the path.
        command = ["-P", str(Path(__file__).with_name("checkout_worker.py"))]
        self._worker = Worker(command, [folder.resolve()], name, environment=_KEEPS_MEMORY)
        try:
            self.about = self._worker.ask({"checkout": str(folder.resolve()), "dtype": dtype})
        except WorkerError:
            self.close()
            raise

    def lower(self, row: str, part: str) -> str:
        """Lower a part of a row there, and return the digest of its program."""
        return self._worker.ask({"row": row, "part": part})["program"]

    def compile(self) -> Sampler:
        """Compile it, and return its sampler."""
        self._worker.ask({"compile": True})
        return lambda calls: self._worker.ask({"calls": calls})["seconds"]

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def __enter__(self) -> "Checkout":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def this_checkout(dtype: str) -> Checkout:
    """Return the checkout that this module belongs to, for floating arrays of a dtype."""
    return Checkout(Path(__file__).parents[2], dtype, "this checkout")


def compare(chosen: Sequence[tuple[str, str]], this: Checkout, other: Checkout, effort: Effort) -> Iterator[Comparison]:
    """Compare parts of rows, one after the other.

    Args:
      chosen: the names of rows, and their parts.
      this: this checkout.
      other: the other one.
      effort: how much time to spend on each that is timed.

    Raises:
      WorkerError: this checkout cannot do what was chosen.
    """
    for row, part in chosen:
        program = this.lower(row, part)
        try:
            if other.lower(row, part) == program:
                yield Comparison(row, part, same=True)
                continue
            sampler = other.compile()
        except WorkerError as error:
            yield Comparison(row, part, problem=str(error))
            continue
        samplers = {"this": this.compile(), "other": sampler}
        taken = interleave(samplers, repeats=effort.repeats, seconds=effort.seconds, rest=5e-3)
        ratio = paired_ratio(taken["other"], taken["this"])
        yield Comparison(row, part, False, summarize(taken["this"]), summarize(taken["other"]), ratio)


def program_digest(text: str) -> str:
    """Return a digest of the StableHLO of a module that does not depend on what its functions are called.

    Args:
      text: as `Lowered.as_text()` returns it.
    """
    names: dict[str, str] = {}
    numbered = _SYMBOL.sub(lambda found: names.setdefault(found[0], f"@{len(names)}"), text)
    return hashlib.sha256(numbered.encode()).hexdigest()


def summary(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return how many parts were compared, were the same, and could not be; and which this checkout is slower in."""
    return {
        "parts": len(comparisons),
        "same": sum(one.same for one in comparisons),
        "not compared": [f"{one.row}, {one.part}: {one.problem}" for one in comparisons if one.problem],
        "slower": [
            f"{one.row}, {one.part}: {one.ratio.median:.3f} ({one.ratio.low:.3f} to {one.ratio.high:.3f})"
            for one in comparisons
            if one.slower and one.ratio is not None
        ],
    }


def summary_lines(facts: dict[str, Any]) -> list[str]:
    """Return a summary for people."""
    lines = [f"{facts['same']} of {facts['parts']} parts are the same program"]
    for name, heading in (("not compared", "not compared"), ("slower", "slower than the other checkout")):
        lines += [f"{heading}: {len(facts[name])}", *(f"  {line}" for line in facts[name])]
    return lines
