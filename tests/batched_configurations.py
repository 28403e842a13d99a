"""A random configuration with its batch split over an Explicit mesh, and exported with a symbol in place of its size."""

import functools

import jax
import jax.numpy as jnp

from tests.checks import assert_alike
from tests.ops.batched_cases import Numbers, first_order, operand_axes
from tests.ops.batches import batch_axis, number_of_examples, with_batch
from tests.ops.mesh_programs import on_explicit_mesh
from tests.ops.symbolic_programs import exported


def check_on_mesh(case, dtype, rng):
    """Check that four devices, or two, compute what one does, and move nothing but sums.

    Each has one to three examples. Results are those of eager calls, gradients those of a jitted program, and where
    the batch of results, gradients and second derivatives lies follows from where that of the arguments does.

    Returns:
      Whether the case has a batch.
    """
    if batch_axis(case) is None:
        return False
    devices = int(rng.choice([2, 4, 4]))
    case = with_batch(case, devices * int(rng.integers(1, 4)))
    with jax.enable_x64(dtype == "float64"), jax.default_device(jax.devices("cpu")[0]):
        operands, axes = operands_of(case, dtype), operand_axes(case)[:3]
        right = jax.jit(functools.partial(first_order, case))(*operands)
        found, collectives = on_explicit_mesh(first_order, case, operands, axes, devices)
    assert_same(found, right, f"{case.name}, {dtype}, on {devices} devices")
    assert set(collectives) <= {"all-reduce"}, f"{case.name}, on {devices} devices: {collectives}"
    return True


def check_symbolic(case, dtype, rng):
    """Check that one exported program computes what the plain call does, of as many examples as drawn and of others.

    Returns:
      Whether the case has a batch.
    """
    if batch_axis(case) is None:
        return False
    with jax.enable_x64(dtype == "float64"):
        any_size = with_batch(case, 2, rows=1)
        program = exported(
            functools.partial(first_order, any_size), operands_of(any_size, dtype), symbolic_axes(operand_axes(case))
        )
        for batch in {max(number_of_examples(case), 1), int(rng.integers(2, 10))}:  # a symbol is at least 1
            sized = with_batch(case, batch, rows=1)
            operands = operands_of(sized, dtype)
            right = jax.jit(functools.partial(first_order, sized))(*operands)
            assert_same(program.call(*operands), right, f"{case.name}, {dtype}, exported, {batch} examples")
    return True


def operands_of(case, dtype):
    """Return the arrays of a case, those that have a gradient and the others, and a weight for each result."""
    return Numbers(case, jnp.dtype(dtype)).operands()[:3]


def symbolic_axes(axes):
    """Return the axes of `operand_axes` as `exported` takes them: -1 where there is none."""
    return [[-1 if axis is None else axis for axis in group] for group in axes[:3]]


def assert_same(found, right, message):
    """Check results and gradients."""
    for what, ours, theirs in zip(("result", "gradient"), found, right, strict=True):
        assert_alike(ours, theirs, [b.dtype for b in theirs], f"{message}, {what}", right[1])
