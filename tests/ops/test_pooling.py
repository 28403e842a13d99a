import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import pooling as oracles


class TestPools(checks.OpChecks):
    ops = ("max_pool", "min_pool", "global_max_pool")
    oracle = staticmethod(oracles.oracle)


PLACES = [
    pytest.param({"window": (2, 2), "strides": (2, 2), "pads": ((0, 0), (0, 0))}, id="apart"),
    pytest.param({"window": (3, 2), "strides": (1, 1), "pads": ((0, 0), (0, 0))}, id="overlapping"),
    pytest.param({"window": (2, 3), "strides": (2, 1), "pads": ((1, 0), (2, 1))}, id="padded"),
    pytest.param({"window": (2, 2), "strides": (1, 2), "pads": ((-1, 1), (2, -2))}, id="cropped"),
    pytest.param({"window": (3, 2), "strides": (2, 1), "pads": ((2, 1), (3, 0)), "dilation": (2, 3)}, id="dilated"),
    pytest.param({"window": (3, 3), "strides": (2, 2), "pads": ((1, 1), (-1, 2)), "ceil_mode": True}, id="ceil mode"),
]


def options_of(terms):
    """Return the arguments of a pool for the oracle's terms."""
    names = {"window": "window_shape", "pads": "padding", "dilation": "window_dilation"}
    return {names.get(name, name): value for name, value in terms.items()}


@pytest.mark.parametrize("terms", PLACES)
@pytest.mark.parametrize("values", [(0.0, 1.0), (1.0,), (-np.inf, 0.0), (-np.inf,), (np.nan, 0.0, 1.0), (np.inf, 1.0)])
def test_gradient_at_ties_nan_and_infinities(values, terms):
    """Inputs of few different values: every window has ties. The oracle routes each g by definition."""
    rng = np.random.default_rng(0)
    x = rng.choice(values, (2, 6, 5, 2)).astype(np.float32)
    pools = ((jaxcnn.max_pool, x, max, oracles.max_pool), (jaxcnn.min_pool, -x, min, oracles.min_pool))
    for pool, x, best, value in pools:
        y, pull = jax.vjp(lambda x, pool=pool: pool(x, **options_of(terms)), jnp.asarray(x))
        g = rng.integers(1, 9, y.shape).astype(np.float32)
        np.testing.assert_array_equal(y, value(x, **terms))
        np.testing.assert_array_equal(pull(jnp.asarray(g))[0], oracles.max_pool_gradient(x, g, best, **terms))


def test_the_reference_of_dilated_pools_is_right_at_ties_nan_and_infinities_too():
    terms = PLACES[4].values[0]
    x = np.random.default_rng(0).choice([-np.inf, np.nan, 0.0, 1.0, np.inf], (2, 6, 5, 2)).astype(np.float32)
    y, pull = jax.vjp(lambda x: jaxcnn.reference.max_pool(x, **options_of(terms)), jnp.asarray(x))
    g = np.arange(1, y.size + 1, dtype=np.float32).reshape(y.shape)
    np.testing.assert_array_equal(y, oracles.max_pool(x, **terms))
    np.testing.assert_array_equal(pull(jnp.asarray(g))[0], oracles.max_pool_gradient(x, g, **terms))


@pytest.mark.parametrize(
    ("x", "window", "options", "g"),
    [
        ([5, 3, 1, 2, 5], (2,), {}, [1, 1, 0, 1, 1]),
        ([5, 1, 5, 1, 0], (3,), {}, [1, 0, 2, 0, 0]),
        ([1, 1, 2, 0], (2,), {"strides": 2}, [1, 0, 1, 0]),
        ([1, np.nan, 3, np.nan], (4,), {}, [0, 1, 0, 0]),
        ([-np.inf, -np.inf], (3,), {"padding": "SAME"}, [2, 0]),
        ([5, 9, 5, 1, 4, 1], (2,), {"window_dilation": 2}, [1, 1, 1, 1, 0, 0]),
        ([1, 2, 3, 4, 5], (2,), {"strides": 2, "ceil_mode": True}, [0, 1, 0, 1, 1]),
        ([1, 2], (3,), {"strides": 2, "ceil_mode": True}, [0, 1]),
    ],
)
def test_max_pool_gradient_by_hand(x, window, options, g):
    x = jnp.asarray(x, jnp.float32).reshape(-1, 1)
    np.testing.assert_array_equal(jax.grad(lambda x: jaxcnn.max_pool(x, window, **options).sum())(x).ravel(), g)


