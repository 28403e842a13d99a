import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.gradcheck import GradientMismatchError, compare

X = jnp.asarray(np.random.default_rng(0).standard_normal((4, 3)), jnp.float32)


def rule(value, backward):
    """Return a function of one array with a rule of its own."""
    fn = jax.custom_vjp(value)
    fn.defvjp(lambda x: (value(x), x), lambda x, g: (backward(x, g),))
    return fn


def gradients_of(report):
    return [row for row in report.rows if row.kind == "gradient"]


def test_every_leaf_has_a_row_under_its_path():
    params = {"layer": {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)}, "steps": jnp.array(3)}

    def network(params, x, labels, key, flag):
        del key, flag
        y = jaxcnn.dense(x, params["layer"]["kernel"], params["layer"]["bias"])
        return {"loss": jaxcnn.softmax_cross_entropy_with_integer_labels(y, labels), "count": params["steps"]}

    args = (params, X, jnp.array([0, 1, 1, 0]), jax.random.key(1), True)
    report = compare(network, network, *args, argnums=(0, 1, 2, 3, 4))
    rows = [(row.kind, row.path, row.shape, row.dtype) for row in report.rows]
    gradients = [("params.layer.bias", (2,)), ("params.layer.kernel", (3, 2)), ("x", (4, 3))]
    assert rows == [
        ("value", "output.loss", (4,), "float32"),
        ("value in vjp", "output.loss", (4,), "float32"),
        *(("gradient", path, shape, "float32") for path, shape in gradients),
        *(("second order", path, shape, "float32") for path, shape in gradients),
        ("second order", "g of output.loss", (4,), "float32"),
    ]
    assert report.skipped == ("params.steps", "labels", "key", "flag")
    assert report.ok
    assert all(row.max_rel <= row.rtol < 1e-5 and row.cosine == pytest.approx(1) for row in report.rows)
    assert "skipped, no gradient: params.steps, labels, key, flag" in str(report)


def test_the_numbers_of_a_row():
    def off_by_a_quarter(x, g):
        return 2 * x * g + jnp.zeros_like(x).at[2, 1].set(0.25)

    square = rule(jnp.square, off_by_a_quarter)
    report = compare(square, jnp.square, X)
    gradient = report.rows[-1]
    right = gradient.judge_at
    assert not report.ok
    assert gradient.position == (2, 1)
    assert gradient.manual_at - right == pytest.approx(0.25)
    assert gradient.max_abs == pytest.approx(0.25)
    assert gradient.max_ulp == pytest.approx(0.25 / 2.0 ** (np.floor(np.log2(abs(right))) - 23))
    assert 0.9 < gradient.cosine < 1
    assert gradient.rtol == 4 * np.finfo(np.float32).eps  # few terms
    assert (gradient.odd, gradient.judge) == ("manual", "auto in float64")
    doubled = rule(jnp.square, lambda x, g: 4 * x * g)
    assert not compare(doubled, jnp.square, X, rtol=0.9, second_order=False).ok
    assert compare(doubled, jnp.square, X, rtol=1.1, second_order=False).ok


def test_raise_if_bad_shows_the_table():
    doubled = rule(jnp.sin, lambda x, g: 2 * g * jnp.cos(x))
    report = compare(doubled, jnp.sin, X)
    with pytest.raises(GradientMismatchError, match=r"1 of 3 arrays differ[\s\S]*BAD[\s\S]*2 times the right gradient"):
        report.raise_if_bad()
    compare(jnp.sin, jnp.sin, X).raise_if_bad()


def test_an_error_of_a_thousandth_in_one_element_is_found_in_every_dtype():
    def nearly(x, g):
        return g * jnp.cos(x) * (1 + 1e-3 * jnp.zeros_like(x).at[0, 0].set(1))

    fn = rule(jnp.sin, nearly)
    assert not compare(fn, jnp.sin, jnp.zeros((4, 3))).ok
    with jax.enable_x64(True):
        exact = rule(jnp.sin, lambda x, g: g * jnp.cos(x) * (1 + 1e-12))
        assert not compare(exact, jnp.sin, jnp.asarray(X, jnp.float64)).ok


