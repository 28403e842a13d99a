import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles import regularization

KEY = jax.random.key(7)
X = jnp.ones((2, 3, 4, 5))
LAYERS = {
    "dropout": functools.partial(jaxcnn.dropout, rate=0.4),
    "spatial_dropout": functools.partial(jaxcnn.spatial_dropout, rate=0.4),
    "stochastic_depth": functools.partial(jaxcnn.stochastic_depth, rate=0.4, mode="row"),
}
layers = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


class TestDrop(checks.OpChecks):
    ops = tuple(LAYERS)
    oracle = staticmethod(regularization.oracle)


@layers
def test_keys_of_both_styles_and_of_other_generators(layer):
    y = layer(X, key=KEY)
    np.testing.assert_array_equal(layer(X, key=jax.random.PRNGKey(7)), y)
    np.testing.assert_array_equal(layer(X, key=np.array([0, 7], np.uint32)), y)
    assert not np.array_equal(layer(X, key=jax.random.key(8)), y)
    rbg = jax.random.key(7, impl="rbg")
    dx = jax.grad(lambda x: jnp.sum(layer(x, key=rbg)))(X)
    np.testing.assert_array_equal(dx, layer(X, key=rbg))


@layers
def test_vmap_over_keys_is_one_key_after_the_other(layer):
    keys = jax.random.split(KEY, 3)
    for given in (keys, jax.random.key_data(keys)):
        both = jax.vmap(lambda k: jax.vjp(lambda x: layer(x, key=k), X)[1](X)[0])(given)
        np.testing.assert_array_equal(both, [layer(X, key=k) for k in given])


@layers
def test_no_part_is_random_where_nothing_is_drawn(layer):
    for options in ({"rate": 0.0}, {"rate": 0.7, "deterministic": True}):
        y, pull = jax.vjp(lambda x, options=options: layer(x, **options), X)
        np.testing.assert_array_equal(y, X)
        np.testing.assert_array_equal(pull(2 * X)[0], 2 * X)
    for rate in (1, 1.0, 1 - 1e-16):
        y, pull = jax.vjp(lambda x, rate=rate: layer(x, rate=rate, key=KEY), jnp.full_like(X, jnp.nan))
        np.testing.assert_array_equal(y, 0 * X)
        np.testing.assert_array_equal(pull(X)[0], 0 * X)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9, 0.999])
def test_dropped_elements_are_as_many_as_the_rate_says_and_those_of_jax_random(rate):
    x = jnp.ones(100_000)
    kept = np.asarray(jaxcnn.dropout(x, rate, key=KEY)) != 0
    assert abs(kept.mean() - (1 - rate)) < 4 * math.sqrt(rate * (1 - rate) / x.size)
    np.testing.assert_array_equal(kept, jax.random.bernoulli(KEY, np.float32(1 - rate), x.shape))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32, jnp.float64])
def test_the_scale_is_rounded_once_and_the_mask_is_the_same_in_every_dtype(dtype):
    with jax.enable_x64(dtype == jnp.float64):
        x = jnp.asarray(np.random.default_rng(0).standard_normal(500), dtype)
        y, pull = jax.vjp(lambda x: jaxcnn.dropout(x, 0.3, key=KEY), x)
        kept = np.asarray(jax.random.bits(KEY, (500,), jnp.uint32)) < round(0.7 * 2**32)
        wide = np.float64 if dtype == jnp.float64 else np.float32
        right = np.where(kept, np.asarray(x, wide) / wide(0.7), 0)
        for found in (y, pull(x)[0]):
            assert found.dtype == dtype
            np.testing.assert_allclose(
                np.asarray(found, np.float64),
                np.asarray(right.astype(dtype), np.float64),
                rtol=float(jnp.finfo(dtype).eps),
            )


def test_what_is_dropped_takes_nothing_along():
    x = jnp.full(64, jnp.inf)
    y, pull = jax.vjp(lambda x: jaxcnn.dropout(x, 0.5, key=KEY), x)
    assert set(np.unique(y)) == {0, np.inf}
    dx = pull(jnp.full(64, jnp.nan))[0]
    np.testing.assert_array_equal(np.isnan(dx), y > 0)


