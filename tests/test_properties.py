"""Random configurations of every layer, valid ones and spoiled ones, and of every algorithm of a convolution.

`--configurations N` tries N of them (16 by default), from `--configurations-seed` times N on. What is tried of a layer
is said in `tests.random_configurations`, a command that goes on for hours if wanted; the parts of each algorithm of a
convolution are those of lax.
"""

import subprocess
import sys
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.algorithms import choice
from jaxcnn.gradcheck.cases import Normal
from jaxcnn.gradcheck.tolerances import rtol_of
from tests import random_configurations
from tests.algorithms.algorithm_checks import AlgorithmCase, compiled, operands_of
from tests.checks import assert_close

CHUNKS = 8  # so that workers share the load
WITH_ONE_DEVICE = tuple(part for part in random_configurations.PARTS if part != "mesh")


def pytest_generate_tests(metafunc):
    if "chunk" in metafunc.fixturenames:
        metafunc.parametrize("chunk", range(CHUNKS))


@st.composite
def paddings(draw, sizes, windows):
    """Draw any kind of padding that leaves room for the windows; sizes and windows are the dilated extents."""
    if draw(st.booleans()):
        fitting = all(size >= window for size, window in zip(sizes, windows, strict=True))
        return draw(st.sampled_from(["SAME", "SAME_LOWER", *["VALID"] * fitting]))
    pairs = []
    for size, window in zip(sizes, windows, strict=True):
        low = draw(st.integers(-(size - 1), 3))
        least = max(window - size - low, min(0, -(size - max(-low, 0))))
        pairs.append((low, draw(st.integers(least, least + 4))))
    return tuple(pairs)


ALGORITHMS = [name for name in choice.ALGORITHMS if name != "direct"]


@st.composite
def convolutions(draw, algorithms):
    """Draw the operands' shapes and the options of a convolution that one of the algorithms takes: few would by chance."""
    algorithm = draw(st.sampled_from(algorithms))
    rank = {"planes": 3, "lattice": 2}.get(algorithm) or draw(st.sampled_from([1, 2, 2, 2, 3]))

    def each(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    sizes, window = each(1, 6), each(1, 1 if algorithm == "pointwise" else 3)
    options = {"strides": each(1, 3), "input_dilation": each(1, 2), "kernel_dilation": each(1, 2)}
    if algorithm == "patches":
        options = {"strides": window}
    elif algorithm == "input_dilated":
        options |= {"strides": (1,) * rank}
    elif algorithm == "lattice":
        options |= {"input_dilation": (1,) * rank}
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    if algorithm not in ("depthwise", "planes"):
        groups = draw(st.integers(2, 6)) if algorithm == "grouped" else 1
    c_kernel = 1 if algorithm == "depthwise" else draw(st.integers(1, 2))
    c_out = groups * draw(st.integers(1, 3))
    dilated = [(n - 1) * d + 1 for n, d in zip(sizes, options.get("input_dilation", (1,) * rank), strict=True)]
    extents = [(k - 1) * d + 1 for k, d in zip(window, options.get("kernel_dilation", (1,) * rank), strict=True)]
    options |= {"padding": draw(paddings(dilated, extents)), "feature_group_count": groups}
    return (2, *sizes, c_kernel * groups), (*window, c_kernel, c_out), options


def tried(config, chunk, share):
    """Return a decorator that tries this chunk's part of `share` of all configurations."""
    count = -(-int(config.getoption("--configurations") * share) // CHUNKS)
    settings = hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        print_blob=True,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    start = config.getoption("--configurations-seed") * CHUNKS + chunk
    return lambda test: hypothesis.seed(start)(settings(test))


def numbers(shape, dtype, seed):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def numbers_of(config):
    """Return the numbers of the configurations."""
    count, seed = config.getoption("--configurations"), config.getoption("--configurations-seed")
    return range(seed * count, (seed + 1) * count)


def test_layers(chunk, request):
    for number in numbers_of(request.config)[chunk::CHUNKS]:
        try:
            random_configurations.check_valid(number, WITH_ONE_DEVICE)
        except Exception as error:
            raise AssertionError(random_configurations.replay(number)) from error


def test_layers_on_meshes(request):
    """They need a process that has several devices."""
    numbers = numbers_of(request.config)
    bounds = ["--start", str(numbers.start), "--stop", str(numbers.stop)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.random_configurations", *bounds, "--parts", "mesh"],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"{len(numbers)} tried, 0 failed\n")


def test_spoiled_layers(request):
    refused = 0
    for number in numbers_of(request.config):
        try:
            refused += random_configurations.check_invalid(number)
        except Exception as error:
            raise AssertionError(random_configurations.replay(number, invalid=True)) from error
    assert refused > 0


def test_algorithms(chunk, request):
    """Every part of every algorithm that accepts a convolution is that of lax; each chunk draws for some of them."""
    mine = ALGORITHMS[chunk::CHUNKS] or ALGORITHMS
    count = 0

    @tried(request.config, chunk, 0.2)
    @hypothesis.given(convolutions(mine))
    def run(drawn):
        nonlocal count
        count += 1
        x, kernel, options = drawn
        case = AlgorithmCase("conv", "", (Normal(x), Normal(kernel)), options)
        accepted = {name: module for name, module in choice.ALGORITHMS.items() if module.accepts(case.config, kernel)}
        assert set(mine) & set(accepted)
        with jax.enable_x64(True):
            operands = {part: operands_of(part, case, np.float64) for part in choice.PARTS}
            arrays = {
                part: [numbers(a.shape, a.dtype, i) for i, a in enumerate(operands[part][0])] for part in operands
            }

            def all_parts(arrays):
                return {
                    part: {
                        name: getattr(module, part)(*arrays[part], *operands[part][1])
                        for name, module in accepted.items()
                        if hasattr(module, part)
                    }
                    for part in choice.PARTS
                }

            for part, found in compiled(all_parts)(arrays).items():
                for name, array in found.items():
                    assert_close(array, found["direct"], rtol_of(np.float64), f"{part} by {name}")

    run()
    assert count >= 0.2 * request.config.getoption("--configurations") / CHUNKS