def test_a_value_that_differs_from_the_one_in_its_rule_is_found():
    fn = jax.custom_vjp(jnp.sin)
    fn.defvjp(lambda x: (1.5 * jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))
    report = compare(fn, jnp.sin, X)
    assert [row.kind for row in report.bad] == ["value in vjp"]
    report = compare(rule(lambda x: 1.5 * jnp.sin(x), lambda x, g: g * jnp.cos(x)), jnp.sin, X)
    assert [row.kind for row in report.bad] == ["value", "value in vjp"]


def test_half_precision_is_judged_in_float64_and_shows_plain_autodiff():
    x, bias = jnp.zeros((64, 32, 32, 8), jnp.bfloat16), jnp.zeros(8, jnp.bfloat16)
    report = compare(jaxcnn.bias_add, jaxcnn.reference.bias_add, x, bias, argnums=1)
    assert report.ok
    (row,) = gradients_of(report)
    assert row.max_ulp <= 1
    assert row.odd == "auto"
    wrong = compare(jaxcnn.reference.bias_add, jaxcnn.reference.bias_add, x, bias, argnums=1)
    assert not wrong.ok
    assert wrong.rows[-1].max_rel == row.autodiff_rel > 0.05
    assert wrong.rows[-1].odd == "manual and auto"
    with jax.enable_x64(True):
        assert all(row.autodiff_rel is None for row in compare(jnp.sin, jnp.sin, jnp.asarray(X, jnp.float64)).rows)


def test_finite_differences_judge_where_float64_is_out_of_reach():
    """What is rounded to bfloat16, or held in float32, stays so where the arguments are float64."""

    def held(x):
        return jnp.sin(x.astype(jnp.float32)).astype(jnp.float32)

    wrong = rule(held, lambda x, g: g * jnp.cos(x) * 1.5)
    right = rule(held, lambda x, g: g * jnp.cos(x))
    for fn, ok in ((right, True), (wrong, False)):
        report = compare(fn, held, X)
        (row,) = gradients_of(report)
        assert (report.ok, row.ok, row.judge) == (ok, ok, "finite differences")
        assert "the judges of gradients are finite differences" in str(report)
        assert "the output of auto is float32 where its arguments are float64" in str(report)
    half = X.astype(jnp.bfloat16)

    def narrow(x):
        return (x + 1).astype(jnp.bfloat16)

    assert gradients_of(compare(narrow, narrow, half))[0].judge == "finite differences"
    assert not compare(rule(narrow, lambda x, g: 2 * g), narrow, half).ok


def test_finite_differences_judge_a_twin_that_raises_in_float64():
    def product(x):
        return jax.lax.mul(x, X)  # of one dtype only

    report = compare(product, product, X)
    assert report.ok
    assert gradients_of(report)[0].judge == "finite differences"
    assert "auto raises TypeError" in str(report)


def test_rounding_noise_is_measured_by_the_norm_of_all_gradients():
    """The gradient of a sum of probabilities is 0; what rounding leaves of it must not count as a difference."""

    def total(logits, weight):
        return jaxcnn.softmax(logits).sum() + weight

    def total_by_jax(logits, weight):
        return jaxcnn.reference.softmax(logits).sum() + weight

    report = compare(total, total_by_jax, 10 * X, jnp.array(1.0), argnums=(0, 1))
    assert report.ok
    assert np.abs(gradients_of(report)[0].judge_at) < 1e-15


def test_non_finite_numbers_must_be_the_same():
    bad = jnp.array([jnp.nan, jnp.inf, 1.0])
    assert compare(lambda x: x + bad, lambda x: x + bad, jnp.ones(3)).ok
    report = compare(lambda x: x + bad, lambda x: x + bad.at[1].set(-jnp.inf), jnp.ones(3))
    assert report.rows[0].max_rel == np.inf
    assert report.rows[0].position == (1,)
    leaks = rule(jnp.sin, lambda x, g: (g * jnp.cos(x)).at[1, 1].set(jnp.nan))
    report = compare(leaks, jnp.sin, X)
    assert not report.ok
    assert "nan" in report.rows[-1].diagnosis