def test_max_pool_gradients_that_jax_gets_wrong():
    x = jnp.array([[1.0, np.nan], [3.0, 2.0]]).reshape(2, 2, 1)
    np.testing.assert_array_equal(jax.grad(lambda x: jaxcnn.max_pool(x, (2, 2)).sum())(x).ravel(), [0, 1, 0, 0])
    x = jnp.full((2, 2, 1), -np.inf)
    dx = jax.grad(lambda x: jaxcnn.max_pool(x, (3, 3), padding="SAME").sum())(x)
    np.testing.assert_array_equal(dx.ravel(), [4, 0, 0, 0])


@pytest.mark.parametrize(
    ("x", "diagonal"),
    [([1.0, 1.0, 2.0, 0.0], [2.0, 0.0, 2.0, 0.0]), ([0.0, 0.0, 0.0, 0.0], [2.0, 0.0, 2.0, 0.0])],
)
def test_max_pool_hessian_at_a_tie(x, diagonal):
    """The sum of squares of the first maxima has twice the indicator of the winners on its diagonal."""

    def f(x):
        return jnp.sum(jnp.square(jaxcnn.max_pool(x.reshape(4, 1), (2,), 2)))

    x = jnp.array(x)
    np.testing.assert_array_equal(jax.hessian(f)(x), np.diag(diagonal))
    np.testing.assert_array_equal(jax.jacrev(jax.grad(f))(x), np.diag(diagonal))


def test_max_pool_second_order_beside_nan_and_infinity():
    """Curvature goes to the winner, a NaN or a -inf beside padding too; jax's reduce_window loses both."""

    def f(x, weights):
        return jnp.sum(weights * jaxcnn.max_pool(x.reshape(2, 2, 1), (3, 3), padding="SAME").ravel())

    weights = jnp.array([1.0, 2.0, 3.0, 4.0])
    for x, winner in (([-np.inf] * 4, 0), ([1.0, np.nan, 3.0, 2.0], 1)):
        mixed = jax.jacfwd(jax.grad(f), argnums=1)(jnp.array(x), weights)
        np.testing.assert_array_equal(mixed, np.eye(4)[[winner] * 4].T)


def test_max_pool_value_over_nan_and_infinity():
    x = jnp.array([1.0, np.nan, 2.0, -np.inf, np.inf, -np.inf]).reshape(6, 1)
    np.testing.assert_array_equal(jaxcnn.max_pool(x, (2,), 2).ravel(), [np.nan, 2, np.inf])
    np.testing.assert_array_equal(jaxcnn.max_pool(x[:1], (2,), padding=((2, 1),)).ravel(), [-np.inf, 1, 1])


BY_TAPS = [
    *PLACES,
    pytest.param({"window": (2, 3), "strides": (2, 3), "pads": ((1, 0), (1, 2))}, id="side by side, padded"),
    pytest.param({"window": (2, 1), "strides": (4, 3), "pads": ((5, 6), (2, 0))}, id="windows without an element"),
    pytest.param({"window": (5, 8), "strides": (2, 3), "pads": ((3, 2), (4, 6))}, id="more taps than pads"),
    pytest.param({"window": (6, 7), "strides": (1, 4), "pads": ((0, 3), (3, 3))}, id="stride 1, and some taps"),
    pytest.param({"window": (12, 3), "strides": (5, 2), "pads": ((6, 5), (0, 0))}, id="a long one, and a short one"),
]


