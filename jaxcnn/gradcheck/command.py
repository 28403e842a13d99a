"""The command `jaxcnn-gradcheck`: anybody's `jax.custom_vjp` rules against automatic differentiation.

    jaxcnn-gradcheck module:function --args module:example_args
    jaxcnn-gradcheck module:function --shapes "f32[8,28,28,1],f32[5,5,1,32]"

It prints the table of `scripts/compare_gradients.py`, and exits with status 0 where the rules agree with `jax.grad` of
the same function without its rules, with 1 where they do not, and with 2 where an argument is wrong.
"""

import contextlib
import dataclasses
import importlib
import operator
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn._cli import fail, parse, require, run
from jaxcnn.gradcheck.comparison import compare
from jaxcnn.gradcheck.suite import Outcome
from jaxcnn.gradcheck.table import print_outcomes, stdout_console
from jaxcnn.gradcheck.tolerances import is_floating
from jaxcnn.transforms import without_custom_rules
from jaxcnn.transforms._programs import RULES, calls
from jaxcnn.transforms._tracing import trace

DTYPES = {
    "f16": np.float16,
    "bf16": jnp.bfloat16,
    "f32": np.float32,
    "f64": np.float64,
    "i32": np.int32,
    "bool": np.bool_,
}
_SHAPE = r"\s*(\w+)\s*\[((?:\s*\d+\s*(?:,\s*\d+\s*)*)?)\]\s*"


@dataclasses.dataclass
class Options:
    """Compare the custom_vjp rules of a function with automatic differentiation of the same function without them."""

    function: str
    """The function as module:function; the module is looked for in the current folder first."""
    args: str = ""
    """Its arguments as module:name: a tuple of them, a single one, or a function that returns either."""
    shapes: str = ""
    """Or their dtypes and shapes, such as "f32[8,28,28,1],i32[8]", to be drawn: floats are normal, integers 0 or 1."""
    seed: int = 0
    """Where the random numbers start."""
    argnums: tuple[int, ...] = ()
    """Which arguments to differentiate; none means every one that holds a floating array or number."""
    rtol: float | None = None
    """The tolerance for max|manual - judge| / max|judge| of each array; None takes that of its dtype."""


def main() -> NoReturn:
    """Run the command with the arguments of the process."""
    run(lambda: check(parse(Options)))


def check(options: Options) -> int:
    """Compare, print the table, and return the exit status.

    Args:
      options: what to compare, and on which arguments.

    Returns:
      0 where rules and automatic differentiation agree, else 1.

    Raises:
      SystemExit: with status 2 after one line on stderr, where an option is wrong or the function cannot be compared;
        with 1 after one line, where rich is not installed.
    """
    require("rich.console", "rich.table", extra="train")
    if bool(options.args) == bool(options.shapes):
        fail(f"--args (={options.args!r}) or --shapes (={options.shapes!r}) must be given, and not both")
    if options.seed < 0:
        fail(f"--seed (={options.seed}) must not be negative")
    if options.rtol is not None and not options.rtol > 0:
        fail(f"--rtol (={options.rtol}) must be positive")
    sys.path.insert(0, "")  # the current folder
    fn = _load("function", options.function)
    if not callable(fn):
        fail(f"function (={options.function!r}) must be a function, and is of type {type(fn).__name__}")
    args = _drawn(options.shapes, options.seed) if options.shapes else _examples(options.args)
    try:
        outcome = _compare(fn, args, options)
    except Exception as error:  # whatever the function raises
        fail(f"function (={options.function!r}) cannot be compared: {_described(error, options.function)}")
    console = stdout_console()
    print_outcomes(console, [outcome])
    if outcome.ok:
        skipped = ["skipped, no gradient: " + ", ".join(outcome.report.skipped)] if outcome.report.skipped else []
        for line in [*outcome.report.notes, *skipped]:
            console.print(line, markup=False, highlight=False)
    verdict = "agrees with" if outcome.ok else "differs from"
    console.print(f"{outcome.name} {verdict} automatic differentiation", markup=False, highlight=False)
    return 0 if outcome.ok else 1


def _compare(fn: Callable[..., Any], args: tuple[Any, ...], options: Options) -> Outcome:
    wide = any(getattr(leaf, "dtype", None) == np.float64 for leaf in jax.tree.leaves(args))
    with jax.enable_x64(True) if wide else contextlib.nullcontext():
        args = jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, args)
        floating = [n for n, arg in enumerate(args) if any(map(is_floating, jax.tree.leaves(arg)))]
        if not floating:
            raise ValueError("one of its arguments must hold a floating array or number")
        if not calls(trace(fn, args, {}).program.jaxpr, RULES["vjp"]):
            raise ValueError("it must call a function with a custom_vjp rule, and calls none")
        argnums = options.argnums or floating
        report = compare(fn, without_custom_rules(fn), *args, argnums=argnums, rtol=options.rtol)
        dtypes = dict.fromkeys(jnp.result_type(leaf).name for leaf in jax.tree.leaves(args) if is_floating(leaf))
    return Outcome(options.function, ", ".join(dtypes), report, {})


def _load(option: str, place: str) -> Any:
    """Return what stands at `module:name`, or end the program with what is wrong in it."""
    module, _, name = place.partition(":")
    if not module or not name:
        fail(f"{option} (={place!r}) must be module:name")
    try:
        return operator.attrgetter(name)(importlib.import_module(module))
    except Exception as error:  # whatever the module raises
        fail(
            f"{option} (={place!r}) must be module:name of a module that can be imported and has it: "
            f"{_described(error, place)}"
        )


def _examples(place: str) -> tuple[Any, ...]:
    """Return the arguments at `module:name`, or end the program with what is wrong in it."""
    examples = _load("--args", place)
    if callable(examples):
        try:
            examples = examples()
        except Exception as error:  # whatever the function raises
            fail(f"--args (={place!r}) must return arguments when it is called: {_described(error, place)}")
    return examples if type(examples) is tuple else (examples,)


def _drawn(shapes: str, seed: int) -> tuple[np.ndarray, ...]:
    """Return a random array for each of `shapes`, or end the program with what is wrong in them."""
    if not re.fullmatch(f"{_SHAPE}(,{_SHAPE})*", shapes):
        fail(f"--shapes (={shapes!r}) must be dtypes with their shapes, such as f32[8,28,28,1],f32[]")
    rng = np.random.default_rng(seed)
    arrays = []
    for dtype, sizes in re.findall(_SHAPE, shapes):
        if dtype not in DTYPES:
            fail(f"--shapes (={shapes!r}) must have dtypes among {', '.join(DTYPES)}, and has {dtype}")
        shape = tuple(map(int, sizes.split(","))) if sizes.strip() else ()
        floating = jnp.issubdtype(DTYPES[dtype], jnp.floating)
        try:
            numbers = rng.standard_normal(shape) if floating else rng.integers(0, 2, shape)
        except (MemoryError, ValueError) as error:
            fail(f"--shapes (={shapes!r}) must fit in memory: {error}")
        arrays.append(np.asarray(numbers, DTYPES[dtype]))
    return tuple(arrays)


def _described(error: Exception, place: str) -> str:
    """Return an error in words, with the line of the module at `place` in which it arose."""
    file = getattr(sys.modules.get(place.partition(":")[0]), "__file__", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f", at line {lines[-1]} of {file}" if lines else ""
    return f"{type(error).__name__}: {error}{where}"


if __name__ == "__main__":
    main()
