"""With the batch sharded, no part of an algorithm moves examples between devices: all-reduce, and nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxcnn.algorithms import choice
from tests.algorithms.algorithm_checks import AlgorithmCase, case_of, operands_of

CASES = {
    "direct": case_of("", (8, 6, 5, 2), (3, 2, 2, 3)),
    "canonical": case_of("", (8, 6, 5, 2), (3, 2, 2, 3)),
    "depthwise": case_of("", (8, 9, 5, 2), (3, 4, 1, 4)),
    "grouped": case_of("", (8, 6, 5, 8), (3, 2, 4, 12)),
    "pointwise": case_of("", (8, 6, 5, 2), (1, 1, 2, 3), strides=2),
    "patches": case_of("", (8, 6, 5, 2), (2, 3, 2, 3), strides=(2, 3)),
    "planes": case_of("", (8, 4, 3, 5, 2), (2, 3, 2, 2, 3)),
    "input_dilated": case_of("", (8, 4, 3, 2), (3, 2, 2, 3), input_dilation=2),
    "columns": case_of("", (8, 2, 3, 2), (3, 3, 2, 3)),
    "col2im": case_of("", (8, 6, 5, 2), (3, 2, 2, 3)),
    "lattice": case_of("", (8, 6, 5, 2), (3, 2, 2, 3)),
    "outer_products": case_of("", (8, 6, 5, 2), (3, 2, 2, 3)),
}


def test_a_sharded_batch_needs_all_reduce_and_nothing_else():
    found = subprocess.run(
        [sys.executable, "-m", "tests.algorithms.test_sharding"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    collectives = {tuple(line.split()[:2]): line.split()[2:] for line in found.stdout.splitlines()}
    parts = {
        (name, part) for name, module in choice.ALGORITHMS.items() for part in choice.PARTS if hasattr(module, part)
    }
    assert set(collectives) == parts
    for (name, part), those in collectives.items():
        assert those == (["all-reduce"] if part == "dkernel" else []), f"{name}, {part}: {those}"


def collectives(part, case):
    """Return the names of the collectives in a compiled part, x and g sharded over the batch."""
    mesh = jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Auto,))
    shard, replicate = (NamedSharding(mesh, spec) for spec in (PartitionSpec("batch"), PartitionSpec()))
    operands, static = operands_of(part, case, jnp.float32)
    program = jax.jit(
        lambda *arrays: getattr(case.algorithm, part)(*arrays, *static),
        in_shardings=(shard, shard if part == "dkernel" else replicate),
        out_shardings=replicate if part == "dkernel" else shard,
    )
    text = program.lower(*operands).compile().as_text()
    return sorted(set(re.findall(r"\b(all-\w+|collective-\w+|reduce-scatter)(?:-start)?\(", text)))


if __name__ == "__main__":
    for name, algorithm in choice.ALGORITHMS.items():
        case = AlgorithmCase("conv", name, CASES[name].inputs, CASES[name].options, algorithm=algorithm)
        assert case.accepted
        for part in choice.PARTS:
            if hasattr(algorithm, part):
                print(name, part, *collectives(part, case))
