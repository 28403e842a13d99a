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


def check(lines, kinds, rtol=RTOL):
    """Check every kind of mesh of every line."""
    wrong = []
    for line in lines:
        for kind in kinds:
            apart, moved = line[kind]
            if isinstance(apart, str) or not max(apart) <= rtol or not set(moved) <= {"all-reduce"}:
                wrong.append(f"{line['name']}, {kind}: {apart} {moved}")
    assert not wrong, "\n".join(wrong)


def test_one_layer_an_algorithm_on_every_kind_of_mesh():
    lines = found_by("tests.ops.mesh_programs", "first_order", "float32", *FIRST)
    assert {line["name"] for line in lines} == set(FIRST)
    check(lines, KINDS)
    assert any(moved == ["all-reduce"] for line in lines for _, moved in map(line.get, KINDS))


@pytest.mark.full
def test_every_layer_on_every_kind_of_mesh_to_the_second_order():
    lines = found_by("tests.ops.mesh_programs", "second_order", "float32", "all")
    assert [line["name"] for line in lines] == [case.name for case in BATCHED]
    check(lines, KINDS)


GROUPED = [case.name for case in BATCHED if case.options.get("feature_group_count", 1) > 1 and case.op != "conv_local"]


@pytest.mark.parametrize(
    ("dtype", "names", "rtol"),
    [
        ("float64", GROUPED, 1e-13),
        ("bfloat16", ["conv depthwise, input dilation"], 2.0**-7),
        pytest.param("bfloat16", GROUPED, 2.0**-7, marks=pytest.mark.full),
    ],
)
def test_groups_of_channels_where_their_algorithm_is_lax(dtype, names, rtol):
    """On Explicit meshes another one is taken: for lax's groups, on Auto ones too, XLA gathers all examples."""
    assert len(GROUPED) >= 4
    lines = found_by("tests.ops.mesh_programs", "first_order", dtype, *names)
    assert {line["name"] for line in lines} == set(names)
    check(lines, [kind for kind in KINDS if kind != "auto"], rtol=rtol)


@pytest.mark.parametrize(
    ("how", "number"), [(["quick"], 11), pytest.param([], 40, marks=pytest.mark.full)], ids=["quick", "all"]
)
def test_networks_and_several_batch_axes(how, number):
    lines = found_by("tests.ops.mesh_networks", *how)
    assert len(lines) == number
    check(lines, ("found",))
