"""Each algorithm lowers and exports for every platform; where nothing was measured, what is exported is lax."""

import re

import jax
import jax.numpy as jnp
import pytest

import jaxcnn
from jaxcnn.algorithms import choice, direct
from jaxcnn.benchmark.cases import ROWS
from tests.algorithms.algorithm_checks import AlgorithmCase, conv_by, loops, operands_of, value_and_gradients
from tests.algorithms.test_sharding import CASES

PLATFORMS = ("cpu", "cuda", "tpu")
PARTS = [(name, part) for name, module in choice.ALGORITHMS.items() for part in choice.PARTS if hasattr(module, part)]
WITHOUT_PRODUCTS = ("depthwise", "outer_products")  # they multiply and add element by element


def part_of(name, part, batch=8, **options):
    """Return a part of an algorithm as a function of arrays, and these."""
    case = CASES[name]
    x, *kernel = case.inputs
    x = x._replace(shape=(batch, *x.shape[1:]))
    case = AlgorithmCase("conv", name, (x, *kernel), case.options | options, algorithm=choice.ALGORITHMS[name])
    operands, static = operands_of(part, case, jnp.float32)
    return lambda *arrays: getattr(case.algorithm, part)(*arrays, *static), operands


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_every_part_exports_for_every_platform(name, part):
    fn, operands = part_of(name, part)
    exported = jax.export.export(jax.jit(fn), platforms=PLATFORMS)(*operands)
    assert exported.platforms == PLATFORMS
    assert "custom_call" not in exported.mlir_module()


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_no_part_loops_over_the_batch(name, part):
    """A loop over a sharded axis gathers it: loops and equations are as many for five images as for seven."""
    sizes = []
    for batch in (5, 7):
        fn, operands = part_of(name, part, batch)
        jaxpr = jax.make_jaxpr(fn)(*operands).jaxpr
        assert all(equation.primitive.name == "scan" for equation in loops(jaxpr)), "a loop of unknown length"
        sizes.append((len(jaxpr.eqns), [equation.params["length"] for equation in loops(jaxpr)]))
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(("name", "part"), [pair for pair in PARTS if pair[0] not in WITHOUT_PRODUCTS])
def test_precision_reaches_every_product(name, part):
    fn, operands = part_of(name, part, precision=jax.lax.Precision.HIGHEST)
    lines = jax.export.export(jax.jit(fn), platforms=["tpu"])(*operands).mlir_module().splitlines()
    products = [line for line in lines if re.search(r"stablehlo\.(convolution|dot_general)", line)]
    assert products
    assert all(line.count("HIGHEST") == 2 for line in products)


def arithmetic(exported):
    """Return the operations of an exported program, without names and without the choice of the platform."""
    plain = [re.sub(r" loc\(.*|%[\w#]+|@\w+", "", line).strip() for line in exported.mlir_module().splitlines()]
    choosing = ("stablehlo.case", "stablehlo.return", "tensor<i32>")
    return sorted(line for line in plain if "stablehlo." in line and not any(word in line for word in choosing))


@pytest.mark.parametrize("row", [row for row in ROWS if row.op == "conv"], ids=lambda row: row.name)
def test_on_a_platform_where_nothing_was_measured_the_program_is_that_of_lax(row):
    shapes = [jax.ShapeDtypeStruct(given.shape, jnp.float32) for given in row.inputs]
    g = jax.eval_shape(lambda *arrays: jaxcnn.conv(*arrays, **row.options), *shapes)

    def exported(conv, platform):
        def both(args, g):
            return value_and_gradients(lambda *arrays: conv(*arrays, **row.options), args, g)

        return arithmetic(jax.export.export(jax.jit(both), platforms=[platform])(shapes, g))

    on = {platform: exported(jaxcnn.conv, platform) for platform in PLATFORMS}
    lax = exported(conv_by(direct), "cpu")
    assert on["cuda"] == on["tpu"] == lax
    assert sum("stablehlo.convolution" in line for line in lax) == 3
    config = AlgorithmCase("conv", row.name, row.inputs, dict(row.options)).config
    somewhere = any(
        "cpu" in choice.choose(part, config, *(s.shape for s in shapes), jnp.float32) for part in choice.PARTS
    )
    assert (on["cpu"] != lax) == somewhere
