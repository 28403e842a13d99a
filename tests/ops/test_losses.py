"""What all losses promise alike: masks that leak nothing, reductions, half precision, torch's numbers."""

import functools
import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import jaxcnn
from jaxcnn.gradcheck.tolerances import absolute_difference, ulp_difference

ERRORS = ("squared_error", "l2_loss", "absolute_error", "huber_loss", "log_cosh")
BINARY = ("sigmoid_binary_cross_entropy", "sigmoid_focal_loss", "hinge_loss")
VECTORS = ("softmax_cross_entropy", "kl_divergence", "cosine_similarity", "cosine_distance")
INTEGER = "softmax_cross_entropy_with_integer_labels"


def test_values_and_gradients_are_those_of_torch():
    """expected/losses.json holds what torch 2.13 gives in float64 for options that have several conventions.

    Each entry names the call of torch.nn.functional (weights on all classes, the smoothing of them, what a mean divides
    by); inputs are multiples of 1/64 drawn by torch.randn with seed 0, gradients those of torch.autograd along g.
    Numbers have 12 digits.
    """
    expected = json.loads(Path(__file__).with_name("expected").joinpath("losses.json").read_text())
    assert len(expected) == 18
    with jax.enable_x64(True):
        for case in expected:
            options = {k: tuple(v) if isinstance(v, list) else v for k, v in case["options"].items()}
            floating = [jnp.array(a, jnp.float64) for a in case["floating"]]
            integers = [jnp.array(a) for a in case["integers"]]
            op = functools.partial(getattr(jaxcnn, case["op"]), **options)
            value, pull = jax.vjp(lambda *a, op=op, integers=integers: op(*a, *integers), *floating)
            message = f"{case['op']} {options}, torch: {case['torch']}"
            np.testing.assert_allclose(value, case["value"], rtol=1e-10, err_msg=message)
            for mine, right in zip(pull(jnp.array(case["g"], jnp.float64)), case["gradients"], strict=True):
                np.testing.assert_allclose(mine, right, rtol=1e-10, atol=1e-13, err_msg=message)


