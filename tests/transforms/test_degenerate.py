"""What `accelerate` reports of arrays without axes, without elements, and of one element, and what it counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxcnn.transforms import accelerate, explain
from tests.transforms.pattern_checks import reported

REDUCERS = {"max": (lax.max, -np.inf), "min": (lax.min, np.inf), "add": (lax.add, 0.0), "mul": (lax.mul, 1.0)}
NHWC = ("NHWC", "HWIO", "NHWC")


def window(reducer, sizes, padding="VALID"):
    combine, init = REDUCERS[reducer]
    return lambda x: lax.reduce_window(x, init, combine, sizes, (1,) * len(sizes), padding)


def own_window(x):
    """A reduction that is none of the primitives of its own."""
    return lax.reduce_window(x, np.float32(0), lambda a, b: a + b * b, (1,) * x.ndim, (1,) * x.ndim, "VALID")


def two_windows(x):
    """Two arrays that are reduced together."""

    def both(a, b):
        return a[0] + b[0], a[1] * b[1]

    inits = np.float32(0), np.float32(1)
    return lax.reduce_window((x, x), inits, both, (1,) * x.ndim, (1,) * x.ndim, "VALID")


def conv(*sizes, **options):
    """A convolution of as many spatial axes as sizes of the window's strides are given."""
    return lambda x, kernel: lax.conv_general_dilated(x, kernel, sizes, "SAME", **options)


def ones(*shapes, dtype=jnp.float32):
    return [jnp.ones(shape, dtype) for shape in shapes]


