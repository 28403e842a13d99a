import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.algorithms import choice, direct
from jaxcnn.ops._window import ConvConfig


def test_the_table_is_lax_on_every_platform_until_something_is_measured():
    config = ConvConfig((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1), 1, None, None)
    assert choice.choose(config, ((8, 32, 32, 64), (3, 3, 64, 64)), jnp.float32) == {"default": "direct"}


def test_every_algorithm_has_every_part():
    for algorithm in choice.ALGORITHMS.values():
        for part in ("forward", "dx", "dkernel"):
            assert callable(getattr(algorithm, part))


@pytest.fixture
def choice_by_platform(monkeypatch):
    """Choose another algorithm for the GPU: one that marks its results with cosines, which convolutions do not have."""

    def marked(part):
        return lambda *args: jnp.cos(getattr(direct, part)(*args))

    fake = types.SimpleNamespace(**{part: marked(part) for part in ("forward", "dx", "dkernel")})
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
