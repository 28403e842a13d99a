import re
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.algorithms import choice, direct
from jaxcnn.benchmark.cases import ROWS
from tests.algorithms.algorithm_checks import AlgorithmCase, case_of, operands_of

CASES = {row.name: AlgorithmCase("conv", row.name, row.inputs, dict(row.options)) for row in ROWS if row.op == "conv"}


def chosen(case, part, dtype=jnp.float32):
    return choice.choose(part, case.config, *(given.shape for given in case.inputs), dtype)


def test_every_line_names_parts_that_its_algorithm_has():
    for rule in choice.TABLE:
        assert rule.parts
        assert set(rule.parts) <= set(choice.PARTS)
        assert rule.dtypes
        assert set(rule.dtypes) <= {"float32", "float64", "bfloat16", "float16"}
        for part in rule.parts:
            assert callable(getattr(choice.ALGORITHMS[rule.algorithm], part))
    assert all(callable(getattr(direct, part)) for part in choice.PARTS)


def test_no_algorithm_has_a_part_that_no_line_names():
    for name, module in choice.ALGORITHMS.items():
        if module is not direct:
            named = {part for rule in choice.TABLE if rule.algorithm == name for part in rule.parts}
            assert {part for part in choice.PARTS if hasattr(module, part)} == named, name


def test_every_line_says_what_was_measured():
    for rule in choice.TABLE:
        assert re.search(r"\d/\d", rule.why), rule


@pytest.mark.parametrize("name", [name for name in choice.ALGORITHMS if name != "direct"])
def test_a_row_of_the_benchmark_chooses_every_part_of_the_algorithm(name):
    """What no row chooses, nobody has measured: it is to be deleted."""
    parts = {part for part in choice.PARTS if hasattr(choice.ALGORITHMS[name], part)}
    assert parts
    assert parts == {part for part in parts for case in CASES.values() if chosen(case, part).get("cpu") == name}


@pytest.mark.parametrize(
    ("x", "kernel", "strides", "parts"),
    [
        ((16, 32, 32, 32), (3, 3, 32, 64), 1, {"forward", "dx", "dkernel"}),
        ((32, 32, 32, 32), (3, 3, 32, 64), 2, {"forward"}),
        ((4, 32, 32, 32), (3, 3, 32, 64), 1, set()),
        ((16, 32, 32, 32), (3, 3, 32, 32), 1, {"forward", "dx"}),
        ((64, 32, 32, 32), (3, 3, 32, 32), 1, {"forward", "dx", "dkernel"}),
        ((16, 32, 32, 16), (3, 3, 16, 64), 1, {"forward"}),
        ((32, 32, 32, 64), (3, 3, 64, 16), 1, {"dx"}),
        ((16, 8, 8, 128), (3, 3, 128, 128), 1, set()),
        ((16, 14, 14, 32), (5, 5, 32, 64), 1, set()),
        ((128, 14, 14, 32), (5, 5, 32, 64), 1, {"forward", "dx", "dkernel"}),
    ],
)
def test_wide_convolutions_go_to_eigen(x, kernel, strides, parts):
    plain = case_of("", x, kernel, strides=strides)
    case = AlgorithmCase(plain.op, "", plain.inputs, plain.options)
    assert {part for part in choice.PARTS if chosen(case, part).get("cpu") == "lattice"} == parts


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_where_nothing_was_measured_the_choice_is_lax(case):
    """That of dkernel too: `canonical` is what lax's program becomes, in a loop also."""
    shapes = [given.shape for given in case.inputs]
    for part in choice.PARTS:
        for dtype in (jnp.bfloat16, jnp.float16):
            assert set(chosen(case, part, dtype).values()) <= {"direct", "canonical"}
        for name in {"lattice", "outer_products", "grouped"}:  # slower than lax in float64
            assert name not in chosen(case, part, jnp.float64).values()
        for platform in ("cuda", "rocm", "tpu"):
            assert choice.rule_for(platform, part, case.config, *shapes, jnp.float32) is None
        assert set(chosen(case, part)) <= {"cpu", "default"}
        assert chosen(case, part)["default"] == "direct"


