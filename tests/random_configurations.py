"""Random configurations of every layer: value, gradients and second order, and arguments that do not fit.

    python -m tests.random_configurations --start 0 --stop 3000

tries configuration 0, 1, ... 2999, each of which follows from its number alone: run it again from where it ended, or
in several processes with a range each. A failure prints the one line that replays it. In float64 the value is the
oracle's, its gradients are, along a random direction of each argument, the finite difference of the oracle; of a linear
layer <A x, g> = <x, A' g>; every third has its second order compared with the reference's. In one dtype, drawn too, all
values and gradients are compared with the reference's, for half precision with those in float64, rounded once. A layer
that takes integers is given them in a dtype drawn among all, at its limits. Of every six one has its batch, if it has
any, split over an Explicit mesh of CPU devices, and another one is exported with a symbol in place of the batch: see
`tests.integer_configurations` and `tests.batched_configurations`. `--parts` tries some of these alone.

    python -m tests.random_configurations --invalid --stop 500

spoils one argument of each. What then comes must be a TypeError or a ValueError of this library, not of XLA.
"""

import dataclasses
import importlib
import pkgutil
import sys
import time
import traceback
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import jaxcnn
import tests.configurations
from tests import checks
from tests.batched_configurations import check_on_mesh, check_symbolic
from tests.integer_configurations import check_integers

FAMILIES = {
    name: (
        importlib.import_module(f"tests.configurations.{name}").DRAW,
        importlib.import_module(f"tests.oracles.{name}").oracle,
    )
    for _, name, _ in pkgutil.iter_modules(tests.configurations.__path__)
}
OPS = sorted((op, draw, oracle) for draws, oracle in FAMILIES.values() for op, draw in draws.items())
DTYPES = ("float64", "float32", "bfloat16", "float16")
STEP = 1e-6
PARTS = ("layer", "integers", "symbol", "mesh")
DEVICES = 4
EVERY = 6  # configuration of a layer has its batch as a symbol, and another one on a mesh
# Layers that are linear in their first array, by how many arrays they have where there is no bias.
LINEAR = {
    **dict.fromkeys(("adaptive_avg_pool", "avg_pool", "global_avg_pool", "sum_pool", "depth_to_space"), 1),
    **dict.fromkeys(("flatten", "fold", "space_to_depth", "unfold", "upsample_linear", "upsample_nearest"), 1),
    **dict.fromkeys(("conv", "conv_general_dilated", "conv_local", "conv_transpose", "dense", "depthwise_conv"), 2),
    "max_unpool": 2,
    "separable_conv": 3,
}


class ConfigurationError(AssertionError):
    """A configuration that is not as it must be."""


def drawn(number):
    """Return configuration `number`: its case, what makes its oracle, and a generator for what else is random about it."""
    op, draw, oracle = OPS[number % len(OPS)]
    rng = np.random.default_rng([number, 1])
    case = draw(rng)
    assert case.op == op
    return case, oracle, rng


def check_valid(number, parts=PARTS):
    """Check those parts of a configuration that it has."""
    case, oracle, rng = drawn(number)
    dtype = str(rng.choice(DTYPES))
    turn = (number + number // len(OPS)) % EVERY  # every layer has its turn of each part
    if "layer" in parts:
        check_layer(number, case, oracle, dtype, rng)
    if "integers" in parts:
        check_integers(case, oracle, np.random.default_rng([number, 2]))
    if "symbol" in parts and turn == 0:
        check_symbolic(case, dtype, np.random.default_rng([number, 3]))
    if "mesh" in parts and turn == EVERY // 2:
        check_on_mesh(case, dtype, np.random.default_rng([number, 4]))


def check_layer(number, case, oracle, dtype, rng):
    """Check a layer in float64, every third one in second order too, and then in a random dtype."""
    with jax.enable_x64(True):
        check_by_oracle(case, oracle(case), case.args(np.float64, number), rng)
        if number // len(OPS) % 3 == 0 and case.argnums:
            checks.check_second_order(case)
    if case.argnums:
        checks.check_gradients(case, dtype, number)


def check_by_oracle(case, oracle, args, rng):
    """Compare the value with the oracle's, and the gradients with its differences along random directions."""
    arrays = [np.asarray(a) for a in args]
    right = jax.tree.leaves(oracle(*arrays))

    def value_and_gradients(args, g):
        y, pull = jax.vjp(lambda *chosen: case.manual(*merged(case, args, chosen)), *(args[i] for i in case.argnums))
        return y, pull(g)

    shapes = jax.eval_shape(case.manual, *args)
    g = jax.tree.map(lambda y: rng.standard_normal(y.shape) if jnp.issubdtype(y.dtype, jnp.floating) else None, shapes)
    if not case.argnums or any(leaf is None for leaf in jax.tree.leaves(g, is_leaf=lambda leaf: leaf is None)):
        found, gradients = jax.jit(case.manual)(*args), ()
    else:
        found, gradients = jax.jit(value_and_gradients)(args, jax.tree.map(jnp.asarray, g))
    for y, expected in zip(jax.tree.leaves(found), right, strict=True):
        checks.assert_close(np.asarray(y, np.float64), np.asarray(expected, np.float64), 1e-13, "value")
    if len(arrays) == LINEAR.get(case.op) and gradients:
        both = [np.vdot(a, b) for a, b in ((arrays[0], gradients[0]), (found, jax.tree.leaves(g)[0]))]
        if not abs(both[0] - both[1]) <= 1e-13 * max(np.linalg.norm(found) * np.linalg.norm(g), 1e-3):
            raise ConfigurationError(f"<x, A' g> = {both[0]} is not <A x, g> = {both[1]}")
    for argnum, gradient in zip(case.argnums, gradients, strict=bool(gradients)):
        direction = rng.standard_normal(arrays[argnum].shape)
        ends = []
        for sign in (1, -1):
            moved = [a + sign * STEP * direction if i == argnum else a for i, a in enumerate(arrays)]
            ends.append(jax.tree.leaves(oracle(*moved)))
        pairs = zip(*ends, jax.tree.leaves(g), strict=True)
        numeric = sum(np.vdot((np.asarray(b) - np.asarray(a)) / (2 * STEP), c) for b, a, c in pairs)
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction) + 1e-3
        difference = abs(np.vdot(np.asarray(gradient), direction) - numeric) / scale
        if not difference < 1e-6:
            raise ConfigurationError(f"argument {argnum}: {difference:.1e} from the difference of the oracle")


