"""The ratios of a table as a chart."""

from collections.abc import Sequence
from pathlib import Path

from jaxcnn._extras import import_extra
from jaxcnn.benchmark.measure import Measurement


def can_save(path: Path) -> bool:
    """Return whether matplotlib knows the ending of a file.

    Raises:
      ModuleNotFoundError: matplotlib is not installed.
    """
    return path.suffix[1:].lower() in import_extra("matplotlib.backend_bases", "plot").FigureCanvasBase.filetypes


def save(path: Path, measurements: Sequence[Measurement], title: str) -> None:
    """Draw a horizontal bar for each measurement: how many times as long jax.grad takes as the rules.

    Args:
      path: where to save it; its ending says the format.
      measurements: the bars, from top to bottom.
      title: what stands above.

    Raises:
      ModuleNotFoundError: matplotlib is not installed.
      ValueError: matplotlib does not know the ending.
    """
    figure = import_extra("matplotlib.figure", "plot").Figure(
        figsize=(9, 1.2 + 0.22 * len(measurements)), layout="constrained"
    )
    axes = figure.subplots()
    ratios = [m.default.ratio for m in measurements]
    places = range(len(measurements))
    medians = [ratio.median for ratio in ratios]
    errors = [[max(0, r.median - r.low) for r in ratios], [max(0, r.high - r.median) for r in ratios]]
    colours = ["0.6" if m.default.same_program else "tab:red" if m.default.slower else "tab:blue" for m in measurements]
    widths = [median - 1 for median in medians]
    axes.barh(places, widths, left=1, xerr=errors, color=colours, error_kw={"elinewidth": 0.8, "capsize": 1.5})
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    ticks = [digit * 10.0**power for power in range(-3, 5) for digit in (1, 2, 5)]
    axes.set_xticks([tick for tick in ticks if low <= tick <= high or tick == 1])
    axes.minorticks_off()
    axes.xaxis.set_major_formatter("{x:g}")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(places, [f"{m.row}, {m.part}" for m in measurements], fontsize=7)
    axes.set_ylim(len(measurements) - 0.4, -0.6)
    axes.set_xlabel("time of jax.grad / time of the hand-derived rules (95 % interval); grey: the same program")
    axes.set_title(title, fontsize=9)
    figure.savefig(path)
