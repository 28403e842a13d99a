import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn.ops
import jaxcnn.reference
from jaxcnn.models import lenet

SHAPES = {
    "conv1": ((5, 5, 3, 32), (32,)),
    "conv2": ((5, 5, 32, 64), (64,)),
    "dense1": ((64 * 2 * 1, 128), (128,)),
    "dense2": ((128, 10), (10,)),
}


def conv_oracle(x, kernel, bias):
    """5x5 convolution padded to the same size, tap by tap from the definition."""
    padded = np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)])
    y = np.zeros((*x.shape[:3], kernel.shape[3]))
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            y[:, i, j] = np.einsum("nklc,klcd->nd", padded[:, i : i + 5, j : j + 5], kernel)
    return y + bias


def stage_oracle(x, kernel, bias):
    y = np.maximum(conv_oracle(x, kernel, bias), 0)
    pooled = np.zeros((y.shape[0], y.shape[1] // 2, y.shape[2] // 2, y.shape[3]))
    for i in range(pooled.shape[1]):
        for j in range(pooled.shape[2]):
            pooled[:, i, j] = y[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max((1, 2))
    return pooled


def lenet_oracle(params, x):
    for name in ("conv1", "conv2"):
        x = stage_oracle(x, params[name]["kernel"], params[name]["bias"])
    hidden = np.maximum(x.reshape(len(x), -1) @ params["dense1"]["kernel"] + params["dense1"]["bias"], 0)
    return hidden @ params["dense2"]["kernel"] + params["dense2"]["bias"]


def with_biases(params, seed):
    """The parameters with biases that are not 0, so that one that is left out shows."""
    rng = np.random.default_rng(seed)
    return {
        name: {"kernel": layer["kernel"], "bias": jnp.asarray(rng.normal(size=layer["bias"].shape))}
        for name, layer in params.items()
    }


def test_init_gives_the_documented_shapes():
    params, state = lenet().init(jax.random.key(0), (11, 7, 3))
    assert {name: (layer["kernel"].shape, layer["bias"].shape) for name, layer in params.items()} == SHAPES
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype("float32")}
    assert state == {}


def test_init_scales_kernels_by_their_fan_in_and_leaves_biases_at_zero():
    params, _ = lenet().init(jax.random.key(1), (28, 28, 1))
    variances = {"conv1": 2 / 25, "conv2": 2 / 800, "dense1": 2 / 3136, "dense2": 1 / 128}
    for name, variance in variances.items():
        assert np.var(params[name]["kernel"]) == pytest.approx(variance, rel=0.15), name
        assert not params[name]["bias"].any()


def test_init_is_a_function_of_the_key():
    first, second, other = (lenet().init(jax.random.key(seed), (8, 8, 1))[0] for seed in (3, 3, 4))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), first, second))
    assert (first["conv1"]["kernel"] != other["conv1"]["kernel"]).any()
    assert (first["conv1"]["kernel"].ravel()[:100] != first["conv2"]["kernel"].ravel()[:100]).any()


def test_num_classes_sets_the_width_of_the_last_layer():
    params, _ = lenet(num_classes=3).init(jax.random.key(0), (8, 8, 1))
    assert params["dense2"]["kernel"].shape == (128, 3)


@pytest.mark.parametrize("ops", [jaxcnn.ops, jaxcnn.reference], ids=["manual", "auto"])
def test_logits_are_those_of_an_independent_computation(ops):
    with jax.enable_x64(True):
        model = lenet(ops)
        params, state = model.init(jax.random.key(2), (9, 6, 2), jnp.float64)
        params = with_biases(params, 0)
        x = np.random.default_rng(1).normal(size=(3, 9, 6, 2))
        logits, new_state = jax.jit(model.apply, static_argnames="train")(params, state, x, train=True)
        expected = lenet_oracle(jax.tree.map(np.asarray, params), x)
        assert np.abs(logits - expected).max() <= 1e-13 * np.abs(expected).max()
        assert new_state == {}


def test_manual_gradients_equal_autodiff():
    with jax.enable_x64(True):
        params, state = lenet().init(jax.random.key(2), (8, 8, 1), jnp.float64)
        params = with_biases(params, 1)
        rng = np.random.default_rng(2)
        x, g = rng.normal(size=(4, 8, 8, 1)), rng.normal(size=(4, 10))

        def gradients(ops):
            def weighted(params, x):
                return jnp.sum(g * lenet(ops).apply(params, state, x, train=True)[0])

            return jax.jit(jax.grad(weighted, argnums=(0, 1)))(params, x)

        manual, auto = gradients(jaxcnn.ops), gradients(jaxcnn.reference)
        for (path, a), b in zip(jax.tree.leaves_with_path(manual), jax.tree.leaves(auto), strict=True):
            assert np.abs(a - b).max() <= 1e-13 * np.abs(b).max(), jax.tree_util.keystr(path)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_computation_is_in_the_dtype_of_the_parameters(dtype):
    model = lenet()
    params, state = model.init(jax.random.key(0), (8, 8, 1), dtype)
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(params)} == {dtype}
    assert model.apply(params, state, jnp.ones((2, 8, 8, 1)), train=False)[0].dtype == dtype


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_any_number_of_batch_axes(batch):
    model = lenet()
    params, state = model.init(jax.random.key(0), (8, 8, 1))
    x = jax.random.normal(jax.random.key(1), (*batch, 8, 8, 1))
    logits, _ = model.apply(params, state, x, train=False)
    assert logits.shape == (*batch, 10)
    flat, _ = model.apply(params, state, x.reshape(-1, 8, 8, 1), train=False)
    np.testing.assert_allclose(logits.reshape(-1, 10), flat, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("input_shape", [(28, 28), (8, 28, 28, 1), (3, 28, 1), (28, 3, 1), (28, 28, 0)])
def test_an_input_shape_that_does_not_fit_is_an_error(input_shape):
    with pytest.raises(ValueError, match=r"input_shape \(=.*must be the \[H, W, C\].*at least 4"):
        lenet().init(jax.random.key(0), input_shape)


def test_wrong_arguments_are_errors():
    with pytest.raises(ValueError, match=r"num_classes \(=0\) must be at least 1"):
        lenet(num_classes=0)
    with pytest.raises(ValueError, match=r"dtype \(=int32\) must be a floating dtype"):
        lenet().init(jax.random.key(0), (8, 8, 1), jnp.int32)
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r"dtype \(=float64\) must be switched on first: .*jax_enable_x64"),
    ):
        lenet().init(jax.random.key(0), (8, 8, 1), jnp.float64)
    params, state = lenet().init(jax.random.key(0), (8, 8, 1))
    with pytest.raises(TypeError, match=r"x dtype \(=uint8\) must be a floating dtype.*divided by 255"):
        lenet().apply(params, state, jnp.zeros((1, 8, 8, 1), jnp.uint8), train=False)