def merged(case, args, chosen):
    """Return the arguments with the differentiated ones in their places."""
    given = dict(zip(case.argnums, chosen, strict=True))
    return [given.get(i, a) for i, a in enumerate(args)]


def spoiled(case, rng):
    """Return the arrays and options of a case with one of them changed into what probably does not fit."""
    arrays, options = list(case.args(np.float32)), dict(case.options)
    names = sorted(options)
    if names and rng.random() < 0.5:
        name = str(rng.choice(names))
        values = [
            None,
            -1,
            0,
            2.5,
            "no",
            (),
            (1, 2, 3, 4, 5, 6),
            (0, 0),
            True,
            float("nan"),
            jnp.ones(2),
            object(),
            10**12,
        ]
        options[name] = values[int(rng.integers(len(values)))]
        return arrays, options, f"{name}={options[name]!r}"
    i = int(rng.integers(len(arrays)))
    array = arrays[i]
    shape = list(array.shape)
    how = str(rng.choice(["dtype", "rank", "size", "empty", "no array"]))
    if how == "dtype":
        arrays[i] = array.astype(rng.choice([jnp.int32, jnp.bool_, jnp.complex64, jnp.float16]))
    elif how == "rank":
        arrays[i] = array.reshape(-1) if rng.random() < 0.5 else array[..., None]
    elif how == "no array":
        arrays[i] = [None, "x", object(), {}][int(rng.integers(4))]
    elif shape:
        axis = int(rng.integers(len(shape)))
        shape[axis] = 0 if how == "empty" else shape[axis] + int(rng.integers(1, 4))
        arrays[i] = jnp.ones(shape, array.dtype)
    return arrays, options, f"array {i}: {how}"


def check_invalid(number):
    """Return whether a spoiled configuration was refused; if so, by this library."""
    case, _, rng = drawn(number)
    arrays, options, what = spoiled(case, rng)
    if case.op == "conv_general_dilated":
        return check_invalid_as_by_lax(dataclasses.replace(case, options=options), arrays, what)
    try:
        op = dataclasses.replace(case, options=options).of_arrays(getattr(jaxcnn, case.op))
        jax.block_until_ready(op(*arrays))
    except (TypeError, ValueError) as error:
        frames = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
        package = Path(jaxcnn.__file__).parent
        if package not in frames[-1].parents or ("(=" not in str(error) and "must" not in str(error)):
            raise ConfigurationError(f"{case.op}, {what}: {type(error).__name__} from {frames[-1]}: {error}") from error
        return True
    return False


def check_invalid_as_by_lax(case, arrays, what):
    """Return whether lax refused a spoiled configuration; if so, this library has to as well."""
    errors = []
    for ops in (jaxcnn, jax.lax):
        try:
            jax.block_until_ready(case.of_arrays(getattr(ops, case.op))(*arrays))
        except Exception as error:  # any of lax's
            errors.append(type(error))
        else:
            errors.append(None)
    if errors[0] != errors[1]:
        raise ConfigurationError(f"{case.op}, {what}: {errors[0]}, not {errors[1]}")
    return errors[0] is not None


def replay(number, invalid=False):
    """Return which configuration that is, and the command that tries it again."""
    stop = "--invalid --stop 1" if invalid else f"--stop {number + 1}"
    return f"{number}: {drawn(number)[0]}\n  replay: python -m tests.random_configurations --start {number} {stop}"


def main(start: int = 0, stop: int = 3000, invalid: bool = False, parts: tuple[str, ...] = PARTS) -> None:
    """Try random configurations.

    Args:
      start: the number of the first.
      stop: the number after the last; with `invalid`, how many must be refused.
      invalid: whether to spoil an argument of each.
      parts: what to try of each: layer, integers, symbol, mesh.

    Raises:
      ValueError: there is no such part.
    """
    if not set(parts) <= set(PARTS):
        raise ValueError(f"parts (={parts}) must be among {', '.join(PARTS)}")
    jax.config.update("jax_num_cpu_devices", DEVICES)
    failures, refused, number, began = [], 0, start, time.time()
    while (refused if invalid else number) < stop:
        try:
            if invalid:
                refused += check_invalid(number)
            else:
                check_valid(number, parts)
        except Exception as error:
            failures.append(number)
            print(f"FAILED {replay(number, invalid)}\n  {type(error).__name__}: {error}", flush=True)
            refused += invalid
        number += 1
        if number % 100 == 0:
            jax.clear_caches()
            print(f"{number - start} tried in {time.time() - began:.0f} s, {len(failures)} failed", flush=True)
    print(f"{number - start} tried, {refused} refused" if invalid else f"{number - start} tried", end=", ")
    print(f"{len(failures)} failed")
    sys.exit(bool(failures))


if __name__ == "__main__":
    tyro.cli(main)