@pytest.mark.parametrize("terms", BY_TAPS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int8", "uint16", "int32"])
@pytest.mark.parametrize("pool", [jaxcnn.max_pool, jaxcnn.min_pool])
def test_the_value_alone_is_that_beside_a_gradient(pool, dtype, terms):
    """The forward pass by itself looks for no winners: still it is the oracle's, over padding, NaN and infinities."""
    values = [0, 1, 2, 100] if jnp.issubdtype(dtype, jnp.integer) else [-1, 0, 1, np.nan, np.inf, -np.inf]
    x = jax.random.choice(jax.random.key(1), jnp.array(values, dtype), (2, 8, 9, 3))
    y = pool(x, **options_of(terms))
    beside, _ = jax.vjp(lambda x: pool(x, **options_of(terms)), x)
    oracle = oracles.max_pool if pool is jaxcnn.max_pool else oracles.min_pool
    expected = oracle(np.asarray(x, np.float64), **terms)
    if jnp.issubdtype(dtype, jnp.integer):
        expected = np.clip(expected, jnp.iinfo(dtype).min, jnp.iinfo(dtype).max)
    for value in (y, beside):
        np.testing.assert_array_equal(np.asarray(value, np.float64), expected)


@pytest.mark.parametrize("terms", [*BY_TAPS, pytest.param({}, id="global")])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("pool", ["max_pool", "min_pool"])
def test_without_the_rule_the_winners_are_the_same(pool, dtype, terms):
    """So that the checker does not call the rule wrong at ties, beside NaN, and where there is nothing but padding."""
    fn = getattr(jaxcnn, pool if terms else "global_max_pool")
    x = jax.random.choice(jax.random.key(1), jnp.array([0, 1, np.nan, -np.inf, np.inf], dtype), (2, 8, 9, 3))

    def program(x):
        return fn(x, **options_of(terms))

    plain = jaxcnn.without_custom_rules(program)
    g = jax.random.randint(jax.random.key(2), program(x).shape, 1, 4).astype(dtype)  # whose sums are exact
    dx, expected = (np.asarray(jax.vjp(f, x)[1](g)[0], np.float64) for f in (plain, program))
    np.testing.assert_array_equal(dx, expected)


@pytest.mark.parametrize("terms", BY_TAPS)
def test_sums_and_their_gradients_over_windows_that_overlap(terms):
    x = np.random.default_rng(0).standard_normal((2, 8, 9, 3))
    with jax.enable_x64(True):
        y, pull = jax.vjp(lambda x: jaxcnn.sum_pool(x, **options_of(terms)), jnp.asarray(x))
        (dx,) = pull(jnp.cos(y))
    np.testing.assert_allclose(y, oracles.sum_pool(x, **terms), rtol=0, atol=1e-13)
    np.testing.assert_allclose(np.vdot(dx, x), np.vdot(np.cos(y), y), rtol=1e-12)


def test_integers():
    x = jnp.arange(12).reshape(4, 3, 1)
    np.testing.assert_array_equal(jaxcnn.max_pool(x, (2, 2), padding=1)[0, :, 0], [0, 1, 2, 2])
    np.testing.assert_array_equal(jaxcnn.global_max_pool(x, spatial_rank=2), [11])
    least = jnp.array([[3, -128, 127, 5]], jnp.int8).T  # minus the least is no int8
    np.testing.assert_array_equal(jaxcnn.min_pool(least, (2,)).ravel(), [-128, -128, 5])
    np.testing.assert_array_equal(jaxcnn.min_pool(least, (1,), padding=((1, 0),)).ravel()[:2], [127, 3])
    np.testing.assert_array_equal(jaxcnn.max_pool(least.astype(jnp.uint8), (2,), window_dilation=3).ravel(), [5])


def test_global_max_pool_at_ties_nan_and_infinities():
    """The value as it is called and as it is differentiated, the gradient, and second derivatives."""
    columns = [[1, 3, 3, 2], [0, np.nan, 5, np.nan], [-np.inf] * 4, [np.inf, 1, np.inf, 0], [-1, -1, -2, -3]]
    x = jnp.array(columns).T.reshape(1, 2, 2, 5)
    value = np.array([[3, np.nan, -np.inf, np.inf, -1]], np.float32)
    y, pull = jax.vjp(jaxcnn.global_max_pool, x)
    np.testing.assert_array_equal(jaxcnn.global_max_pool(x), value)
    np.testing.assert_array_equal(jax.jit(jaxcnn.global_max_pool)(x), value)
    np.testing.assert_array_equal(y, value)
    g = jnp.array([[2.0, 3.0, 4.0, 5.0, 6.0]])
    expected = [[0, 2, 0, 0], [0, 3, 0, 0], [4, 0, 0, 0], [5, 0, 0, 0], [6, 0, 0, 0]]
    np.testing.assert_array_equal(pull(g)[0].reshape(4, 5).T, expected)

    def f(x):
        return jnp.sum(jnp.square(jaxcnn.global_max_pool(x.reshape(1, 4, 1))))

    tie = jnp.array([1.0, 3.0, 3.0, 2.0])
    for hessian in (jax.hessian(f)(tie), jax.jacrev(jax.grad(f))(tie)):
        np.testing.assert_array_equal(hessian, np.diag([0.0, 2.0, 0.0, 0.0]))


def test_more_taps_than_a_byte_numbers_take_two():
    def kept(x):
        return jax.vjp(lambda x: jaxcnn.max_pool(x, (300,)), x)[1]

    assert [leaf.dtype for leaf in jax.tree.leaves(jax.eval_shape(kept, jnp.zeros((300, 1))))] == [jnp.uint16]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sums_in_half_precision_are_not_lost(dtype):
    # 33 windows hold the middle element, each with the cotangent 1/8: 33/8 needs more digits than a running sum keeps.
    x = jnp.zeros((65, 1), dtype).at[32].set(1)
    dx = jax.vjp(lambda x: jaxcnn.max_pool(x, (33,)), x)[1](jnp.full((33, 1), 0.125, dtype))[0]
    assert float(dx[32, 0]) == 4.125


def test_residuals_are_taps_of_one_byte():
    x = jnp.ones((2, 6, 4, 3))
    assert checks.residuals(lambda x: jaxcnn.max_pool(x, (2, 2), 2), x) == ["uint8[2, 3, 2, 3]", "uint8[2, 6, 2, 3]"]
    assert checks.residuals(lambda x: jaxcnn.max_pool(x, (6, 1)), x) == ["uint8[2, 1, 4, 3]", "uint8[2, 6, 4, 3]"]
    dilated = ["uint8[2, 2, 2, 3]", "uint8[2, 6, 2, 3]"]
    assert checks.residuals(lambda x: jaxcnn.min_pool(x, (3, 2), window_dilation=2), x) == dilated
    assert checks.residuals(jaxcnn.global_max_pool, x) == ["int32[2, 1, 3]"]


def test_empty_batch():
    x = jnp.zeros((0, 4, 4, 2))
    for pool in (jaxcnn.max_pool, jaxcnn.min_pool):
        y, pull = jax.vjp(lambda x, pool=pool: pool(x, (2, 2), 2), x)
        assert y.shape == (0, 2, 2, 2)
        assert pull(y)[0].shape == x.shape
    y, pull = jax.vjp(jaxcnn.global_max_pool, x)
    assert pull(y)[0].shape == x.shape


def test_one_pixel_and_one_window():
    x = jnp.full((1, 1, 1, 2), -3.0)
    np.testing.assert_array_equal(jaxcnn.max_pool(x, (1, 1)), x)
    np.testing.assert_array_equal(jaxcnn.max_pool(x, (3, 3), 5, 1, window_dilation=1), x)
    np.testing.assert_array_equal(jaxcnn.max_pool(x, (2, 2), 2, ceil_mode=True), x)


@pytest.mark.parametrize("pool", [jaxcnn.max_pool, jaxcnn.avg_pool, jaxcnn.max_pool_with_indices])
def test_exports_for_every_platform(pool):
    fn = jax.jit(jax.grad(lambda x: jax.tree.leaves(pool(x, (3, 3), 2, "SAME"))[0].sum()))
    exported = jax.export.export(fn, platforms=("cpu", "cuda", "tpu"))(jnp.ones((2, 6, 5, 3)))
    text = exported.mlir_module()
    assert "stablehlo.pad" in text
    assert "custom_call" not in text


X = jnp.ones((2, 6, 5, 3))


@pytest.mark.parametrize("pool", [jaxcnn.max_pool, jaxcnn.avg_pool])
@pytest.mark.parametrize(
    ("x", "window", "options", "error", "message"),
    [
        (X, 2, {}, TypeError, r"window_shape \(=2\) must be a sequence"),
        (X, (2, 0), {}, ValueError, r"window_shape \(=\(2, 0\)\) must be at least 1"),
        (X, (2, 2, 2, 2), {}, ValueError, r"window_shape \(=\(2, 2, 2, 2\)\) must have 1 to 3 axes"),
        (X, (), {}, ValueError, r"window_shape \(=\(\)\) must have 1 to 3 axes"),
        (X, (2, 2), {"strides": (1,)}, ValueError, r"strides \(=\(1,\)\) must have one entry for each of the 2"),
        (X, (2, 2), {"strides": 0}, ValueError, r"strides \(=0\) must be at least 1"),
        (X, (2, 2), {"window_dilation": (1, 0)}, ValueError, r"window_dilation \(=\(1, 0\)\) must be at least 1"),
        (X, (2, 2), {"window_dilation": 1.5}, TypeError, r"window_dilation \(=1.5\) must be an int or a sequence of 2"),
        (X, (2, 2), {"window_dilation": 2**31}, ValueError, r"window_dilation \(=2147483648\) must leave a window at most"),
        (X, (2, 2), {"ceil_mode": 1}, TypeError, r"ceil_mode \(=1\) must be True or False"),
        (X, (7, 2), {}, ValueError, r"extent \(=7\) must not exceed the padded input's \(=6\) along spatial axis 0"),
        (X, (2, 2), {"window_dilation": 5}, ValueError, r"extent \(=6\) must not exceed the padded input's \(=5\) along spatial axis 1"),
        (X, (8, 2), {"strides": 2, "ceil_mode": True}, ValueError, r"extent \(=8\) must not exceed the padded input's \(=6\)"),
        (X, (2, 2), {"padding": "FULLY"}, ValueError, r"padding \(='FULLY'\) must be"),
        (X, (2, 2), {"padding": ((0, 0), (-4, -4))}, ValueError, r"must not crop more than the 5 elements along spatial axis 1"),
        (X.astype(bool), (2, 2), {}, TypeError, r"x dtype \(=bool\) must be a floating"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(pool, x, window, options, error, message):
    with pytest.raises(error, match=message):
        pool(x, window, **options)


def test_a_stride_without_end_costs_nothing_where_there_is_one_window():
    np.testing.assert_array_equal(jaxcnn.avg_pool(X, (2, 2), 10**9), jnp.ones((2, 1, 1, 3)))
    for options in ({}, {"window_dilation": 2}, {"ceil_mode": True}):
        dx = jax.grad(lambda x, options=options: jaxcnn.max_pool(x, (2, 2), 10**9, **options).sum())(X)
        assert float(dx.sum()) == 6.0


@pytest.mark.parametrize("pool", [jaxcnn.global_max_pool, jaxcnn.global_avg_pool])
def test_errors_of_global_pools(pool):
    with pytest.raises(ValueError, match=r"spatial_rank \(=4\) must be 1 to 3"):
        pool(X, spatial_rank=4)
    with pytest.raises(ValueError, match=r"spatial_rank \(=0\) must be 1 to 1"):
        pool(X[0, 0])
    with pytest.raises(ValueError, match=r"x, of spatial shape \(0, 5\), must have 1 to 2147483647 positions"):
        pool(X[:, :0])
    with pytest.raises(TypeError, match=r"x dtype \(=bool\) must be a floating"):
        pool(X.astype(bool))
