"""Compiled programs: how long compilation takes, under which options, how much memory, and whether two are the same."""

import dataclasses
import functools
import hashlib
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from jaxcnn.training.compiler_options import ynnpack_options

DEFAULT = "default"
_SETTINGS = ("", "REDUCE", "REDUCE,INDIVIDUAL_DOT", "DOT,REDUCE,ELTWISE")


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled function.

    Attributes:
      call: runs it on arrays.
      digest: equal for programs that compute the same by the same operations, whatever these are called.
      compile_seconds: how long tracing, lowering and compilation took.
      temp_bytes: the memory that it needs besides its arguments and results; None where the platform does not say.
    """

    call: Callable[..., Any]
    digest: str
    compile_seconds: float
    temp_bytes: int | None


@functools.cache
def candidates() -> Mapping[str, dict[str, str]]:
    """Return the compiler options to try, by name; the default comes first, and alone where there are no others.

    On a CPU they say which kinds of operations XLA hands to YNNPACK. Other platforms have no use for that, and a
    jaxlib without the option refuses it.
    """
    tried = {setting or "empty": ynnpack_options(*filter(None, setting.split(","))) for setting in _SETTINGS}
    return {DEFAULT: {}} | {name: options for name, options in tried.items() if options}


def compile_under(
    function: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Mapping[str, str]]
) -> dict[str, Program]:
    """Compile a function once under each of some options, from cold caches.

    Args:
      function: of arrays; not jitted.
      args: what it will be called with.
      options: compiler options by name, the default first.

    Returns:
      The programs by the names of the options.
    """
    jax.clear_caches()
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*args)
    lowering = time.perf_counter() - start
    programs = {}
    for name, values in options.items():
        start = time.perf_counter()
        compiled = lowered.compile(compiler_options=dict(values) or None)
        seconds = lowering + time.perf_counter() - start
        memory = compiled.memory_analysis()
        temp = None if memory is None else int(memory.temp_size_in_bytes)
        programs[name] = Program(compiled, digest(compiled.as_text() or ""), seconds, temp)
    return programs


def tracing_seconds(
    functions: Mapping[str, Callable[..., Any]], args: Sequence[Any], repeats: int = 5
) -> dict[str, float]:
    """Return how long JAX traces each of some functions, from cold caches, the median of some turns, by name.

    Args:
      functions: of arrays, by name; not jitted.
      args: what they will be called with.
      repeats: how often each is traced, in turns.
    """
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            jax.clear_caches()
            start = time.perf_counter()
            jax.jit(function).trace(*args)
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


_METADATA = re.compile(r", (?:metadata|frontend_attributes)=\{(?:[^{}\"]|\"[^\"]*\"|\{[^{}]*\})*\}")
_NAME = re.compile(r"%[\w.\-]+")
_INSTRUCTION = re.compile(r"^  (ROOT )?(%[\w.\-]+) = (.*)$")
_COMPUTATION = re.compile(r"^(ENTRY )?(%[\w.\-]+) .*\{$")


def digest(text: str) -> str:
    """Return a digest of the optimised HLO of a module that does not depend on names, order or source lines.

    Every instruction is replaced by a hash of its operation and of the hashes of what it uses, so that the hash of
    the entry's root holds the whole graph.

    Args:
      text: as `Compiled.as_text()` returns it. Where it holds no entry computation, the text itself is hashed.
    """
    computations: dict[str, str] = {}
    scope: dict[str, str] = {}
    computation, is_entry, entry = "", False, ""
    for line in text.splitlines():
        if found := _COMPUTATION.match(line):
            is_entry, computation, scope = bool(found[1]), found[2], {}
        elif found := _INSTRUCTION.match(line):
            body = _METADATA.sub("", found[3])
            pieces = _NAME.split(body)
            used = [scope.get(name) or computations.get(name) or name for name in map(str, _NAME.findall(body))]
            scope[found[2]] = _hash("\0".join(pieces + used))
            if found[1]:
                computations[computation] = scope[found[2]]
                entry = scope[found[2]] if is_entry else entry
    return entry or _hash(text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
