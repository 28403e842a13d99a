"""The mistakes that people make when they write a CNN backward by hand: each must be found and named.

Each bug is an edit of the source of a rule, run as a copy; the case is one on which the mistake shows.
"""

import functools
import importlib
import inspect
import re
import types

import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.gradcheck import compare


def copy_of(name, *edits, **replaced):
    """Return a copy of a module of jaxcnn with its source edited and some of its globals replaced."""
    source = inspect.getsource(importlib.import_module(f"jaxcnn.{name}"))
    for old, new in edits:
        assert source.count(old) >= 1, f"{old!r} is not in {name}"
        source = source.replace(old, new)
    module = types.ModuleType(f"copy_of_{name}")
    exec(compile(source, f"copy of {name}", "exec"), module.__dict__)
    vars(module).update(replaced)
    return module


def conv_with(*edits, window=()):
    """Return `conv` with an edited algorithm, and with edited paddings of the gradients."""
    paddings = copy_of("ops._window", *window)
    names = ("conv_dx_padding", "conv_dkernel_padding")
    direct = copy_of("algorithms.direct", *edits, **{name: getattr(paddings, name) for name in names})

    def run(part, choice, *operands, static):
        return getattr(direct, part)(*operands, *static)

    return copy_of("ops.convolution", choice=types.SimpleNamespace(choose=lambda *_: None, run=run)).conv


def pool_with(name, *edits, rule=()):
    """Return a pool with an edited algorithm or rule."""
    module = {"max_pool": "ops.pooling", "avg_pool": "ops.average_pooling"}[name]
    return getattr(copy_of(module, *rule, windows=copy_of("algorithms.windows", *edits)), name)


def normal(*shape):
    return jnp.asarray(np.random.default_rng(len(shape)).standard_normal(shape), jnp.float32)


NO_ZEROS = (
    "o_dil = dilated_size(output_size[axis], config.strides[axis])\n        pairs.append((k_eff - 1 - low",
    "o_dil = output_size[axis]\n        pairs.append((k_eff - 1 - low",
)
EDGE = (
    'dx(g: jax.Array, kernel: jax.Array, input_size: tuple[int, ...], config: "ConvConfig") -> jax.Array:',
    """dx(g, kernel, input_size, config):
    read = [(o - 1) * s + k for o, s, k in zip(g.shape[1:-1], config.strides, kernel.shape[:-2])]
    rest = [(0, size - r) for size, r in zip(input_size, read)]
    return jnp.pad(_dx(g, kernel, tuple(read), config), [(0, 0), *rest, (0, 0)], mode="edge")


def _dx(g: jax.Array, kernel: jax.Array, input_size: tuple[int, ...], config: "ConvConfig") -> jax.Array:""",
)
ARGS = {
    "square": lambda: (normal(2, 6, 6, 3), normal(3, 3, 3, 4)),
    "oblong": lambda: (normal(2, 7, 6, 3), normal(3, 2, 3, 4)),
    "channels": lambda: (normal(2, 6, 5, 3), normal(3, 2, 3, 3)),
    "bias": lambda: (normal(3, 5, 4, 2), normal(3, 2, 2, 4), normal(4)),
}


