"""Time the hand-derived rules beside jax.grad, and beside PyTorch, layer by layer and network by network.

Both sides run in this process, in turns, warmed up, and are judged by their paired ratios; PyTorch takes its turns in
a second process. Every ratio is the time of the other side over that of the rules: above 1, the rules are faster.
`accelerate` times networks of other libraries: the rules' side is the step after `jaxcnn.accelerate`.
"""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

try:
    import jax

    from jaxcnn._cli import fail, parse, print_line, require, run
    from jaxcnn.benchmark import against, environment, plot, report, residuals, runs, tables
    from jaxcnn.benchmark.cases import ROWS
    from jaxcnn.benchmark.measure import Effort, Measurement
    from jaxcnn.benchmark.peers import import_library
    from jaxcnn.benchmark.torch_peer import PeerError, TorchPeer
    from jaxcnn.benchmark.worker import WorkerError
except KeyboardInterrupt:  # the imports take a second or two
    sys.exit(130)


@dataclasses.dataclass
class Options:
    """Options of every command."""

    filter: str = ""
    """Take only the rows whose name contains this text, such as "depthwise"."""
    parts: tuple[str, ...] = ()
    """Take only these parts, such as forward, dx, dkernel, all, step or hvp."""
    peer: Literal["none", "torch"] = "none"
    """Also time PyTorch, if it is installed."""
    json: Path | None = None
    """Write every number to this file."""
    plot: Path | None = None
    """Draw the ratios to this file, such as ratios.svg."""
    markdown: bool = False
    """Print the compact table of the README, and not the full one."""
    xla_flags: str = ""
    """The XLA_FLAGS to run under, joined by "=": --xla-flags="--xla_cpu_multi_thread_eigen=false"."""
    repeats: int = 25
    """The most samples of each function."""
    seconds: float = 0.8
    """How long to time one part of a row; slow ones get 7 samples in any case."""
    best: bool = True
    """Look for the best compiler options of each side, too."""
    eager: bool = True
    """Time the functions without jit, too."""


@dataclasses.dataclass
class Ops(Options):
    """Time every layer: forward, each gradient, and all of them together."""

    dtype: Literal["float32", "float64", "bfloat16", "float16"] = "float32"
    """The dtype of all floating arrays."""
    against: Path | None = None
    """Time another checkout of this project instead, such as a git worktree, where its programs are other ones."""


@dataclasses.dataclass
class Models(Options):
    """Time a train step of four networks, and a product with the Hessian of the smallest."""

    seconds: float = 8.0
    """How long to time one network; slow ones get 7 samples in any case."""


@dataclasses.dataclass
class Scaling(Options):
    """Time three layers, forward and gradients together, as the batch and the image grow."""

    best: bool = False
    """Look for the best compiler options of each side, too."""
    eager: bool = False
    """Time the functions without jit, too."""


@dataclasses.dataclass
class Accelerate(Options):
    """Time a train step of networks of flax, equinox, haiku and keras, before and after jaxcnn.accelerate.

    --peer does not apply, for PyTorch has none of these networks.
    """

    seconds: float = 8.0
    """How long to time one network; slow ones get 7 samples in any case."""
    eager: bool = False
    """Time the functions without jit, too."""


@dataclasses.dataclass
class Residuals:
    """Count the bytes that each layer keeps for its backward pass; nothing is timed."""

    filter: str = ""
    """Take only the rows whose name contains this text, such as "pool"."""


COMMANDS: Any = Ops | Models | Scaling | Accelerate | Residuals


def main(options: Ops | Models | Scaling | Accelerate | Residuals) -> int:
    """Run the command, print its table, and return the exit status."""
    if isinstance(options, Residuals):
        return _print_residuals(options)
    rich_console, rich_progress = require("rich.console", "rich.progress", extra="train")
    table: Any = type(options).__name__.lower()
    chosen = _check(options, table)
    dtype = options.dtype if isinstance(options, Ops) else "float32"
    if options.xla_flags and os.environ.get("XLA_FLAGS") != options.xla_flags:
        _run_under(options.xla_flags)
    if table == "accelerate":
        _import_libraries(chosen)
    if dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    progress = rich_console.Console(stderr=True)
    if isinstance(options, Ops) and options.against is not None:
        return _print_against(options, options.against, chosen, progress)
    with _peer(options) as peer:
        where = environment.describe() | {"torch": None if peer is None else peer.about}
        effort = Effort(options.repeats, options.seconds, options.best, options.eager)
        measuring = runs.run(chosen, effort, peer, lambda line: progress.print(line, markup=False), dtype)
        measurements: list[Measurement] = []
        for measurement in rich_progress.track(
            measuring, f"timing {table}", total=len(chosen), console=progress, transient=True
        ):
            measurements.append(measurement)
            if options.json is not None:  # after each, for the run takes minutes
                options.json.write_text(json.dumps(_document(table, where, options, measurements), indent=1) + "\n")
    if options.markdown or table in ("scaling", "accelerate"):
        print_line(tables.markdown(table, [measurement.to_dict() for measurement in measurements]))
    else:
        cells = [report.full_row(measurement) for measurement in measurements]
        _print_grid(report.HEADINGS, cells, "times in ms, ± half the distance of the quartiles")
    for line in report.summary_lines(report.summary(measurements)):
        print_line(line)
    if options.json is not None:
        print_line(f"wrote {options.json}")
    if options.plot is not None:
        title = f"{table}, {where['cpu']}, {where['cores']} cores, jax {where['jax']} on {where['platform']}"
        plot.save(options.plot, measurements, title)
        print_line(f"wrote {options.plot}")
    return 0


