"""Measure one function by hand-derived rules and by jax.grad: time, memory, compilation, and the difference."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxcnn.benchmark import programs
from jaxcnn.benchmark.programs import DEFAULT, Program
from jaxcnn.benchmark.timing import Ratio, Sampler, Statistics, interleave, paired_ratio, sampler_of, summarize

SLOWER = 0.95


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much time to spend on each measurement.

    Attributes:
      repeats: the most samples of each variant.
      seconds: how long to time all variants of one function; slow ones get their least number of samples in any case.
      best: whether to look for the best compiler options of each side.
      eager: whether to time the functions without jit, too.
    """

    repeats: int
    seconds: float
    best: bool = True
    eager: bool = True


@dataclasses.dataclass(frozen=True)
class Pair:
    """Both sides in the same circumstances.

    Attributes:
      manual: the hand-derived rules.
      jax_grad: the reference.
      ratio: the time of jax.grad over that of the rules: above 1 where the rules are faster.
      same_program: whether both compile to the same operations, so that any difference is noise; None if not compiled.
    """

    manual: Statistics
    jax_grad: Statistics
    ratio: Ratio
    same_program: bool | None

    @property
    def slower(self) -> bool:
        """Whether the rules are slower, beyond doubt."""
        return not self.same_program and self.ratio.high < SLOWER


@dataclasses.dataclass(frozen=True)
class Measurement:
    """All that is known of one part of one row; times are in milliseconds.

    Attributes:
      row: its name.
      part: what was computed.
      shapes: of what it was computed, for people.
      work: the number of elements of the input.
      default: both sides jitted, without options.
      best: both sides jitted, each under its own best compiler options.
      eager: both sides without jit.
      best_options: the names of these options, by side.
      torch: PyTorch, and how its time compares: above 1 where the rules are faster.
      torch_ratio: the time of PyTorch over that of the rules, jitted without options.
      torch_format: the memory format that was faster in PyTorch.
      relative_error: the largest difference of the manual results from the reference's, relative to its maximum.
      compile_seconds: for a jitted function without options, by side.
      temp_bytes: the temporary memory of that program, by side.
    """

    row: str
    part: str
    shapes: str
    work: int
    default: Pair
    best: Pair | None
    eager: Pair | None
    best_options: dict[str, str]
    torch: Statistics | None
    torch_ratio: Ratio | None
    torch_format: str | None
    relative_error: float
    compile_seconds: dict[str, float]
    temp_bytes: dict[str, int | None]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Subject:
    """A function to measure.

    Attributes:
      row: its name.
      part: what of it.
      shapes: for people.
      work: the number of elements of the input.
      manual: the function by hand-derived rules.
      jax_grad: by the reference.
      args: the arguments of both.
      as_whole: compare all results at once, against their common maximum, as gradients of a network need it: one of
        its arrays can be rounding noise alone.
    """

    row: str
    part: str
    shapes: str
    work: int
    manual: Callable[..., Any]
    jax_grad: Callable[..., Any]
    args: Sequence[Any]
    as_whole: bool = False