@pytest.mark.parametrize(
    ("wrong", "args", "options", "argnums", "named"),
    [
        pytest.param(conv_with(("cropped(g, whole, config.strides)", "cropped(g, whole, config.input_dilation)"), window=[NO_ZEROS]),
                     "oblong", {"strides": 2, "padding": "VALID"}, 0, "zeros between the cotangents",
                     id="stride without zeros between the cotangents"),
        pytest.param(conv_with(EDGE), "oblong", {"strides": 3, "padding": "VALID"}, 0, "rows that no window reads",
                     id="rows that no window reads get a gradient"),
        pytest.param(conv_with(window=[("(k_eff - 1 - low, i_dil - o_dil + low)", "(i_dil - o_dil + low, k_eff - 1 - low)")]),
                     "oblong", {"padding": ((2, 0), (0, 1))}, 0, "shifted by", id="dx padding exchanged"),
        pytest.param(conv_with(window=[("(k_eff - 1 - low, i_dil - o_dil + low)",
                                        "((k_eff - 1 + i_dil - o_dil) // 2, -(-(k_eff - 1 + i_dil - o_dil) // 2))")]),
                     "oblong", {"padding": ((2, 0), (0, 1))}, 0, "shifted by", id="dx padding symmetric"),
        pytest.param(conv_with(("lax.rev(kernel, spatial)", "kernel")), "square", {}, 0, "180 degrees",
                     id="kernel not turned for dx"),
        pytest.param(conv_with(("    return lax.conv_general_dilated(\n        x,\n        g,",
                                "    return lax.conv_general_dilated(\n        x,\n        lax.rev(g, range(1, rank + 1)),")),
                     "square", {"padding": "VALID"}, 1, "cotangent is turned by 180 degrees", id="g turned for dkernel"),
        pytest.param(conv_with(("def dkernel(", "def dkernel(*args):\n    return lax.rev(_dkernel(*args), (0, 1))\n\n\ndef _dkernel(")),
                     "oblong", {}, 1, "reversed along axes .0, 1.", id="dkernel reversed"),
        pytest.param(conv_with(("_swap_channels(lax.rev(kernel, spatial), config.feature_group_count)", "lax.rev(kernel, spatial)")),
                     "channels", {}, 0, "input and output channels are swapped", id="channels not swapped for dx"),
        pytest.param(conv_with(("def dkernel(", "def dkernel(*args):\n    return jnp.swapaxes(_dkernel(*args), 2, 3)\n\n\ndef _dkernel(")),
                     "channels", {}, 1, "axes .2, 3. exchanged: input and output channels", id="channels swapped in dkernel"),
        pytest.param(conv_with(("lax.rev(kernel, spatial)", "jnp.swapaxes(lax.rev(kernel, spatial), 0, 1)")),
                     "square", {}, 0, "rows and columns", id="rows and columns exchanged"),
    ],
)  # fmt: skip
def test_convolution(wrong, args, options, argnums, named):
    check(
        functools.partial(wrong, **options),
        functools.partial(jaxcnn.reference.conv, **options),
        ARGS[args](),
        argnums,
        named,
    )


def test_a_copy_without_an_edit_is_right():
    """What is found above is the edit, not the copying."""
    for argnums in (0, 1):
        assert compare(conv_with(), jaxcnn.reference.conv, *ARGS["oblong"](), argnums=argnums).ok
    x = normal(2, 6, 5, 2)
    assert compare(lambda x: pool_with("max_pool")(x, (3, 2)), lambda x: jaxcnn.reference.max_pool(x, (3, 2)), x).ok


def test_symmetric_kernels_and_square_images_hide_exchanged_axes():
    """The mistake of the last convolution above is there, and nothing shows."""
    wrong = conv_with(("lax.rev(kernel, spatial)", "jnp.swapaxes(lax.rev(kernel, spatial), 0, 1)"))
    kernel = normal(3, 3, 3, 4)
    assert compare(wrong, jaxcnn.reference.conv, normal(2, 6, 6, 3), kernel + jnp.swapaxes(kernel, 0, 1)).ok
    assert not compare(wrong, jaxcnn.reference.conv, normal(2, 6, 6, 3), kernel).ok


OVERWRITE = (
    "return functools.reduce(jnp.add, rows)",
    "return functools.reduce(lambda a, b: jnp.where(b != 0, b, a), rows)",
)
TIES = [
    ("return windows.max_forward(x, config, minimum)\n", "return windows.max_forward(x, config)[0], x\n"),
    ("(windows.max_dx(widen(g), taps, config).astype(g.dtype),)",
     "(jnp.where(taps == windows.sum_dx(windows.max_forward(taps, config)[0], config), windows.sum_dx(g, config), 0 * taps),)"),
]  # fmt: skip
TRAILING = ("rows.append(pad_along(row, axis, first, geometry.size - first - extent))",
            "rows.append(pad_along(row, axis, first + geometry.size - extent, -first))")  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "x", "args", "named"),
    [
        pytest.param(pool_with("max_pool", OVERWRITE), [5, 3, 1, 2, 5, 4, 9, 8, 7, 6], ((3,),), "adding", id="overlapping windows overwrite"),
        pytest.param(pool_with("max_pool", rule=TIES), [1, 1, 2, 0, 3, 3], ((2,), 2), "ties", id="ties go to every maximum"),
        pytest.param(pool_with("max_pool", TRAILING), [5, 3, 1, 2, 6, 7, 0], ((2,), 2), "shifted by", id="trailing rows"),
        pytest.param(pool_with("avg_pool", rule=[("_divided(widen(g), config, count_include_pad, divisor)", "widen(g)")]),
                     [5, 3, 1, 2, 6, 7], ((3,), 3), "3 times the right gradient: a factor such as 1/N", id="missing 1/N"),
        pytest.param(pool_with("avg_pool", OVERWRITE), [5, 3, 1, 2, 6, 7], ((3,),), "adding", id="overlapping averages overwrite"),
    ],
)  # fmt: skip
def test_pooling(wrong, x, args, named):
    op = getattr(jaxcnn.reference, wrong.__name__)
    x = jnp.asarray(x, jnp.float32).reshape(-1, 1)
    check(lambda x: wrong(x, *args), lambda x: op(x, *args), (x,), 0, named)


