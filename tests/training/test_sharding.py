"""With the batch sharded over eight devices, a compiled step adds up its gradients and moves nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxcnn.algorithms.choice import TABLE
from jaxcnn.benchmark.networks import NETWORKS

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("sharded_programs.py")
# What a nan, or squares outside the range of the dtype, ask for, is computed in a branch that all devices take alike.
BRANCHES = {"softmax_cross_entropy", "cosine_similarity", "cosine_distance"}


def contents(what):
    """Return what the compiled programs hold, from a process that has eight devices."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    done = subprocess.run(
        [sys.executable, SCRIPT, what],
        env=os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(network.name, marks=[pytest.mark.full] * (network.name in ("MobileNetV2", "ConvNeXt")))
        for network in NETWORKS
    ],
)
def test_a_train_step_holds_all_reduce_and_no_other_collective_nor_a_conditional(network):
    assert contents(network)[network]["instructions"] == ["all-reduce"]


def test_layers_hold_at_most_all_reduce_whatever_algorithm_is_chosen():
    found = contents("rows")
    assert found.pop("loop over the batch")["instructions"] == ["all-gather"]  # the test sees what it looks for
    assert found.keys() >= BRANCHES
    for name, row in found.items():
        allowed = {"all-reduce", "conditional"} if name in BRANCHES else {"all-reduce"}
        assert set(row["instructions"]) <= allowed, name
    seen = {algorithm for row in found.values() for algorithm in row["algorithms"]}
    assert seen == {f"{rule.algorithm}_{part}_cpu" for rule in TABLE if rule.platform == "cpu" for part in rule.parts}