def test_what_shares_a_number():
    x = jnp.ones((6, 2, 3, 4))
    spatial = jaxcnn.spatial_dropout(x, 0.5, key=KEY)
    np.testing.assert_array_equal(spatial, jnp.broadcast_to(spatial[:, :1, :1], x.shape))
    assert len(np.unique(spatial[:, 0, 0], axis=0)) > 1
    rows = jaxcnn.stochastic_depth(x, 0.5, "row", key=KEY)
    assert {tuple(np.unique(row)) for row in rows} == {(0.0,), (2.0,)}
    batches = {tuple(np.unique(jaxcnn.stochastic_depth(x, 0.5, "batch", key=jax.random.key(i)))) for i in range(8)}
    assert batches == {(0.0,), (2.0,)}
    shared = jaxcnn.dropout(x, 0.5, key=KEY, broadcast_dims=(0, -1))
    np.testing.assert_array_equal(shared, jnp.broadcast_to(shared[:1, ..., :1], x.shape))


@layers
def test_the_only_residual_is_the_key(layer):
    assert checks.residuals(lambda x: layer(x, key=KEY), X) == ["key<fry>[]"]
    assert checks.residuals(lambda x: layer(x, key=jax.random.PRNGKey(7)), X) == ["uint32[2]"]


@layers
def test_empty_batch(layer):
    y, pull = jax.vjp(lambda x: layer(x, key=KEY), X[:0])
    assert y.shape == pull(y)[0].shape == (0, 3, 4, 5)


@layers
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rate": 1.5, "key": KEY}, ValueError, r"rate \(=1.5\) must lie in \[0, 1\]"),
        ({"rate": math.nan, "key": KEY}, ValueError, r"rate \(=nan\) must lie in \[0, 1\]"),
        ({"rate": "half", "key": KEY}, TypeError, r"rate \(='half'\) must be a static number"),
        ({}, TypeError, r"key \(=None\) must be a PRNG key"),
        ({"key": 7}, TypeError, r"key \(=7\) must be a PRNG key"),
        ({"key": jax.random.split(KEY)}, ValueError, r"key shape \(=\(2,\)\) must be \(\), that of one key"),
        ({"key": jnp.zeros(3, jnp.uint32)}, ValueError, r"key shape \(=\(3,\)\) must be \(2,\), that of one key"),
        ({"key": KEY, "deterministic": None}, TypeError, r"deterministic \(=None\) must be True or False"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(layer, options, error, message):
    with pytest.raises(error, match=message):
        layer(X, **options)


@pytest.mark.parametrize(
    ("layer", "x", "options", "error", "message"),
    [
        ("dropout", X.astype(int), {}, TypeError, r"x dtype \(=int32\) must be a floating dtype"),
        ("dropout", X, {"broadcast_dims": (4,)}, ValueError, r"broadcast_dims \(=\(4,\)\) must name axes of an array of rank 4"),
        ("dropout", X, {"broadcast_dims": (-5,)}, ValueError, r"broadcast_dims \(=\(-5,\)\) must be at least -4"),
        ("dropout", X, {"broadcast_dims": 1.5}, TypeError, r"broadcast_dims \(=1.5\) must be an int"),
        ("spatial_dropout", X[0, 0, 0], {}, ValueError, r"spatial_rank \(=-1\) must be 1 to 0"),
        ("spatial_dropout", X, {"spatial_rank": 4}, ValueError, r"spatial_rank \(=4\) must be 1 to 3"),
        ("stochastic_depth", X, {"mode": "column"}, ValueError, r"mode \(='column'\) must be \"batch\" or \"row\""),
        ("stochastic_depth", X, {"batch_rank": 5}, ValueError, r"batch_rank \(=5\) must not exceed the rank of x"),
    ],
)  # fmt: skip
def test_errors_of_one_layer(layer, x, options, error, message):
    with pytest.raises(error, match=message):
        LAYERS[layer](x, key=KEY, **options)


def test_a_traced_rate_is_refused():
    with pytest.raises(TypeError, match=r"rate \(=.*\) must be a static number"):
        jax.jit(lambda x, rate: jaxcnn.dropout(x, rate, key=KEY))(X, 0.5)
