"""Measurements as rows of text: the full table, and the summary. The tables of the README are in `tables`."""

import math
from collections.abc import Sequence
from typing import Any

from jaxcnn.benchmark.measure import Measurement, Pair
from jaxcnn.benchmark.timing import Ratio, Statistics

HEADINGS = (
    "row",
    "part",
    "manual",
    "jax.grad",
    "ratio",
    "best manual",
    "best jax.grad",
    "ratio",
    "eager manual",
    "eager jax.grad",
    "ratio",
    "torch",
    "ratio",
    "error",
    "compile s",
    "temp MiB",
)


def full_row(m: Measurement) -> tuple[str, ...]:
    """Return a measurement under `HEADINGS`: times in ms with half the spread, ratios with their intervals."""
    return (
        m.row,
        m.part,
        *_pair(m.default),
        *_pair(m.best, m.best_options),
        *_pair(m.eager),
        _time(m.torch),
        _interval(m.torch_ratio).replace(" (", "\n("),
        f"{m.relative_error:.0e}",
        f"{m.compile_seconds['manual']:.2f} / {m.compile_seconds['jax_grad']:.2f}",
        f"{_mebibytes(m.temp_bytes['manual'])} / {_mebibytes(m.temp_bytes['jax_grad'])}",
    )


def summary(measurements: Sequence[Measurement]) -> dict[str, object]:
    """Return the geometric means of the ratios over whole layers and steps, and the names of what is slower.

    A part is slower where the 95 % interval of its ratio lies below 0.95 and the two programs differ.
    """
    whole = [m for m in measurements if m.part in ("all", "step")]
    pairs = {
        variant: [pair for m in whole if (pair := getattr(m, variant)) is not None]
        for variant in ("default", "best", "eager")
    }
    means = {variant: geometric_mean([p.ratio.median for p in found]) for variant, found in pairs.items() if found}
    torch = [m.torch_ratio.median for m in whole if m.torch_ratio is not None]
    if torch:
        means["torch"] = geometric_mean(torch)
    slower = [
        f"{m.row}, {m.part}, {variant}: {_interval(pair.ratio)}"
        for m in measurements
        for variant in ("default", "best", "eager")
        if (pair := getattr(m, variant)) is not None and pair.slower
    ]
    return {"rows": len(whole), "geometric_means": means, "slower": slower}


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean of positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


def _pair(pair: Pair | None, options: dict[str, str] | None = None) -> tuple[str, str, str]:
    if pair is None:
        return "", "", ""
    names = {"manual": "", "jax_grad": ""}
    if options:
        names = {side: "" if name == "default" else f"\n{name}" for side, name in options.items()}
    ratio = _interval(pair.ratio).replace(" (", "\n(") + (
        "\n= same" if pair.same_program else "\nSLOWER" if pair.slower else ""
    )
    return _time(pair.manual) + names["manual"], _time(pair.jax_grad) + names["jax_grad"], ratio


def _time(statistics: Statistics | None) -> str:
    return "" if statistics is None else f"{short(statistics.median)} ±{50 * statistics.spread:.0f}%"


def _interval(ratio: Ratio | None) -> str:
    return "" if ratio is None else f"{short(ratio.median)} ({short(ratio.low)}-{short(ratio.high)})"


def _mebibytes(count: int | None) -> str:
    return "?" if count is None else short(count / 2**20)


def short(value: float) -> str:
    """Return a number with three digits, or all those before the point."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 4)}f}"


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """Return a summary for people."""
    lines = []
    for name, mean in summary["geometric_means"].items():
        other = "torch, jitted" if name == "torch" else f"jax.grad, {name}"
        lines.append(f"geometric mean over {summary['rows']} rows, {other}: {mean:.2f}")
    if not summary["slower"]:
        return [*lines, "nothing is slower than jax.grad"]
    return [*lines, f"slower than jax.grad: {len(summary['slower'])}", *(f"  {line}" for line in summary["slower"])]
