"""With the batch split over four devices, layers compute what one device does, and move nothing but sums."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.batched_cases import BATCHED, FIRST

ROOT = Path(__file__).parents[2]
KINDS = ("explicit", "auto", "manual, checked", "manual")
RTOL = 4e-6  # float32, of sums in another order


def found_by(script, *arguments):
    """Return the lines that a script printed, in a process that has four devices."""
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
    done = subprocess.run(
        [sys.executable, "-m", script, *arguments],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(lines, kinds, collectives=("all-reduce",)):
    """Check every kind of mesh of every line."""
    wrong = []
    for line in lines:
        for kind in kinds:
            apart, moved = line[kind]
            if isinstance(apart, str) or not max(apart) <= RTOL or not set(moved) <= set(collectives):
                wrong.append(f"{line['name']}, {kind}: {apart} {moved}")
    assert not wrong, "\n".join(wrong)


def test_one_layer_an_algorithm_on_every_kind_of_mesh():
    lines = found_by("tests.ops.mesh_programs", "first_order", *FIRST)
    assert {line["name"] for line in lines} == set(FIRST)
    check(lines, KINDS)
    assert any(moved == ["all-reduce"] for line in lines for _, moved in map(line.get, KINDS))


@pytest.mark.full
def test_every_layer_on_every_kind_of_mesh_to_the_second_order():
    lines = found_by("tests.ops.mesh_programs", "second_order", "all")
    assert [line["name"] for line in lines] == [case.name for case in BATCHED]
    check(lines, KINDS)


def test_networks_and_several_batch_axes():
    lines = found_by("tests.ops.mesh_networks")
    assert len(lines) >= 12
    check(lines, ("found",))