def test_the_cotangent_follows_the_key():
    fn = rule(jnp.sin, lambda x, g: g)
    first, again, other = (
        compare(fn, jnp.sin, X, key=key).bad[0].max_abs for key in (None, jax.random.key(0), jax.random.key(7))
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("auto", "args", "options", "message"),
    [
        (lambda x: jnp.sin(x)[:2], (X,), {}, r"outputs of manual \(=.*\[4, 3\].*must be those of auto"),
        (lambda x: {"y": jnp.sin(x)}, (X,), {}, r"outputs of manual .* must be those of auto \(=.*'y'"),
        (jnp.sin, (X,), {"argnums": 1}, r"argnums \(=1\) must name some of the 1 arguments"),
        (jnp.sin, (X,), {"argnums": ()}, r"argnums \(=\(\)\) must name some"),
        (jnp.sin, (jnp.arange(3),), {}, r"argnums \(=0\) must name an argument with a floating leaf; found \['x'\]"),
    ],
)
def test_errors_name_argument_value_and_requirement(auto, args, options, message):
    def manual(x):
        return jnp.sin(x)

    with pytest.raises(ValueError, match=message):
        compare(manual, auto, *args, **options)


def test_functions_without_floating_results_are_refused():
    with pytest.raises(ValueError, match="must return a floating array"):
        compare(lambda x: x > 0, lambda x: x > 0, X)


def test_negative_argnums_and_functions_without_a_signature():
    report = compare(functools.partial(jnp.multiply, 2.0), functools.partial(jnp.multiply, 2.0), X, argnums=-1)
    assert report.ok
    report = compare(lambda *args: args[0] * args[1], lambda *args: args[0] * args[1], X, X, argnums=(0, 1))
    assert [row.path for row in gradients_of(report)] == ["args[0]", "args[1]"]


def test_a_cotangent_of_another_dtype_than_its_primal_is_found():
    """JAX lets it pass, and the numbers are right."""
    widened = rule(jnp.square, lambda x, g: (2 * x * g).astype(jnp.float32))
    report = compare(widened, jnp.square, X.astype(jnp.bfloat16))
    assert [row.kind for row in report.bad] == ["gradient"]
    assert "it is float32, and its primal bfloat16" in report.bad[0].diagnosis


def test_paths_that_print_alike_do_not_hide_each_other():
    def right(x):
        return {"a": {"b": x}, "a.b": 2 * x}

    for wrong in (lambda x: {"a": {"b": 5 * x}, "a.b": 2 * x}, lambda x: {"a": {"b": x}, "a.b": 5 * x}):
        assert not compare(wrong, right, X).ok
    assert compare(right, right, X).ok


@pytest.mark.parametrize(
    ("manual", "auto", "message"),
    [
        (
            lambda x: (x, jnp.argmax(x)),
            lambda x: (x, jnp.argmin(x)),
            r"output.1, which has no gradient, must be the same",
        ),
        (lambda x: [x], lambda x: (x,), r"outputs of manual .* must be those of auto"),
        (
            lambda x: (x, x.astype(complex)),
            lambda x: (x, x.astype(complex)),
            r"output.1 dtype \(=complex64\) must be real",
        ),
    ],
)
def test_results_must_agree_in_structure_and_in_what_has_no_gradient(manual, auto, message):
    with pytest.raises(ValueError, match=message):
        compare(manual, auto, X)


def test_infinite_gradients_are_named():
    report = compare(rule(jnp.sin, lambda x, g: g * jnp.inf), jnp.sin, X)
    assert "infinite" in report.rows[-1].diagnosis


def test_old_keys_and_numpy_argnums():
    assert compare(jnp.sin, jnp.sin, X, argnums=np.int64(0), key=jax.random.PRNGKey(3)).ok
    with pytest.raises(TypeError, match=r"argnums \(=0.5\) must be an int or a sequence of ints"):
        compare(jnp.sin, jnp.sin, X, argnums=0.5)


def test_to_dict_holds_every_row_in_plain_types():
    report = compare(lambda x: x + jnp.inf, lambda x: x, jnp.ones(2))
    document = report.to_dict()
    assert document["ok"] is False
    assert [row["kind"] for row in document["rows"]] == ["value", "value in vjp", "gradient"]
    assert "second order not compared: the first is off" in document["notes"]
    assert document["rows"][0]["max_rel"] == "inf"
    assert document["rows"][2]["shape"] == [2]


def test_the_cotangent_is_not_what_a_generator_of_seed_0_draws():
    """A norm's rule maps a cotangent that is x to 0, and hides what is wrong with it."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((6, 5)), jnp.float32)
    (row,) = gradients_of(compare(jaxcnn.layer_norm, jaxcnn.reference.layer_norm, x))
    assert abs(row.judge_at) > 1e-2
