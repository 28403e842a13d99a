"""Compiles with the batch sharded over the devices of this process, and prints what the programs hold; a script.

`python sharded_programs.py rows` does it for every row of the benchmark, with all its gradients, and with the name of a
network for its train step. Nothing is run. What is printed is JSON: of each program, the names of its collectives and
conditionals, and those of the algorithms that were chosen for it. The conditionals of `algorithms._once`, which every
device takes alike, are left out.
"""

import dataclasses
import json
import re
import sys

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import jaxcnn.ops
from jaxcnn.algorithms.choice import PARTS, TABLE
from jaxcnn.benchmark import parts
from jaxcnn.benchmark.cases import ROWS, conv_row
from jaxcnn.benchmark.networks import NETWORKS

MORE = (
    conv_row("1x1 stride 2", (32, 32, 32, 64), (1, 1, 64, 128), strides=2),
    conv_row("depthwise 7x7 stride 2", (32, 32, 32, 64), (7, 7, 1, 64), strides=2),
    conv_row("3-D, 4 groups", (16, 8, 16, 16, 16), (3, 3, 3, 4, 16)),
)
INSTRUCTION = re.compile(
    r" (all-reduce|all-gather|all-to-all|ragged-all-to-all|reduce-scatter|collective-[a-z]+|conditional)(?:-start)?\("
)
ALGORITHMS = {f"{rule.algorithm}_{part}_cpu" for rule in TABLE for part in PARTS}
# Collectives are decided long before code is made, which takes most of the time.
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def main(what):
    """Print what the programs of the rows, or the one of a network, hold."""
    mesh = jax.make_mesh((jax.device_count(),), ("batch",), axis_types=(AxisType.Auto,))
    whole, split = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("batch",)))
    if what == "rows":
        with_batch = [row for row in (*ROWS, *MORE) if row.op != "running_statistics"]
        found = {row.name: of_row(row, whole, split) for row in with_batch}
        found["loop over the batch"] = contents(lambda x: jax.lax.map(jnp.sin, x), [jnp.ones((16, 4))], (split,), split)
    else:
        (network,) = (network for network in NETWORKS if network.name == what)
        args = jax.eval_shape(lambda: parts.network_args(network, "step"))
        step = parts.step_function(network, jaxcnn.ops)
        found = {what: contents(step, args, (whole, whole, split, split), (whole, whole, whole))}
    print(json.dumps(found))


def of_row(row, whole, split):
    """Return the contents of a layer with all its gradients, on a batch that the devices divide."""
    first, *rest = row.inputs
    batch = -(-first.shape[0] // jax.device_count()) * jax.device_count()
    row = dataclasses.replace(row, inputs=(dataclasses.replace(first, shape=(batch, *first.shape[1:])), *rest))
    of_examples = [i == 0 or a.kind != "normal" or a.name == "targets" for i, a in enumerate(row.inputs)]
    shardings = [split if examples else whole for examples in of_examples]
    args = jax.eval_shape(lambda: parts.part_args(row, "all"))
    outputs = (split, *(shardings[i] for i in row.wanted("all")))
    return contents(parts.part_function(row, "all", jaxcnn.ops), args, (split, *shardings), outputs)


def contents(function, args, in_shardings, out_shardings):
    """Return the collectives and conditionals of a compiled function, and its algorithms, each once."""
    lowered = jax.jit(function, in_shardings=in_shardings, out_shardings=out_shardings).lower(*args)
    text = lowered.compile(compiler_options=QUICK).as_text()
    algorithms = [name for name in sorted(ALGORITHMS) if f"jit({name})" in text]
    lines = [line for line in text.splitlines() if not re.search(r" conditional\(.*/once/cond", line)]
    return {"instructions": sorted(set(INSTRUCTION.findall("\n".join(lines)))), "algorithms": algorithms}


if __name__ == "__main__":
    main(sys.argv[1])