def test_the_choice_is_that_of_the_line_that_is_given_as_its_reason():
    for case in CASES.values():
        for part in choice.PARTS:
            shapes = [given.shape for given in case.inputs]
            rule = choice.rule_for("cpu", part, case.config, *shapes, jnp.float32)
            assert chosen(case, part).get("cpu", "direct") == (rule.algorithm if rule else "direct")


def test_the_first_line_that_fits_is_taken(monkeypatch):
    line = choice.Rule("direct", ("dx",), lambda layer: layer.kernel_shape[:2] == (3, 3), "27/0.4", ("float32",))
    monkeypatch.setattr(choice, "TABLE", (line, *choice.TABLE))
    case = CASES["depthwise 3x3"]
    assert chosen(case, "dx") == {"cpu": "direct", "default": "direct"}
    assert chosen(case, "dkernel")["cpu"] == "depthwise"
    assert chosen(CASES["depthwise 7x7"], "dx")["cpu"] == "depthwise"


def test_an_algorithm_is_not_asked_for_what_it_does_not_accept(monkeypatch):
    everything = [rule._replace(when=lambda _: True) for rule in choice.TABLE]
    monkeypatch.setattr(choice, "TABLE", everything)
    for case in CASES.values():
        for part in choice.PARTS:
            algorithm = choice.ALGORITHMS[chosen(case, part).get("cpu", "direct")]
            assert algorithm.accepts(case.config, case.inputs[1].shape)
            assert hasattr(algorithm, part)


@pytest.fixture
def choice_by_platform(monkeypatch):
    """Choose another algorithm for the GPU: one that marks its results with cosines, which convolutions do not have."""

    def marked(part):
        return lambda *args: jnp.cos(getattr(direct, part)(*args))

    fake = types.SimpleNamespace(**{part: marked(part) for part in choice.PARTS})
    monkeypatch.setitem(choice.ALGORITHMS, "marked", fake)
    monkeypatch.setattr(choice, "choose", lambda *_: {"cuda": "marked", "default": "direct"})
    jax.clear_caches()
    yield
    jax.clear_caches()


def test_the_platform_chooses_when_the_function_is_lowered(choice_by_platform):
    x, kernel = jnp.ones((1, 5, 4, 2)), jnp.ones((3, 2, 2, 3))

    def gradients(x, kernel):
        return jax.grad(lambda x, k: jnp.sum(jaxcnn.conv(x, k, strides=2) ** 2), (0, 1))(x, kernel)

    found, right = gradients(x, kernel), jax.grad(
        lambda x, k: jnp.sum(jaxcnn.reference.conv(x, k, strides=2) ** 2), (0, 1)
    )(x, kernel)  # fmt: skip
    for a, b in zip(found, right, strict=True):
        np.testing.assert_array_equal(a, b)
    lowered = {
        p: jax.export.export(jax.jit(gradients), platforms=[p])(x, kernel).mlir_module() for p in ("cpu", "cuda", "tpu")
    }
    assert lowered["cuda"].count("stablehlo.cosine") == 3
    assert "stablehlo.cosine" not in lowered["cpu"] + lowered["tpu"]
    hessian = jax.hessian(lambda k: jnp.sum(jaxcnn.conv(x, k) ** 2))(kernel)
    assert hessian.shape == kernel.shape * 2
    assert jax.vmap(jaxcnn.conv, (0, None))(x[None], kernel).shape == (1, 1, 5, 4, 3)