def _print_against(options: Ops, folder: Path, chosen: Sequence[runs.Item], progress: Any) -> int:
    """Compare with another checkout, print its table, and return the exit status."""
    (rich_progress,) = require("rich.progress", extra="train")
    effort = Effort(options.repeats, options.seconds, best=False, eager=False)
    found: list[against.Comparison] = []
    try:
        with against.this_checkout(options.dtype) as this, against.Checkout(folder, options.dtype) as other:
            pairs = [(item.row.name, item.part) for item in chosen]
            comparing = against.compare(pairs, this, other, effort)
            for one in rich_progress.track(
                comparing, "timing both checkouts", total=len(chosen), console=progress, transient=True
            ):
                found.append(one)
                if options.json is not None:
                    document = _head("ops", options) | {
                        "summary": against.summary(found),
                        "rows": [dataclasses.asdict(comparison) for comparison in found],
                    }
                    options.json.write_text(json.dumps(document, indent=1) + "\n")
    except WorkerError as error:
        fail(f"--against (={folder}): {error}", status=1)
    _print_grid(against.HEADINGS, [one.cells for one in found], f"{options.dtype}; '=': the same program")
    for line in against.summary_lines(against.summary(found)):
        print_line(line)
    if options.json is not None:
        print_line(f"wrote {options.json}")
    return 0


def _print_residuals(options: Residuals) -> int:
    found = [residuals.residuals_of(row) for row in ROWS if options.filter in row.name]
    if not found:
        fail(f"--filter (={options.filter!r}) must be part of the name of a row, such as 'max-pool'")
    _print_grid(residuals.HEADINGS, [row.cells for row in found], "residuals: what is kept for the backward pass")
    larger = [row.row for row in found if row.manual > row.jax_grad]
    print_line(f"larger than those of jax.grad: {', '.join(larger) or 'none'}")
    return 0


def _print_grid(headings: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    rich_console, rich_table = require("rich.console", "rich.table", extra="train")
    console = rich_console.Console()
    if not console.is_terminal:
        console.width = 240
    grid = rich_table.Table(*headings, title=title)
    for row in rows:
        grid.add_row(*row)
    console.print(grid)


def _check(options: Options, table: runs.Table) -> list[runs.Item]:
    """Return what to measure; end the program where an option is wrong."""
    if options.repeats < 1:
        fail(f"--repeats (={options.repeats}) must be at least 1")
    if not options.seconds >= 0:
        fail(f"--seconds (={options.seconds}) must be at least 0")
    if table == "accelerate" and options.peer != "none":
        fail(f"--peer (={options.peer}) must be none: it has none of the networks of other libraries")
    if isinstance(options, Ops) and options.against is not None:
        if not (options.against / "jaxcnn" / "__init__.py").is_file():
            fail(f"--against (={options.against}) must be a checkout of this project, with a folder jaxcnn")
        if options.peer != "none" or options.plot is not None or options.markdown:
            fail(f"--against (={options.against}) must stand without --peer, --plot and --markdown")
    if options.plot is not None:
        require("matplotlib.figure", extra="plot")
    for name, path in (("--json", options.json), ("--plot", options.plot)):
        if path is not None and not path.parent.is_dir():
            fail(f"{name} (={path}) must lie in a folder that exists")
        if path is not None and (path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)):
            fail(f"{name} (={path}) must be a file that can be written")
    if options.plot is not None and not plot.can_save(options.plot):
        fail(f"--plot (={options.plot}) must end in .png, .svg or another format of matplotlib")
    everything = runs.items(table)
    if not runs.items(table, options.filter):
        fail(f"--filter (={options.filter!r}) must be part of the name of a row, such as {everything[0].row.name!r}")
    chosen = runs.items(table, options.filter, options.parts)
    if not chosen:
        names = ", ".join(dict.fromkeys(item.part for item in runs.items(table, options.filter)))
        fail(f"--parts (={' '.join(options.parts)}) must be parts of the rows: {names}")
    return chosen


def _import_libraries(chosen: Sequence[runs.Item]) -> None:
    """End the program where a library of the networks is missing, before the first of them is measured."""
    try:
        for library in dict.fromkeys(item.row.name.partition(" ")[0] for item in chosen):
            import_library(library)
    except ModuleNotFoundError as error:
        fail(error, status=1)


def _run_under(flags: str) -> None:
    """Start this program again, with XLA_FLAGS set before JAX is imported."""
    env = {**os.environ, "XLA_FLAGS": flags}
    check = [sys.executable, "-c", "import jax; jax.devices()"]
    done = subprocess.run(check, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        reasons = [line for line in done.stderr.splitlines() if "flag" in line.lower()]
        fail(f"--xla-flags (={flags}) must be flags that XLA knows: {(reasons or ['it refuses them'])[0]}")
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], env)


@contextlib.contextmanager
def _peer(options: Options) -> Iterator[TorchPeer | None]:
    if options.peer == "none":
        yield None
        return
    try:
        peer = TorchPeer("cpu" if environment.platform_name() == "cpu" else "cuda")
    except PeerError as error:
        fail(f"--peer torch: {error}", status=1)
    try:
        with peer:
            yield peer
    except PeerError as error:
        fail(f"--peer torch: {error}", status=1)


def _document(table: str, where: dict[str, Any], options: Options, measurements: list[Measurement]) -> dict[str, Any]:
    return {
        **_head(table, options),
        **where,
        "summary": report.summary(measurements),
        "rows": [measurement.to_dict() for measurement in measurements],
    }


def _head(table: str, options: Options) -> dict[str, Any]:
    """Return what every document begins with."""
    return {
        "command": table,
        "dtype": options.dtype if isinstance(options, Ops) else "float32",
        **environment.describe(),
        "options": {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()},
    }


if __name__ == "__main__":
    run(lambda: main(parse(COMMANDS)))
