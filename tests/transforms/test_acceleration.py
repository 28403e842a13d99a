"""`accelerate` of whole functions: what it composes with, what it reports, what it refuses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax._src import test_util as jtu  # its counter of compilations has no public name

import jaxcnn
from jaxcnn.transforms import accelerate

X = jnp.asarray(np.random.default_rng(0).standard_normal((4, 9, 8, 3)), jnp.float32)
PARAMS = {
    "conv": {"kernel": jnp.asarray(np.random.default_rng(1).standard_normal((3, 3, 3, 8)), jnp.float32) / 5},
    "depthwise": jnp.asarray(np.random.default_rng(2).standard_normal((3, 3, 1, 8)), jnp.float32) / 3,
    "bias": jnp.linspace(-1, 1, 8),
}


def network(params, x, *, strides=(1, 1)):
    conv = functools.partial(lax.conv_general_dilated, padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    x = jnp.tanh(conv(x, params["conv"]["kernel"], strides) + params["bias"])
    x = lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return conv(x, params["depthwise"], (1, 1), feature_group_count=8)


def loss(params, x, **options):
    return jnp.mean(network(params, x, **options) ** 2)


def close(found, right, rtol=2e-6):
    norm = max(float(np.max(np.abs(b), initial=0)) for b in jax.tree.leaves(right))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=rtol * norm), found, right)


def reports_of(fn, *args, **kwargs):
    reports = []
    accelerate(fn, report=reports.append)(*args, **kwargs)
    return reports


def test_value_and_gradients_eager_and_jitted():
    fast = accelerate(loss)
    close(fast(PARAMS, X), loss(PARAMS, X))
    right = jax.grad(loss, (0, 1))(PARAMS, X)
    for gradient in (jax.grad(fast, (0, 1)), jax.jit(jax.grad(fast, (0, 1))), jax.grad(accelerate(jax.jit(loss)), (0, 1)),
                     accelerate(jax.grad(loss, (0, 1))), accelerate(jax.jit(jax.grad(loss, (0, 1))))):  # fmt: skip
        close(gradient(PARAMS, X), right)


def test_the_gradient_is_that_of_the_hand_rules():
    text = str(jax.make_jaxpr(jax.grad(accelerate(loss)))(PARAMS, X))
    assert "conv_general_dilated_cpu" not in text
    assert "depthwise_dkernel_cpu" in text
    assert "select_and_scatter_add" not in text


def test_hessians_and_products_with_them():
    kernel = PARAMS["depthwise"][:, :, :, :2]

    def of_kernel(fn):
        def value(kernel):
            return fn(PARAMS | {"depthwise": jnp.concatenate([kernel, PARAMS["depthwise"][..., 2:]], -1)}, X)

        return value

    close(jax.hessian(of_kernel(accelerate(loss)))(kernel), jax.hessian(of_kernel(loss))(kernel), 1e-5)
    product = [jax.jvp(jax.grad(of_kernel(fn)), (kernel,), (kernel,))[1] for fn in (accelerate(loss), loss)]
    close(*product, rtol=1e-5)


def test_static_arguments_keywords_and_trees():
    fast = accelerate(loss)
    close(fast(params=PARAMS, x=X, strides=(2, 1)), loss(PARAMS, X, strides=(2, 1)))
    named = accelerate(lambda x, mode, options: {"y": x * options["by"], "mode": mode, "none": None})
    result = named(X, "train", {"by": 2.0})
    assert result["mode"] == "train"
    assert result["none"] is None
    assert jnp.array_equal(result["y"], 2 * X)
    compiled = accelerate(jax.jit(lambda x, double: 2 * x if double else x, static_argnames="double"))
    assert jnp.array_equal(compiled(X, double=True), 2 * X)


def test_the_name_and_documentation_of_the_function_stay():
    assert accelerate(loss).__name__ == "loss"


def test_numpy_arrays_are_traced():
    close(accelerate(loss)(PARAMS, np.asarray(X)), loss(PARAMS, X))


def test_vmap_before_and_after():
    kernels = jnp.stack([PARAMS["depthwise"], 2 * PARAMS["depthwise"]])

    def gradient(fn):
        return jax.vmap(jax.grad(lambda kernel: fn(PARAMS | {"depthwise": kernel}, X)))

    right = gradient(loss)(kernels)
    close(gradient(accelerate(loss))(kernels), right)
    close(accelerate(gradient(loss))(kernels), right)
    by_example = jax.vmap(lambda x: loss(PARAMS, x[None]))
    close(accelerate(by_example)(X), by_example(X))


def test_a_name_of_a_mapped_axis_is_known_inside():
    def of_group(x):
        return lax.pmean(loss(PARAMS, x), "groups")

    x = X.reshape(2, 2, 9, 8, 3)
    close(jax.vmap(accelerate(of_group), axis_name="groups")(x), jax.vmap(of_group, axis_name="groups")(x))


def test_it_is_idempotent():
    twice = accelerate(accelerate(loss))
    close(jax.grad(twice)(PARAMS, X), jax.grad(loss)(PARAMS, X))
    (report,) = reports_of(accelerate(loss), PARAMS, X)
    assert not [one for one in report.findings if one.primitive == "conv_general_dilated"]


@pytest.mark.parametrize("make", [jax.custom_vjp, jax.custom_jvp])
def test_rules_that_stand_are_respected(make):
    @make
    def rounded(x):
        return jnp.round(network(PARAMS, x))

    if make is jax.custom_vjp:
        rounded.defvjp(lambda x: (rounded(x), None), lambda _, g: (jnp.full(X.shape, jnp.sum(g)),))
    else:
        rounded.defjvps(lambda t, y, x: jnp.full(y.shape, jnp.sum(t)))

    def total(x):
        return jnp.sum(rounded(x) * 3)

    assert jnp.array_equal(jax.grad(accelerate(total))(X), jax.grad(total)(X))
    (report,) = reports_of(total, X)
    assert report.share == 0
    assert all("whose own rule stands" in one.why for one in report.findings)


def test_the_report_says_what_where_and_how_often():
    def twice(params, x):
        y = lax.scan(lambda x, _: (network(params, x)[..., :3].repeat(2, 1).repeat(2, 2), None), x, length=3)[0]
        return network(params, y)

    (report,) = reports_of(twice, PARAMS, X[:, :8])
    assert report.share == 1
    convs = [one for one in report.findings if one.primitive == "conv_general_dilated"]
    assert sum(one.times for one in convs) == 8
    assert {one.by for one in convs} == {"jaxcnn.conv"}
    assert all("test_acceleration.py" in one.where and "(network)" in one.where for one in convs)
    assert max(one.flops for one in convs) == 2 * (4 * 8 * 8 * 8) * (3 * 3 * 3)
    text = str(report)
    assert "100.0% of the FLOPs" in text
    assert "jaxcnn.max_pool" in text
    assert repr(report) == f"<Report of {len(report.findings)} findings, 100.0% replaced>"


def test_the_report_is_printed(capsys):
    accelerate(loss, report=True)(PARAMS, X)
    assert "jaxcnn.conv" in capsys.readouterr().out
    accelerate(jnp.sin, report=True)(X)
    assert "no convolution, no pool, nothing replaced" in capsys.readouterr().out


def test_the_report_says_why_something_stays():
    integers = jnp.ones((2, 2, 4, 4), jnp.int32)
    (report,) = reports_of(lambda x: lax.conv_general_dilated(x, x[:, :, :2, :2], (1, 1), "SAME"), integers)
    assert report.share == 0
    assert "left" in str(report)
    assert "dtype (=int32), which has no gradient" in str(report)


def test_programs_in_an_equation_that_cannot_be_made_again_are_left():
    def solve(x):
        return lax.custom_linear_solve(lambda v: 2 * lax.conv_general_dilated(v, jnp.ones((1, 1, 3, 3)), (1, 1), "SAME"),
                                       x, lambda matvec, b: b, symmetric=True)  # fmt: skip

    x = jnp.ones((1, 3, 3, 1))
    (report,) = reports_of(solve, x.transpose(0, 3, 1, 2))
    assert report.share == 0
    assert any("cannot be made again" in one.why for one in report.findings)


def test_effects_are_kept():
    seen = []

    def shown(x):
        jax.debug.callback(lambda v: seen.append(float(v)), jnp.sum(x))
        return loss(PARAMS, x)

    close(accelerate(shown)(X), loss(PARAMS, X))
    jax.effects_barrier()
    assert seen == pytest.approx([float(jnp.sum(X))], rel=1e-5)


def test_keys_and_random_numbers_stay_the_same():
    def dropped(key, x):
        return network(PARAMS, jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x, 0))

    key = jax.random.key(3)
    close(accelerate(dropped)(key, X), dropped(key, X))


def test_a_closure_over_tracers():
    def outer(params):
        return accelerate(lambda x: loss(params, x))(X)

    close(jax.jit(jax.grad(outer))(PARAMS), jax.grad(lambda params: loss(params, X))(PARAMS))


def test_new_values_outside_are_seen_at_the_next_call():
    scale = [1.0]
    fast = accelerate(lambda x: x * scale[0])
    assert jnp.array_equal(fast(X), X)
    scale[0] = 2.0
    assert jnp.array_equal(fast(X), 2 * X)


def test_a_compiled_function_is_compiled_once():
    traces = []

    @jax.jit
    def step(x):
        traces.append(x)
        return network(PARAMS, x)

    fast = accelerate(step)
    fast(X)
    with jtu.count_jit_compilation_cache_miss() as count:
        fast(X)
    assert count() == 0
    assert len(traces) == 1


def test_forward_mode_is_refused_and_says_what_to_do():
    with pytest.raises(TypeError, match=r"\(=loss\) must not be differentiated in forward mode.*without_custom_rules"):
        jax.jvp(accelerate(loss), (PARAMS, X), (PARAMS, X))
    with pytest.raises(TypeError, match=r"without_custom_rules"):
        jax.jacfwd(accelerate(lambda x: network(PARAMS, x)))(X)
    plain = jaxcnn.without_custom_rules(accelerate(loss))
    close(jax.jvp(plain, (PARAMS, X), (PARAMS, X))[1], jax.jvp(loss, (PARAMS, X), (PARAMS, X))[1])


def test_a_function_that_asks_for_values_is_refused():
    def by_value(x):
        return x if x.sum() > 0 else -x

    with pytest.raises(TypeError, match=r"fn \(=.*by_value\) must be a function that jax.jit can compile"):
        accelerate(by_value)(X)
    for asking in (lambda x: np.sin(x), lambda x: x[x > 0], lambda x: jnp.ones(3)[int(x[0, 0, 0, 0])]):
        with pytest.raises(TypeError, match=r"that jax\.jit can compile"):
            accelerate(asking)(X)


def test_a_function_that_changes_its_arguments_is_refused():
    def update(state, x):
        state["mean"] = x.mean()
        return x

    with pytest.raises(ValueError, match="must be free of side effects"):
        accelerate(update)({"mean": jnp.zeros(())}, X)
    with pytest.raises(ValueError, match="must be free of side effects"):
        accelerate(update)({}, X)


def test_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match=r"fn \(=3\) must be a function"):
        accelerate(3)


def test_own_errors_of_the_function_pass():
    def wrong(x):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        accelerate(wrong)(X)