def test_each_part_has_its_own_choice_and_its_own_name():
    """Profiles and errors name the algorithm and the part; the name of a part is a function of the compiled program."""
    case = CASES["LeNet conv1"]
    assert chosen(case, "forward") == {"cpu": "outer_products", "default": "direct"}
    assert chosen(case, "dkernel") == {"cpu": "lattice", "default": "direct"}
    assert chosen(case, "dx") == {"cpu": "col2im", "default": "direct"}
    (g, kernel), static = operands_of("dx", case, jnp.float32)
    dx = jax.jit(lambda *arrays: choice.run("dx", chosen(case, "dx"), *arrays, static=static))
    assert "@col2im_dx_cpu" in jax.export.export(dx, platforms=["cpu"])(g, kernel).mlir_module()
    text = jax.export.export(dx, platforms=["tpu"])(g, kernel).mlir_module()
    assert "@direct_dx_default" in text
    assert "col2im" not in text


@pytest.mark.parametrize(("algorithm", "channels"), [("lattice", (64, 64)), ("canonical", (16, 24))])
def test_the_kernel_gradient_is_differentiated_as_a_forward_convolution(algorithm, channels):
    """XLA's CPU compiler has fast routines for this order of axes alone: 12 ms, and 1909 in the order of a transpose."""
    plain = case_of("", (16, 32, 32, channels[0]), (3, 3, *channels))
    case = AlgorithmCase("conv", algorithm, plain.inputs, plain.options)
    assert chosen(case, "dkernel")["cpu"] == algorithm
    (x, g), static = operands_of("dkernel", case, jnp.float32)

    def of_g(x, g, tangent):
        _, pull = jax.vjp(lambda g: choice.run("dkernel", chosen(case, "dkernel"), x, g, static=static), g)
        return pull(tangent)

    text = jax.export.export(jax.jit(of_g), platforms=["cpu"])(x, g, jnp.ones((3, 3, *channels))).mlir_module()
    (line,) = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert "dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]" in line
    assert "stablehlo.transpose" not in text


@pytest.mark.parametrize("part", choice.PARTS)
def test_a_part_derived_by_lax_has_its_derivatives_in_either_array(monkeypatch, part):
    """Of an algorithm without any derivative they are still those of `direct`: forwards, backwards, mapped, twice."""

    def opaque(*args):
        return jax.lax.stop_gradient(getattr(direct, part)(*args))

    monkeypatch.setitem(choice.ALGORITHMS, "opaque", types.SimpleNamespace(**{part: opaque}))
    monkeypatch.setattr(choice, "DERIVED_BY_LAX", {("opaque", part)})
    choice._compiled.cache_clear()
    case = case_of("", (2, 6, 5, 2), (3, 2, 2, 3))
    shapes, static = operands_of(part, AlgorithmCase(case.op, part, case.inputs, case.options), jnp.float32)
    arrays = tuple(
        jax.random.normal(key, shape.shape)
        for key, shape in zip(jax.random.split(jax.random.key(0)), shapes, strict=True)
    )

    def found(*arrays):
        return choice.run(part, {"cpu": "opaque", "default": "direct"}, *arrays, static=static)

    def right(*arrays):
        return getattr(direct, part)(*arrays, *static)

    def derivatives(fn):
        def loss(*arrays):
            return jnp.sum(jnp.sin(fn(*arrays)))

        of_one = [
            jax.jvp(lambda a, i=i: fn(*arrays[:i], a, *arrays[i + 1 :]), [arrays[i]], [arrays[i]]) for i in (0, 1)
        ]
        twice = jax.jvp(jax.grad(loss, (0, 1)), arrays, arrays)
        mapped = jax.vmap(jax.grad(loss, (0, 1)), (0, None))(jnp.stack([arrays[0], 2 * arrays[0]]), arrays[1])
        return of_one, jax.vjp(fn, *arrays)[1](right(*arrays)), twice, mapped

    for a, b in zip(*(jax.tree.leaves(derivatives(fn)) for fn in (found, right)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.max(np.abs(b)))
        assert np.any(b)