def arguments(name):
    """Return arguments of shape [3, 4] that are good everywhere."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 4)), jnp.float32)
    labels = jnp.array([2, 0, 3]) if name == INTEGER else jax.nn.softmax(x[::-1])
    return x, labels


WHERE = np.array([[True, True, False, True], [False] * 4, [True] * 4])


@pytest.mark.parametrize("name", [*ERRORS, *BINARY, *VECTORS, INTEGER])
def test_what_is_masked_leaks_into_nothing(name):
    fn = getattr(jaxcnn, name)
    where, bad = WHERE, jnp.resize(jnp.array([jnp.nan, jnp.inf, -jnp.inf, jnp.nan, jnp.inf]), WHERE.shape)
    x, labels = arguments(name)
    spoilt = jnp.where(where, x, bad)
    if name == INTEGER:
        labels = labels.at[0].set(1)  # a class that takes part
        spoilt_labels = labels.at[1].set(77)
    else:
        spoilt_labels = jnp.where(where, labels, -bad[::-1])
    floating = (0,) if name == INTEGER else (0, 1)

    def curved(*args):
        return jnp.sum(jnp.sin(fn(*args, where=where))) + fn(*args, where=where, reduction="mean")

    def both(*args):
        gradients = jax.grad(curved, floating)(*args)
        steep = jax.grad(lambda *a: sum(jnp.sum(g) for g in jax.grad(curved, floating)(*a)), floating)(*args)
        return fn(*args, where=where), gradients, steep

    found, right = jax.jit(both)(spoilt, spoilt_labels), jax.jit(both)(x, labels)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        assert np.isfinite(a).all()
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    for dx in jax.tree.leaves(found[1:]):
        np.testing.assert_array_equal(dx[~where], 0)


@pytest.mark.parametrize("name", [*ERRORS, *BINARY, *VECTORS, INTEGER])
def test_reductions_and_a_mean_of_nothing(name):
    fn = getattr(jaxcnn, name)
    args = arguments(name)
    each = fn(*args)
    np.testing.assert_allclose(fn(*args, reduction="sum"), each.sum(), rtol=1e-6)
    np.testing.assert_allclose(fn(*args, reduction="mean"), each.mean(), rtol=1e-6)
    value, gradient = jax.value_and_grad(fn)(*args, where=jnp.zeros((1, 1), bool), reduction="mean")
    assert np.isnan(value)
    np.testing.assert_array_equal(gradient, 0)
    value, gradient = jax.value_and_grad(fn)(*(a[:0] for a in args), reduction="mean")
    assert np.isnan(value)
    assert gradient.shape == (0, 4)
    for wrong in ("average", None, 3):
        with pytest.raises(ValueError, match=rf"reduction \(={wrong!r}\) must be \"none\", \"mean\" or \"sum\""):
            fn(*args, reduction=wrong)
    with pytest.raises(TypeError, match=r"where dtype \(=float32\) must be bool"):
        fn(*args, where=args[0])
    with pytest.raises(ValueError, match=r"where shape \(=\(5, 4\)\) must broadcast to \(3, 4\)"):
        fn(*args, where=jnp.ones((5, 4), bool))


@pytest.mark.parametrize("name", [*ERRORS, *BINARY, *VECTORS])
def test_labels_are_not_put_behind_examples_silently(name):
    """NumPy broadcasts one number an example along the other axis, where there are as many numbers as classes."""
    fn, x = getattr(jaxcnn, name), jnp.linspace(-1, 1, 9).reshape(3, 3)
    for labels in (x[0], x[None], x[:2], *(() if name in BINARY else (x[0, 0],))):
        message = rf"(labels|targets) shape \(=\({', '.join(map(str, labels.shape))},?\)\) must "
        with jax.numpy_rank_promotion("allow"), pytest.raises(ValueError, match=message):
            fn(x, labels)
    for labels in (x[:, :1], x[:1], *((x[0, 0], 1.0, 1) if name in BINARY else ())):
        if name in ERRORS:
            with pytest.raises(ValueError, match=r"targets shape \(=.*\) must equal predictions shape \(=\(3, 3\)\)"):
                fn(x, labels)
        else:
            np.testing.assert_array_equal(fn(x, labels), fn(x, jnp.broadcast_to(jnp.asarray(labels, x.dtype), (3, 3))))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("name", ["squared_error", "absolute_error", "sigmoid_binary_cross_entropy", INTEGER])
def test_sums_of_half_precision_run_in_float32(name, dtype):
    """65536 equal losses: in bfloat16 a running sum stops at 256 of them."""
    x = jnp.full((65536, *[2] * (name == INTEGER)), 0.1, dtype)
    labels = jnp.zeros(65536, jnp.int32) if name == INTEGER else jnp.zeros_like(x)
    fn = functools.partial(getattr(jaxcnn, name), x / 64, labels)
    one = {"squared_error": 2.4414e-6, "absolute_error": 1.5625e-3}.get(name, math.log(2))
    assert float(fn(reduction="mean")) == pytest.approx(one, rel=1e-2)
    if one * 65536 < 60000:
        assert float(fn(reduction="sum")) == pytest.approx(one * 65536, rel=1e-2)


def sigmoid(z):
    return np.where(z > 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


def cross_entropy(z, y):
    denied = np.where(z > 0, 1 - y, y)
    return np.log1p(np.exp(-np.abs(z))) + np.where(denied == 0, 0, denied * np.abs(z))


def log_cosh(e):
    small = np.minimum(np.abs(e), 1)
    return np.where(
        np.abs(e) < 1, np.log1p(2 * np.sinh(small / 2) ** 2), np.abs(e) + np.log1p(np.exp(-2 * np.abs(e))) - np.log(2)
    )


# The value and its derivative in the first argument, in float64, each in a form that keeps its digits.
RIGHT = {
    "squared_error": (lambda p, t: (p - t) ** 2, lambda p, t: 2 * (p - t)),
    "l2_loss": (lambda p, t: (p - t) ** 2 / 2, lambda p, t: p - t),
    "absolute_error": (lambda p, t: np.abs(p - t), lambda p, t: np.sign(p - t)),
    "huber_loss": (
        lambda p, t: np.where(np.abs(p - t) <= 1, (p - t) ** 2 / 2, np.abs(p - t) - 0.5),
        lambda p, t: np.clip(p - t, -1, 1),
    ),
    "log_cosh": (lambda p, t: log_cosh(p - t), lambda p, t: np.tanh(p - t)),
    "hinge_loss": (lambda z, y: np.maximum(0, 1 - z * y), lambda z, y: np.where(z * y < 1, -y, 0)),
    "sigmoid_binary_cross_entropy": (
        cross_entropy,
        lambda z, y: (1 - y) * sigmoid(z) - y * sigmoid(-z),
    ),
    "sigmoid_focal_loss": (
        lambda z, y: ((1 - y) * sigmoid(z) + y * sigmoid(-z)) ** 2 * cross_entropy(z, y),
        lambda z, y: (
            ((1 - y) * sigmoid(z) + y * sigmoid(-z)) ** 2 * ((1 - y) * sigmoid(z) - y * sigmoid(-z))
            + 2
            * ((1 - y) * sigmoid(z) + y * sigmoid(-z))
            * (1 - 2 * y)
            * (sigmoid(z) * sigmoid(-z))
            * np.minimum(cross_entropy(z, y), 1e9)
        ),
    ),
}


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("name", list(RIGHT))
def test_half_precision_is_within_two_units_in_the_last_place(name, dtype):
    """Over the whole range, infinities included; results that are subnormal aside, which XLA may flush to 0."""
    with np.errstate(invalid="ignore"):
        values = np.arange(0, 65536, 13, np.uint16).view(dtype).astype(np.float64)
    subnormal = (values != 0) & (np.abs(values) < np.finfo(np.float32).tiny)  # which XLA takes for 0
    values = np.append(values[~np.isnan(values) & ~subnormal], [np.inf, -np.inf])
    first = values
    if name in BINARY:
        second = (
            np.resize([0, 1, 1, 0, 0.25, 1], first.shape)
            if name != "hinge_loss"
            else np.resize([1, -1, 1], first.shape)
        )
    else:
        second = np.random.default_rng(0).permutation(np.where(np.arange(first.size) % 3, values, 0))
    with np.errstate(over="ignore", invalid="ignore"):
        right = [f(first, second).astype(dtype).astype(np.float64) for f in RIGHT[name]]
    y, pull = jax.vjp(getattr(jaxcnn, name), jnp.asarray(first, dtype), jnp.asarray(second, dtype))
    for mine, judge in zip((y, pull(jnp.ones_like(y))[0]), right, strict=True):
        assert mine.dtype == dtype
        mine = np.asarray(mine, np.float64)
        tiny = float(jnp.finfo(dtype).smallest_normal)
        flushed = np.abs(judge) < tiny
        assert (np.abs(mine[flushed]) <= tiny).all()
        off = absolute_difference(mine, judge)
        worst = np.argmax(np.where(flushed, 0, off / np.maximum(np.abs(judge), tiny)))
        difference = ulp_difference(mine[~flushed], judge[~flushed], dtype)
        assert difference <= 2, f"{difference} at {first[worst]}, {second[worst]}: {mine[worst]}, not {judge[worst]}"
