import functools
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

import jaxcnn
from jaxcnn.algorithms import choice, direct
from jaxcnn.transforms import Explanation, explain

X, WIDE, DEPTHWISE = jnp.ones((2, 6, 6, 8)), jnp.ones((3, 3, 8, 8)), jnp.ones((3, 3, 1, 8))
depthwise = functools.partial(jaxcnn.conv, feature_group_count=8)


@pytest.fixture(autouse=True)
def table(monkeypatch):
    """A table of one algorithm, of one platform beside lax on all, that later measurements do not change."""
    rules = (
        choice.Rule(
            "depthwise", ("forward", "dkernel"), lambda layer: layer.config.strides == (1, 1), "3/2", choice.WIDE, "tpu"
        ),
        choice.Rule("depthwise", ("forward",), lambda _: True, "5/4", choice.WIDE, "cuda"),
    )
    for module in (choice, jaxcnn.transforms.explanation):
        monkeypatch.setattr(module, "TABLE", rules)
    jax.clear_caches()
    yield
    jax.clear_caches()


def loss(x, *kernels):
    for kernel in kernels:
        x = jaxcnn.conv(x, kernel, feature_group_count=x.shape[-1] // kernel.shape[-2])
    return jnp.sum(x**2)


def found(fn, *args, platform="tpu", **kwargs):
    """Return {kernel shape: {part: [times and algorithm, ...]}}."""
    layers = {}
    for row in explain(fn, *args, platform=platform, **kwargs).choices:
        layers.setdefault(row.kernel, {}).setdefault(row.part, []).append((row.times, row.algorithm))
    return layers


FORWARD = {DEPTHWISE.shape: {"forward": [(1, "depthwise")]}}
GRADIENT = {DEPTHWISE.shape: {"forward": [(1, "depthwise")], "dkernel": [(1, "depthwise")]}}
BOTH = {DEPTHWISE.shape: GRADIENT[DEPTHWISE.shape] | {"dx": [(1, "direct")]}}


def test_a_forward_pass_shows_forward_only():
    assert found(loss, X, DEPTHWISE) == FORWARD


def test_a_gradient_shows_what_it_computes():
    gradient = jax.grad(loss, (0, 1))
    assert found(gradient, X, DEPTHWISE) == BOTH


def test_what_no_result_depends_on_is_left_out():
    layers = found(jax.grad(loss, (1, 2)), X, DEPTHWISE, WIDE)
    assert layers[DEPTHWISE.shape] == GRADIENT[DEPTHWISE.shape]  # nobody wants the gradient of the images
    assert layers[WIDE.shape] == {part: [(1, "direct")] for part in choice.PARTS}


def test_rows_hold_shapes_dtype_and_reasons():
    explanation = explain(jax.grad(loss, (0, 1)), X, DEPTHWISE, platform="tpu")
    assert explanation.platform == "tpu"
    forward, dx, dkernel = explanation.choices
    assert [row.part for row in explanation.choices] == ["forward", "dx", "dkernel"]
    for row in explanation.choices:
        assert row.layer == ("conv", "float32", X.shape, DEPTHWISE.shape, X.shape)
    assert forward.why == dkernel.why == ("3/2",)
    assert dx.why == ("nothing was measured to be faster",)


def test_dtypes_that_were_not_measured_are_lax():
    x, kernel = X.astype(jnp.bfloat16), DEPTHWISE.astype(jnp.bfloat16)
    (row,) = explain(loss, x, kernel, platform="tpu").choices
    assert (row.dtype, row.algorithm) == ("bfloat16", "direct")


@pytest.mark.parametrize(
    ("platform", "algorithm"),
    [("cpu", "direct"), ("tpu", "depthwise"), ("cuda", "depthwise"), ("gpu", "depthwise"), ("rocm", "direct")],
)
def test_each_platform_shows_its_own_choice(platform, algorithm):
    explanation = explain(loss, X, DEPTHWISE, platform=platform)
    assert explanation.platform == platform
    ((_, _, _, _, _, _, taken, why, times),) = explanation.choices
    assert (taken, times) == (algorithm, 1)
    reasons = {"tpu": "3/2", "cuda": "5/4", "gpu": "5/4"}
    assert why == (reasons.get(platform, "nothing was measured to be faster"),)


def test_the_platform_is_the_one_that_jax_computes_on(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert explain(loss, X, DEPTHWISE).platform == "gpu"
    monkeypatch.setattr(jax, "default_backend", lambda: "abacus")  # every platform has a default
    explanation = explain(loss, X, DEPTHWISE)
    assert (explanation.platform, explanation.choices[0].algorithm) == ("abacus", "direct")


def in_scan(x, kernel):
    return jnp.sum(jax.lax.scan(lambda y, _: (depthwise(y, kernel), None), x, None, 3)[0] ** 2)


def in_while(x, kernel):
    return jax.lax.while_loop(lambda y: y.sum() < 9, lambda y: depthwise(y, kernel), x)


def in_fori(x, kernel):
    return jax.lax.fori_loop(0, 3, lambda _, y: depthwise(y, kernel), x)


def in_cond(x, kernel):
    return jnp.sum(jax.lax.cond(x.sum() > 0, lambda: depthwise(x, kernel), lambda: x) ** 2)


def in_rule(x, kernel):
    @jax.custom_vjp
    def rule(x):
        return depthwise(x, kernel)

    rule.defvjp(lambda x: (rule(x), None), lambda _, g: (g,))
    return rule(x)


def in_shard_map(x, kernel):
    mesh = jax.make_mesh((1,), ("batch",), axis_types=(AxisType.Auto,))
    specs = {"in_specs": (PartitionSpec("batch"), PartitionSpec()), "out_specs": PartitionSpec("batch")}
    return jnp.sum(jax.shard_map(depthwise, mesh=mesh, **specs, check_vma=False)(x, kernel) ** 2)


def in_vmap(x, kernel):
    return jnp.sum(jax.vmap(depthwise, (0, None))(x[None], kernel) ** 2)


@pytest.mark.parametrize(
    "fn", [in_scan, in_while, in_fori, in_cond, in_rule, in_shard_map, in_vmap, jax.jit(jax.jit(loss))]
)
def test_it_looks_into_programs_in_programs(fn):
    assert found(fn, X, DEPTHWISE) == FORWARD


@pytest.mark.parametrize("fn", [in_cond, in_shard_map, jax.jit(loss)])
def test_it_looks_into_their_gradients(fn):
    assert found(jax.jit(jax.grad(fn, (0, 1))), X, DEPTHWISE) == BOTH


def test_a_mapped_axis_is_part_of_the_shapes():
    rows = explain(jax.grad(in_vmap, (0, 1)), X, DEPTHWISE, platform="tpu").choices
    mapped = {(row.part, row.algorithm, row.x, row.kernel) for row in rows}
    x, kernel = (1, *X.shape), DEPTHWISE.shape
    assert mapped == {
        ("forward", "depthwise", x, kernel), ("dx", "direct", x, kernel), ("dkernel", "depthwise", x, (1, *kernel)),
    }  # fmt: skip


def test_what_jax_takes_apart_has_no_shapes():
    """JAX takes what depends on the kernel alone out of the loop."""
    layers = found(jax.grad(in_scan, (0, 1)), X, DEPTHWISE)
    assert layers[DEPTHWISE.shape] == {part: BOTH[DEPTHWISE.shape][part] for part in ("dx", "dkernel")}
    ((_, algorithm),) = layers[None]["forward"]
    assert algorithm == "depthwise"


def test_branches_of_a_user_are_all_shown():
    def either(x, plain, narrow):
        return jax.lax.cond(x.sum() > 0, lambda: jaxcnn.conv(x, plain), lambda: depthwise(x, narrow))

    assert found(either, X, WIDE, DEPTHWISE) == FORWARD | {WIDE.shape: {"forward": [(1, "direct")]}}


def test_remat_computes_the_forward_pass_twice():
    parts = found(jax.value_and_grad(jax.checkpoint(lambda x, k: loss(x, k, k)), 1), X, DEPTHWISE)[DEPTHWISE.shape]
    assert parts["forward"] == [(4, "depthwise")]
    assert parts["dkernel"] == [(2, "depthwise")]
    assert parts["dx"] == [(1, "direct")]


def test_layers_are_counted_by_shape_and_choice():
    def network(x, kernel):
        x = depthwise(depthwise(x, kernel), kernel)
        return depthwise(depthwise(x, kernel, strides=(1, 2), padding=((1, 1), (3, 4))), kernel)

    x = jnp.ones((2, 6, 6, 8))
    assert found(network, x, DEPTHWISE) == {DEPTHWISE.shape: {"forward": [(3, "depthwise"), (1, "direct")]}}


def test_a_second_derivative_names_what_jax_differentiated():
    def hvp(x, kernel):
        return jax.grad(lambda k: jnp.vdot(jax.grad(loss, 1)(x, k), k))(kernel)

    explanation = explain(hvp, X, DEPTHWISE, platform="tpu")
    assert {row.kernel for row in explanation.choices} == {DEPTHWISE.shape, None}
    assert all((row.x is None) == (row.kernel is None) == (row.y is None) for row in explanation.choices)
    assert "taken apart" in str(explanation)


def test_arguments_that_are_no_arrays_are_passed_as_they_are():
    @functools.partial(jax.jit, static_argnums=2, static_argnames="padding")
    def layer(x, params, strides, *, padding, bias, transform):
        assert isinstance(bias, jax.core.Tracer)
        return transform(depthwise(x, params["kernel"], bias, strides=strides, padding=padding))

    keywords = {"padding": "VALID", "bias": np.ones(8, np.float32), "transform": jax.tree_util.Partial(jnp.sin)}
    (row,) = explain(layer, jax.ShapeDtypeStruct(X.shape, X.dtype), {"kernel": DEPTHWISE}, 2, **keywords).choices
    assert row.y == (2, 2, 2, 8)


def test_functions_without_a_choice_say_so(capsys):
    explanation = explain(jaxcnn.reference.conv, X, WIDE, platform="cpu")
    assert explanation == Explanation("cpu", ())
    assert str(explanation) == repr(explanation) == "on cpu: no convolution of jaxcnn"
    assert capsys.readouterr() == ("", "")


def test_it_prints_nothing_and_returns_a_table(capsys):
    explanation = explain(jax.grad(loss, (1, 2)), X, DEPTHWISE, WIDE, platform="tpu")
    assert capsys.readouterr() == ("", "")
    print(explanation)
    assert capsys.readouterr().out.splitlines() == [
        "on tpu",
        "  op    dtype    x        kernel   y        forward      dx        dkernel",
        "  conv  float32  2,6,6,8  3,3,1,8  2,6,6,8  1 depthwise  -         1 depthwise",
        "  conv  float32  2,6,6,8  3,3,8,8  2,6,6,8  1 direct     1 direct  1 direct",
        "why; a/b: milliseconds of lax and of the algorithm, where it was measured",
        "  depthwise  3/2",
        "  direct     nothing was measured to be faster",
    ]
    assert repr(explanation) == f"{explanation}" == str(explanation)  # what an interactive session shows
    assert [(row.algorithm, row.part) for row in explanation.choices] == [
        ("depthwise", "forward"), ("depthwise", "dkernel"), ("direct", "forward"), ("direct", "dx"), ("direct", "dkernel"),
    ]  # fmt: skip


def test_an_interactive_session_shows_the_table_once():
    lines = [
        "import jax.numpy as jnp, jaxcnn",
        "jaxcnn.explain(jaxcnn.conv, jnp.ones((2, 6, 6, 8)), jnp.ones((3, 3, 1, 8)), feature_group_count=8)",
    ]
    done = subprocess.run(
        [sys.executable, "-i", "-q", "-c", ""], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    assert done.stdout.count("on cpu\n  op    dtype") == 1
    assert done.stdout.count("why; a/b") == 1


def test_names_that_only_look_alike_are_not_algorithms():
    @jax.jit
    def direct_forward(x):
        return x

    @jax.jit
    def my_direct_forward_cpu(x):
        return direct_forward(x)

    assert explain(my_direct_forward_cpu, X, platform="cpu").choices == ()


def test_an_algorithm_is_found_under_the_name_that_it_runs_under(monkeypatch):
    monkeypatch.setitem(choice.ALGORITHMS, "with_many_names", types.SimpleNamespace(**vars(direct)))
    monkeypatch.setattr(choice, "choose", lambda *_: {"tpu": "with_many_names", "default": "direct"})
    jax.clear_caches()
    assert found(loss, X, WIDE) == {WIDE.shape: {"forward": [(1, "with_many_names")]}}
    assert found(loss, X, WIDE, platform="cpu") == {WIDE.shape: {"forward": [(1, "direct")]}}


def test_an_unknown_platform_is_an_error():
    with pytest.raises(ValueError, match=r"platform \(='abacus'\) must be one of cpu, gpu, cuda, rocm, tpu"):
        explain(loss, X, DEPTHWISE, platform="abacus")
