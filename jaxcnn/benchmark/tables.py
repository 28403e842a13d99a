"""The compact tables of the README in Markdown, from what a run of the benchmark wrote as JSON.

A ratio is the time of jax.grad over that of the rules, or that before `accelerate` over that after it; "=" marks that
both compiled to the same program.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxcnn.benchmark.report import short

Rows = Sequence[Mapping[str, Any]]


def markdown(table: str, rows: Rows) -> str:
    """Return the table of a command.

    Args:
      table: the command, "ops", "models", "scaling" or "accelerate".
      rows: its measurements, as `Measurement.to_dict` returns them.
    """
    makers: dict[str, Callable[[Rows], list[list[str]]]] = {
        "ops": _layers,
        "models": _networks,
        "scaling": _scaling,
        "accelerate": _accelerated,
    }
    lines = makers[table](rows)
    rule = "|---" + "|---:" * (len(lines[0]) - 1) + "|"
    head, *body = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([head, rule, *body])


def _layers(rows: Rows) -> list[list[str]]:
    """Return one line a layer: the ratio of each part, and the times of the whole."""
    lines = [["layer", "forward", "dx", "dkernel", "all", "all: manual ms", "jax.grad ms", "torch ms"]]
    for name in dict.fromkeys(row["row"] for row in rows):
        parts = {row["part"]: row for row in rows if row["row"] == name}
        gradients = [part for part in parts if part not in ("forward", "all")]
        found = [parts.get(part) for part in ("forward", *[*gradients, "", ""][:2], "all")]
        whole = parts.get("all")
        times = ["", ""] if whole is None else [short(whole["default"][side]["median"]) for side in SIDES]
        lines.append([name, *(_ratio(row, "default") for row in found), *times, _torch(whole)])
    return lines


def _networks(rows: Rows) -> list[list[str]]:
    """Return one line a network: times and ratios without options and under the best ones, compilation, memory."""
    sides = ["manual", "jax.grad"]
    times = [f"{side} ms" for side in sides]
    best = [f"best options: {sides[0]} ms", *times[1:]]
    cost = [f"compile s: {sides[0]}", sides[1], f"temporaries MB: {sides[0]}", sides[1]]
    lines = [["network", *times, "ratio", *best, "ratio", "torch ms", *cost]]
    for row in rows:
        line = [f"{row['row']}, {row['part']}"]
        for variant in ("default", "best"):
            line += [*_times(row, variant, SIDES), _ratio(row, variant)]
        line.append(_torch(row))
        line += [short(row["compile_seconds"][side]) for side in SIDES]
        line += [short((row["temp_bytes"][side] or 0) / 1e6) for side in SIDES]
        lines.append(line)
    return lines


def _scaling(rows: Rows) -> list[list[str]]:
    """Return one line a size: times, their ratio, and the times an element of the input."""
    lines = [["row", "manual ms", "jax.grad ms", "ratio", "manual ns an element", "jax.grad ns an element"]]
    for row in rows:
        times = [row["default"][side]["median"] for side in SIDES]
        elements = [short(time * 1e6 / row["work"]) for time in times]
        lines.append([row["row"], *map(short, times), _ratio(row, "default"), *elements])
    return lines


def _accelerated(rows: Rows) -> list[list[str]]:
    """Return one line a network: times before and after, the share of FLOPs replaced, compilation, tracing."""
    times = ["before ms", "after ms", "ratio"]
    cost = ["FLOPs replaced", "compile s: before", "after", "tracing s more"]
    lines = [["network", *times, f"best options: {times[0]}", *times[1:], *cost]]
    sides = SIDES[::-1]
    for row in rows:
        line = [row["row"]]
        for variant in ("default", "best"):
            line += [*_times(row, variant, sides), _ratio(row, variant)]
        line.append(f"{row['flops_replaced']:.1%}")
        line += [short(row["compile_seconds"][side]) for side in sides]
        more = row["tracing_seconds"]["manual"] - row["tracing_seconds"]["jax_grad"]
        lines.append([*line, f"{short(more)} ({row['tracing_share']:.0%})"])
    return lines


SIDES = ("manual", "jax_grad")


def _times(row: Mapping[str, Any], variant: str, sides: Sequence[str]) -> list[str]:
    pair = row[variant]
    return [""] * len(sides) if pair is None else [short(pair[side]["median"]) for side in sides]


def _ratio(row: Mapping[str, Any] | None, variant: str) -> str:
    if row is None or row[variant] is None:
        return ""
    return short(row[variant]["ratio"]["median"]) + (" =" if row[variant]["same_program"] else "")


def _torch(row: Mapping[str, Any] | None) -> str:
    return "" if row is None or row["torch"] is None else short(row["torch"]["median"])
