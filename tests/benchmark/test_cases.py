import inspect

import jax
import numpy as np
import pytest

import jaxcnn
from jaxcnn.benchmark import cases, parts, plain
from jaxcnn.benchmark.cases import ROWS, SCALING
from jaxcnn.benchmark.measure import relative_error

SMALL = [
    row for row in ROWS if row.name in ("depthwise x2 stride 2", "1x1 in scan", "avg-pool 3x3 s2", "squared_error")
]


def test_names_are_unique():
    names = [row.name for row in ROWS + SCALING]
    assert len(set(names)) == len(names)


def test_every_layer_that_does_something_has_a_row():
    exported = {name for name, value in vars(jaxcnn.ops).items() if inspect.isfunction(value) and name[0] != "_"}
    assert exported - {"flatten"} <= {row.op for row in ROWS}  # flatten moves nothing


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_part_has_the_shapes_of_its_outputs_on_both_sides(row):
    given = [jax.ShapeDtypeStruct(i.shape, "int32" if i.kind == "classes" else "float32") for i in row.inputs]
    y = jax.eval_shape(row.function(plain.row_layers(jaxcnn.reference)), *given)
    cotangents = [given[i] for i in row.differentiated]
    names = [f"d{row.inputs[i].name}" for i in row.differentiated]
    assert row.parts == ("forward", *names, *["all"] * bool(names))
    expected = {"forward": y, **dict(zip(names, cotangents, strict=True)), "all": (y, *cotangents)}
    for ops in (jaxcnn.ops, jaxcnn.reference):
        for part in row.parts:
            args = given if part == "forward" else [y, *given]
            shapes = jax.eval_shape(parts.part_function(row, part, ops), *args)
            assert jax.tree.map(lambda s: (s.shape, s.dtype), shapes) == jax.tree.map(
                lambda s: (s.shape, s.dtype), expected[part]
            )


@pytest.mark.parametrize("row", SMALL, ids=lambda row: row.name)
def test_both_sides_agree(row):
    row = row.shrunk()
    args = parts.part_args(row, "all")
    manual, auto = (jax.jit(parts.part_function(row, "all", ops))(*args) for ops in (jaxcnn.ops, jaxcnn.reference))
    assert relative_error(manual, auto) <= 4e-6


def test_a_cotangent_alone_is_that_of_all():
    row = next(row for row in ROWS if row.name == "dense").shrunk()
    args = parts.part_args(row, "all")
    y, dx, dkernel = parts.part_function(row, "all", jaxcnn.ops)(*args)
    assert relative_error(parts.part_function(row, "forward", jaxcnn.ops)(*args[1:]), y) <= 4e-6
    assert relative_error(parts.part_function(row, "dx", jaxcnn.ops)(*args), dx) <= 4e-6
    assert relative_error(parts.part_function(row, "dkernel", jaxcnn.ops)(*args), dkernel) <= 4e-6


def test_arrays_are_always_the_same_and_labels_are_labels():
    for name in ("softmax_cross_entropy", "softmax_cross_entropy, int"):
        row = next(row for row in ROWS if row.name == name)
        one, two = row.arrays(), row.arrays()
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
        assert [array.shape for array in one] == [given.shape for given in row.inputs]
    assert one[1].dtype == np.int32
    assert 0 <= one[1].min() <= one[1].max() < 10
    weights = cases.Input("labels", (3, 7), "distribution").make(np.random.default_rng(0))
    assert np.allclose(weights.sum(-1), 1, atol=1e-6)


def test_groups_follow_from_the_channels():
    row = cases.conv_row("depthwise", (2, 8, 8, 6), (3, 3, 1, 6))
    assert row.options == {"feature_group_count": 6}
    assert row.shapes == "2,8,8,6 · 3,3,1,6"
    assert row.parts == ("forward", "dx", "dkernel", "all")


def test_scaling_covers_batches_and_images_of_three_layers():
    layers = "3x3", "depthwise 3x3", "max-pool 2x2"
    growing = [row for row in SCALING if row.name.split(",")[0] in layers]
    assert len(growing) == 30
    shapes = {row.inputs[0].shape[:2] for row in growing}
    assert {batch for batch, _ in shapes} == {8, 16, 32, 64, 128, 256}
    assert {side for _, side in shapes} == {16, 32, 56, 112, 224}


def test_scaling_doubles_windows_bins_and_groups():
    found = {}
    for row in SCALING:
        name, size = row.name.split(", ", 1)
        found.setdefault(name, []).append(size)
    doubled = [str(2**k) for k in range(3, 13)]
    pools = [f"{kind} {what}" for kind, what in (("max-pool", "window"), ("avg-pool", "window"))]
    pools += ["adaptive max-pool bins", "adaptive avg-pool bins"]
    assert all(found[name] == doubled for name in (*pools, "depthwise taps", "groups of 2"))
    assert found["depthwise square"][-2:] == ["31x31", "63x63"]