def activation_with(name, *edits):
    return getattr(copy_of("ops.activations", *edits), name)


def loss_with(name, *edits):
    return getattr(copy_of("ops.cross_entropy", *edits), name)


UNSUMMED = ("jnp.sum(g, tuple(range(g.ndim - 1)), dtype=accumulation_dtype(g.dtype))",
            "jnp.sum(g, tuple(range(1, g.ndim - 1)), dtype=accumulation_dtype(g.dtype))[0]")  # fmt: skip
LABELS = jnp.array([0, 2, 1, 4])


@pytest.mark.parametrize(
    ("wrong", "auto", "args", "argnums", "named"),
    [
        pytest.param(copy_of("ops.linear", UNSUMMED).bias_add, jaxcnn.reference.bias_add, (normal(3, 5, 4, 2), normal(2)), 1,
                     "not summed over axes .0,.", id="bias gradient not summed over the batch"),
        pytest.param(copy_of("ops.linear", ("tuple(range(g.ndim - 1))", "(0, 1)"), ("dbias.astype", "dbias[0].astype")).bias_add,
                     jaxcnn.reference.bias_add, (normal(3, 5, 4, 2), normal(2)), 1, "not summed over axes .2,.",
                     id="bias gradient not summed over columns"),
        pytest.param(copy_of("ops.linear", ("tuple(range(g.ndim - 1))", "(0, 2)"), ("dbias.astype", "dbias[0].astype")).bias_add,
                     jaxcnn.reference.bias_add, (normal(3, 5, 4, 2), normal(2)), 1, "not summed over axes .1,.",
                     id="bias gradient not summed over rows"),
        pytest.param(activation_with("relu", ("lambda positive, g: jnp.where(positive,", "lambda positive, g: jnp.where(g > 0,")),
                     jaxcnn.reference.relu, (normal(4, 5),), 0, "mask comes from the wrong array", id="relu mask from the cotangent"),
        pytest.param(loss_with("softmax_cross_entropy_with_integer_labels",
                               ("(g * (softmax.weights", "(-g * (softmax.weights")),
                     jaxcnn.reference.softmax_cross_entropy_with_integer_labels, (normal(4, 5), LABELS), 0, "wrong sign",
                     id="one-hot minus p"),
        pytest.param(loss_with("softmax_cross_entropy", ("(total / softmax.total)", "(1 / softmax.total)")),
                     jaxcnn.reference.softmax_cross_entropy, (normal(4, 5), jnp.abs(normal(4, 5))), 0, "no simple relation",
                     id="labels taken to sum to 1"),
        pytest.param(copy_of("ops.linear", ("product(x.astype(g.dtype), 0, g, 0, precision)",
                                            "product(g, 0, x.astype(g.dtype), 0, precision)")).dense,
                     jaxcnn.reference.dense, (normal(4, 3), normal(3, 3)), 1, "axes .0, 1. exchanged", id="dkernel transposed"),
    ],
)  # fmt: skip
def test_other_layers(wrong, auto, args, argnums, named):
    check(wrong, auto, args, argnums, named)


def check(wrong, auto, args, argnums, named):
    report = compare(wrong, auto, *args, argnums=argnums)
    assert [row.kind for row in report.bad] == ["gradient"], f"only the gradient must be off\n{report}"
    assert re.search(named, report.bad[0].diagnosis), report