SHAPES = [(), (1,), (0,), (3, 0), (1, 1, 1, 1), (2, 0, 4, 3)]
CALLS = {
    **{f"{name} of {shape}": (window(name, (1,) * len(shape)), ones(shape)) for name in REDUCERS for shape in SHAPES},
    **{f"padded {name} of (1,)": (window(name, (2,), ((1, 1),)), ones((1,))) for name in REDUCERS},
    **{f"own window of {shape}": (own_window, ones(shape)) for shape in SHAPES},
    **{f"two windows of {shape}": (two_windows, ones(shape)) for shape in SHAPES[:4]},
    **{f"gelu of {shape}": (lambda x: jax.nn.gelu(x, approximate=False), ones(shape)) for shape in SHAPES},
    **{f"log_softmax of {shape}": (jax.nn.log_softmax, ones(shape)) for shape in ((1,), (0, 3), (1, 1), (2, 0, 3))},
    **{f"sum of {shape}": (jnp.sum, ones(shape, dtype=jnp.bfloat16)) for shape in SHAPES},
    **{f"bias of {shape}": (jnp.add, ones((2, *shape), shape[-1:], dtype=jnp.bfloat16)) for shape in SHAPES},
    **{
        f"dense {a} {b}": (jnp.dot, ones(a, b))
        for a, b in [((0, 3), (3, 4)), ((2, 0), (0, 4)), ((2, 3), (3, 0)), ((1, 1), (1, 1)), ((), ()), ((2, 0, 3), (3, 4))]
    },
    **{
        f"conv {x} {kernel}": (conv(1, 1, dimension_numbers=NHWC), ones(x, kernel))
        for x, kernel in [
            ((1, 1, 1, 1), (1, 1, 1, 1)), ((0, 4, 4, 3), (3, 3, 3, 2)), ((2, 4, 4, 0), (3, 3, 0, 2)),
            ((2, 4, 4, 3), (3, 3, 3, 0)), ((2, 0, 4, 3), (1, 3, 3, 2)), ((2, 1, 4, 3), (3, 3, 3, 2)),
        ]
    },
    "conv without spatial axes": (conv(), ones((2, 3), (4, 3))),
    "conv of one number": (conv(), ones((1, 1), (1, 1))),
    "conv of integers": (conv(1), ones((1, 1, 1), (1, 1, 1), dtype=jnp.int32)),
    "groups of an empty batch": (conv(1, 1, feature_group_count=2, dimension_numbers=NHWC), ones((0, 4, 4, 4), (3, 3, 2, 4))),
    "mapped": (jax.vmap(window("max", ())), ones((3,))),
    "mapped over nothing": (jax.vmap(window("add", ())), ones((0,))),
    "a loop without rounds": (lambda x: lax.scan(lambda c, v: (c + window("add", ())(v), None), 0.0, x)[0], ones((0,))),
    "a branch": (lambda x: lax.cond(x > 2, window("add", ()), window("mul", ()), x), ones(())),
    "compiled": (jax.jit(window("min", ())), ones(())),
    "nothing": (lambda: None, []),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_degenerate_arrays_are_reported(name):
    fn, args = CALLS[name]
    found, report = reported(fn, *args)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(fn(*args)), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(np.asarray(a, np.float64), np.asarray(b, np.float64), rtol=1e-6)
    assert 0 <= report.share <= 1
    assert all(one.flops >= 0 and one.primitive in str(report) for one in report.findings)
    assert f"{len(report.findings)} findings" in repr(report)
    assert str(explain(fn, *args, platform="cpu")) == "on cpu: no convolution of jaxcnn"


@pytest.mark.parametrize("name", ["max", "min", "add"])
def test_a_pool_without_axes_is_printed_and_has_the_gradient_1(name, capsys):
    """XLA's CPU compiler of JAX 0.10.2 ends the process for the gradient of lax's own maximum without axes."""
    fn = accelerate(window(name, ()), report=True)
    assert jax.grad(fn)(3.0) == 1
    assert accelerate(jax.grad(window(name, ())))(jnp.float32(3)) == 1
    assert f"reduce_window_{'sum' if name == 'add' else name}  scalar scalar" in capsys.readouterr().out


def test_flops_of_pools_are_the_taps_of_their_windows():
    pool = window("max", (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    flops = 3 * 3 * 4 * 5  # 3x3 windows of 4 elements, 5 channels, of a 2x2 image, which has fewer elements
    for fn, primitive in ((pool, "reduce_window_max"), (jax.grad(lambda x: pool(x).sum()), "select_and_scatter_add")):
        report = reported(fn, jnp.ones((1, 2, 2, 5)))[1]
        assert [one.flops for one in report.findings if one.primitive == primitive] == [flops]
    assert [one.flops for one in reported(window("max", ()), jnp.ones(()))[1].findings] == [1]
    assert [one.flops for one in reported(window("add", (1, 1)), jnp.ones((0, 3)))[1].findings] == [0]


@pytest.mark.parametrize(
    ("x", "kernel", "flops"),
    [
        ((1, 1, 1, 1), (1, 1, 1, 1), 2),
        ((0, 4, 4, 3), (3, 3, 3, 2), 0),
        ((2, 4, 4, 3), (3, 3, 3, 0), 0),
        ((2, 4, 4, 0), (3, 3, 0, 2), 0),
        ((2, 4, 4, 3), (3, 3, 3, 2), 2 * (2 * 4 * 4 * 2) * (3 * 3 * 3)),
    ],
)
def test_flops_of_convolutions(x, kernel, flops):
    report = reported(conv(1, 1, dimension_numbers=NHWC), *ones(x, kernel))[1]
    assert [one.flops for one in report.findings] == [flops]


def test_a_size_that_is_a_symbol_counts_as_one():
    (batch,) = jax.export.symbolic_shape("b")
    pool = window("max", (1, 2, 2, 1))
    reports = []
    x = jax.ShapeDtypeStruct((batch, 4, 4, 3), jnp.float32)
    jax.export.export(jax.jit(accelerate(pool, report=reports.append)))(x)
    assert [one.flops for one in reports[0].findings] == [3 * 3 * 3 * 4]
    assert reports[0].share == 1
    assert "b,4,4,3" in str(reports[0])
