"""Random convolutions and pools: value and VJP are those of the reference, and linear ops are adjoint to their VJP.

So are the parts of each algorithm of a convolution those of lax.

`--configurations N` tries N of them (160 by default), from `--configurations-seed` on.
"""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.algorithms import choice
from jaxcnn.gradcheck import compare
from jaxcnn.gradcheck.cases import Normal
from jaxcnn.gradcheck.tolerances import rtol_of
from tests.algorithms.algorithm_checks import AlgorithmCase, compiled, operands_of
from tests.checks import assert_close

CHUNKS = 8  # so that workers share the load
DTYPES = st.sampled_from(["float64", "float64", "float32", "bfloat16", "float16"])


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
def convolutions(draw, algorithms=(None, None, None, *ALGORITHMS)):
    """Draw the operands' shapes and the options of a convolution in one to three dimensions.

    Half of them are drawn so that a certain algorithm takes them, which by chance few would be.
    """
    algorithm = draw(st.sampled_from(algorithms))
    rank = {"planes": 3, "lattice": 2}.get(str(algorithm)) or draw(st.sampled_from([1, 2, 2, 2, 3]))

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
    if algorithm not in (None, "depthwise", "planes"):
        groups = draw(st.integers(2, 6)) if algorithm == "grouped" else 1
    c_kernel = 1 if algorithm == "depthwise" else draw(st.integers(1, 2))
    c_out = groups * draw(st.integers(1, 3 if algorithm else 2))
    dilated = [(n - 1) * d + 1 for n, d in zip(sizes, options.get("input_dilation", (1,) * rank), strict=True)]
    extents = [(k - 1) * d + 1 for k, d in zip(window, options.get("kernel_dilation", (1,) * rank), strict=True)]
    options |= {"padding": draw(paddings(dilated, extents)), "feature_group_count": groups}
    batch = draw(st.sampled_from([(2,), (2,), (1,), (), (2, 2)]))
    return (*batch, *sizes, c_kernel * groups), (*window, c_kernel, c_out), options


@st.composite
def pools(draw):
    """Draw the operand's shape and the arguments of a pool in one to three dimensions."""
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    sizes = tuple(draw(st.integers(1, 7)) for _ in range(rank))
    window = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    padding = draw(paddings(sizes, window))
    strides = draw(st.one_of(st.none(), st.integers(1, 4), st.tuples(*[st.integers(1, 3)] * rank)))
    batch = draw(st.sampled_from([(2,), (1,), (), (2, 2)]))
    return (*batch, *sizes, draw(st.integers(1, 3))), (window, strides, padding)


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


def check(manual, auto, args, dtype):
    """Compare with the reference, and, in float64, check <A x, g> = <x, A' g> in every argument.

    A pool has windows that hold nothing but padding, where the value is not a number; they take no part. A maximum is
    linear around x, the choice of winners being fixed, so that the identity holds for it too.
    """
    compare(jax.jit(manual), jax.jit(auto), *args, argnums=tuple(range(len(args)))).raise_if_bad()
    if dtype == "float64":
        y, pull = jax.vjp(manual, *args)
        finite = jnp.isfinite(y)
        g = jnp.where(finite, numbers(y.shape, dtype, 9), jnp.zeros_like(y))
        y_times_g = jnp.vdot(jnp.where(finite, y, jnp.zeros_like(y)), g)
        for x, dx in zip(args, pull(g), strict=True):
            np.testing.assert_allclose(jnp.vdot(x, dx), y_times_g, rtol=0, atol=1e-12 * max(1.0, y.size))


def test_convolutions(chunk, request):
    count = 0

    @tried(request.config, chunk, 0.6)
    @hypothesis.given(convolutions(), DTYPES)
    def run(drawn, dtype):
        nonlocal count
        count += 1
        x, kernel, options = drawn
        with jax.enable_x64(dtype == "float64"):
            args = (numbers(x, dtype, 1), numbers(kernel, dtype, 2))
            manual, auto = (functools.partial(ops.conv, **options) for ops in (jaxcnn, jaxcnn.reference))
            check(manual, auto, args, dtype)

    run()
    assert count >= 0.6 * request.config.getoption("--configurations") / CHUNKS


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
        case = AlgorithmCase("conv", "", (Normal((2, *x[1 - len(kernel) :])), Normal(kernel)), options)
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


@st.composite
def other_linear_ops(draw):
    """Draw the shapes and options of a linear op that has no window of its own."""
    batch = draw(st.sampled_from([(), (3,), (2, 2)]))
    c_in, c_out = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    spatial = tuple(draw(st.integers(1, 4)) for _ in range(draw(st.integers(1, 3))))
    return draw(
        st.sampled_from(
            [
                ("dense", ((*batch, c_in), (c_in, c_out)), {}),
                ("global_avg_pool", ((*batch, *spatial, c_in),), {"spatial_rank": len(spatial)}),
                ("flatten", ((*batch, *spatial, c_in),), {"batch_rank": len(batch)}),
            ]
        )
    )


def test_other_linear_ops(chunk, request):
    count = 0

    @tried(request.config, chunk, 0.1)
    @hypothesis.given(other_linear_ops(), DTYPES)
    def run(drawn, dtype):
        nonlocal count
        count += 1
        name, shapes, options = drawn
        with jax.enable_x64(dtype == "float64"):
            args = tuple(numbers(shape, dtype, seed) for seed, shape in enumerate(shapes))
            check(
                *(functools.partial(getattr(ops, name), **options) for ops in (jaxcnn, jaxcnn.reference)), args, dtype
            )

    run()
    assert count >= 0.1 * request.config.getoption("--configurations") / CHUNKS


@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
def test_pools(name, chunk, request):
    count = 0

    @tried(request.config, chunk, 0.2)
    @hypothesis.given(pools(), DTYPES, st.booleans())
    def run(drawn, dtype, count_include_pad):
        nonlocal count
        count += 1
        shape, arguments = drawn
        extra = {"count_include_pad": count_include_pad} if name == "avg_pool" else {}
        with jax.enable_x64(dtype == "float64"):
            manual, auto = (
                lambda x, ops=ops: getattr(ops, name)(x, *arguments, **extra) for ops in (jaxcnn, jaxcnn.reference)
            )
            check(manual, auto, (numbers(shape, dtype, 1),), dtype)

    run()
    assert count >= 0.2 * request.config.getoption("--configurations") / CHUNKS