def measure(subject: Subject, effort: Effort, peer: tuple[Sampler, str] | None = None) -> Measurement:
    """Measure a function by both sides, and the peer that takes turns with them.

    Args:
      subject: what to measure.
      effort: how much time to spend.
      peer: a sampler of PyTorch and the memory format that it uses, if it can do this.
    """
    options = programs.candidates()
    options = options if effort.best else {DEFAULT: options[DEFAULT]}
    functions = {"manual": subject.manual, "jax_grad": subject.jax_grad}
    compiled = {side: programs.compile_under(function, subject.args, options) for side, function in functions.items()}
    error = relative_error(
        compiled["manual"][DEFAULT].call(*subject.args),
        compiled["jax_grad"][DEFAULT].call(*subject.args),
        as_whole=subject.as_whole,
    )
    best = _best(compiled, subject.args)

    samplers: dict[str, Sampler] = {}
    for side in functions:
        samplers[f"{side} {DEFAULT}"] = sampler_of(compiled[side][DEFAULT].call, subject.args)
        if best[side] != DEFAULT:
            samplers[f"{side} best"] = sampler_of(compiled[side][best[side]].call, subject.args)
    if peer is not None:
        samplers["torch"] = peer[0]
    rest = 0.0 if peer is None else 5e-3
    taken = interleave(samplers, repeats=effort.repeats, seconds=effort.seconds, rest=rest)

    torch = taken.get("torch")
    return Measurement(
        row=subject.row,
        part=subject.part,
        shapes=subject.shapes,
        work=subject.work,
        default=_pair(taken, DEFAULT, {side: compiled[side][DEFAULT].digest for side in functions}),
        best=_pair(taken, "best", {side: compiled[side][best[side]].digest for side in functions})
        if effort.best
        else None,
        eager=_eager(functions, subject.args, effort) if effort.eager else None,
        best_options=best,
        torch=None if torch is None else summarize(torch),
        torch_ratio=None if torch is None else paired_ratio(torch, taken[f"manual {DEFAULT}"]),
        torch_format=None if peer is None else peer[1],
        relative_error=error,
        compile_seconds={side: compiled[side][DEFAULT].compile_seconds for side in functions},
        temp_bytes={side: compiled[side][DEFAULT].temp_bytes for side in functions},
    )


def relative_error(results: Any, judges: Any, *, as_whole: bool = False) -> float:
    """Return max|a - b| / max|b|, the largest of all arrays or that of all as one.

    Args:
      results: a tree of arrays.
      judges: a tree of the same structure.
      as_whole: take both maxima over all arrays.
    """
    sides = ([np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)] for tree in (results, judges))
    pairs = list(zip(*sides, strict=True))
    differences = [float(np.max(np.abs(a - b), initial=0.0)) for a, b in pairs]
    sizes = [float(np.max(np.abs(b), initial=0.0)) for _, b in pairs]
    if as_whole:
        differences, sizes = [max(differences)], [max(sizes)]
    quotients = [d / s if s else float(d > 0) for d, s in zip(differences, sizes, strict=True)]
    return max(quotients)


def _best(compiled: Mapping[str, Mapping[str, Program]], args: Sequence[Any]) -> dict[str, str]:
    """Return the options under which each side is fastest; equal programs, of either side, are timed once."""
    distinct = {program.digest: program for options in compiled.values() for program in options.values()}
    if len(distinct) == 1:
        return dict.fromkeys(compiled, DEFAULT)
    samplers = {digest: sampler_of(program.call, args) for digest, program in distinct.items()}
    medians = {d: float(np.median(taken)) for d, taken in interleave(samplers, repeats=9, seconds=0.6, least=3).items()}
    return {
        side: min(options, key=lambda name, options=options: medians[options[name].digest])
        for side, options in compiled.items()
    }


def _pair(taken: Mapping[str, np.ndarray], variant: str, digests: Mapping[str, str]) -> Pair:
    manual, jax_grad = (
        taken.get(f"{side} {variant}", taken.get(f"{side} {DEFAULT}")) for side in ("manual", "jax_grad")
    )
    assert manual is not None
    assert jax_grad is not None
    same = digests["manual"] == digests["jax_grad"]
    return Pair(summarize(manual), summarize(jax_grad), paired_ratio(jax_grad, manual), same)


def _eager(functions: Mapping[str, Callable[..., Any]], args: Sequence[Any], effort: Effort) -> Pair:
    samplers = {side: sampler_of(function, args) for side, function in functions.items()}
    taken = interleave(samplers, repeats=effort.repeats, seconds=effort.seconds / 4, least=3)
    ratio = paired_ratio(taken["jax_grad"], taken["manual"])
    return Pair(summarize(taken["manual"]), summarize(taken["jax_grad"]), ratio, None)
