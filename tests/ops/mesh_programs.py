"""Runs layers with their batch split over four devices of this process, and compares with one device; a script.

`python -m tests.ops.mesh_programs first_order float32 NAME...` takes these cases of `batched_cases` in a dtype,
`second_order float32 all` all of them. Printed is a line of JSON for each case: of every kind of mesh the largest difference to what one device
computes, of results, gradients and second derivatives, and the names of the collectives in the program.
"""

import functools
import json
import re
import sys
import traceback

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxcnn.algorithms._varying import varying_axes
from tests.ops import batched_cases
from tests.ops.batched_cases import BATCHED, Numbers, operand_axes, outputs
from tests.ops.batches import with_batch

DEVICES, BATCH = 4, 8
COLLECTIVE = re.compile(
    r" (all-reduce|all-gather|all-to-all|ragged-all-to-all|reduce-scatter|collective-[a-z]+)(?:-start)?\("
)


def compiled(fn, operands, **options):
    """Return the results of a function, and the collectives of its program."""
    program = jax.jit(fn, **options).lower(*operands).compile()
    return program(*operands), sorted(set(COLLECTIVE.findall(program.as_text())))


def spec_of(axis):
    """Return the specification of an array of which an axis is split."""
    return PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, "b")


def mesh_of(kind, devices=DEVICES):
    """Return a mesh of that many CPU devices along one axis."""
    return jax.make_mesh((devices,), ("b",), axis_types=(kind,), devices=jax.devices("cpu")[:devices])


def on_auto_mesh(order, case, operands, axes):
    mesh = mesh_of(AxisType.Auto)
    given = [[NamedSharding(mesh, spec_of(axis)) for axis in group] for group in axes]
    made = (given[2], *[given[0]] * (len(operands) - 2))
    return compiled(functools.partial(order, case), operands, in_shardings=tuple(given), out_shardings=made)


def on_explicit_mesh(order, case, operands, axes, devices=DEVICES):
    mesh = mesh_of(AxisType.Explicit, devices)
    given = [[NamedSharding(mesh, spec_of(axis)) for axis in group] for group in axes]
    placed = [
        [jax.device_put(jnp.asarray(a), sharding) for a, sharding in zip(*groups, strict=True)]
        for groups in zip(operands, given, strict=True)
    ]
    with jax.set_mesh(mesh):
        second = jax.eval_shape(functools.partial(batched_cases.second_order, case), *with_vectors(placed))
        for result, sharding in zip(jax.tree.leaves(second), [*given[2], *given[0], *given[0]], strict=True):
            spec = [*sharding.spec, *[None] * (result.ndim - len(sharding.spec))]
            assert [*result.sharding.spec] == spec, f"a result is split {result.sharding.spec}, not {spec}"
        (_, *others), collectives = compiled(functools.partial(order, case), placed)
        return (outputs(case, *placed[:2]), *others), collectives  # the results of the eager call


def with_vectors(operands):
    """Return the operands of `second_order`, the arrays themselves in place of vectors that are not there."""
    return [*operands, operands[0]][:4]


def in_shard_map(order, case, operands, axes, checked):
    specs = tuple([spec_of(axis) for axis in group] for group in axes)

    def summed(x, alike=1):
        return lax.psum(x, "b") if not checked or "b" in varying_axes(x) else alike * x

    # A result that no device has changed, such as given statistics, counts once for each of them.
    counted = functools.partial(summed, alike=DEVICES)

    def of_device(*operands):
        results, *others = order(of_a_device(case), *operands, **({"summed": summed} if checked else {}))
        return tuple(
            [a if axis is not None else total(a) for a, axis in zip(group, where, strict=True)]
            for total, group, where in ((counted, results, axes[2]), *((summed, group, axes[0]) for group in others))
        )

    made = (specs[2], *[specs[0]] * (len(operands) - 2))
    mapped = jax.shard_map(of_device, mesh=mesh_of(AxisType.Auto), in_specs=specs, out_specs=made, check_vma=checked)
    return compiled(mapped, operands)


def of_a_device(case):
    """Return the case with what a device has of the batch."""
    return with_batch(case, BATCH // DEVICES)


KINDS = {
    "explicit": on_explicit_mesh,
    "auto": on_auto_mesh,
    "manual, checked": functools.partial(in_shard_map, checked=True),
    "manual": functools.partial(in_shard_map, checked=False),
}


def part_by_part(order, case, operands, axes):
    """Return what one device computes of each part of the batch, put together, or added up."""
    program = jax.jit(functools.partial(order, of_a_device(case)))
    found = []
    for n in range(DEVICES):
        parts = [
            [a if axis is None else np.split(np.asarray(a), DEVICES, axis)[n] for a, axis in zip(*groups, strict=True)]
            for groups in zip(operands, axes, strict=True)
        ]
        found.append(program(*parts))
    where = [axes[2], *[axes[0]] * (len(found[0]) - 1)]
    return [
        [sum(map(np.asarray, same)) if axis is None else np.concatenate(same, axis) for same, axis in zip(zip(*group, strict=True), of_group, strict=True)]
        for group, of_group in zip(zip(*found, strict=True), where, strict=True)
    ]  # fmt: skip


def report(order, case, dtype):
    """Return what was found about a case."""
    numbers, axes = Numbers(with_batch(case, BATCH), np.dtype(dtype)), operand_axes(case)
    operands, axes = (
        groups[: 4 if order is batched_cases.second_order else 3] for groups in (numbers.operands(), axes)
    )
    case = with_batch(case, BATCH)
    whole = jax.jit(functools.partial(order, case))(*operands)
    parts = part_by_part(order, case, operands, axes)
    found = {"name": case.name}
    for kind, run in KINDS.items():
        try:
            results, collectives = run(order, case, operands, axes)
            right = parts if "manual" in kind else whole
            apart = [batched_cases.difference(*pair) for pair in zip(results, right, strict=True)]
            found[kind] = [apart, collectives]
        except Exception:  # what it is stands in the report, beside those of the other cases
            found[kind] = [traceback.format_exc(limit=-3), []]
    jax.clear_caches()
    return found


if __name__ == "__main__":
    order, dtype, *names = sys.argv[1:]
    jax.config.update("jax_enable_x64", dtype == "float64")
    for case in BATCHED:
        if case.name in names or names == ["all"]:
            sys.stdout.write(json.dumps(report(getattr(batched_cases, order), case, dtype)) + "\n")
            sys.stdout.flush()
