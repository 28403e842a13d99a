"""More taps than are written out, and more groups: the same columns, sums and gradients as one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.algorithms import _taps, grouped
from jaxcnn.ops._window import conv_output_size
from jaxcnn.ops.convolution import conv_config

OPTIONS = {"padding": ((3, 2), (1, 4)), "feature_group_count": 1, "precision": None, "preferred_element_type": None}
GEOMETRIES = [((1, 1), (1, 1), (1, 1)), ((2, 3), (1, 2), (1, 1)), ((1, 1), (2, 1), (3, 2)), ((3, 2), (1, 1), (2, 3))]


@pytest.mark.parametrize(("strides", "kernel_dilation", "input_dilation"), GEOMETRIES, ids=str)
def test_tables_take_and_put_what_single_taps_do(strides, kernel_dilation, input_dilation, monkeypatch):
    window = (4, 3)
    config = conv_config(
        (2, 9, 8, 3), (*window, 3, 1),
        strides=strides, kernel_dilation=kernel_dilation, input_dilation=input_dilation, **OPTIONS,
    )  # fmt: skip
    random = np.random.default_rng(0)
    x = jnp.asarray(random.standard_normal((2, 9, 8, 3)), jnp.float32)
    outputs = conv_output_size((9, 8), window, config)
    single = _taps.take_all(x, window, outputs, config)
    v = jnp.asarray(random.standard_normal(single.shape), jnp.float32)
    put = _taps.put_all(v, window, (9, 8), config)
    monkeypatch.setattr(_taps, "MOST_TAPS", 0)
    np.testing.assert_array_equal(_taps.take_all(x, window, outputs, config), single)
    np.testing.assert_allclose(_taps.put_all(v, window, (9, 8), config), put, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("groups", "narrow", "wide"), [(80, 2, 2), (96, 4, 2), (72, 16, 3), (65, 1, 3)], ids=str)
def test_many_groups_are_those_of_lax(groups, narrow, wide):
    shapes = (2, 5, 4, groups * narrow), (3, 2, narrow, groups * wide)
    options = {"feature_group_count": groups, "strides": (1, 2), "kernel_dilation": (2, 1)}
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        args = [jnp.asarray(random.standard_normal(shape)) for shape in shapes]
        config = conv_config(*shapes, padding="SAME", input_dilation=1, precision=None, preferred_element_type=None,
                             **options)  # fmt: skip
        y, pull = jax.vjp(lambda *args: jaxcnn.reference.conv(*args, **options), *args)
        g = jnp.asarray(random.standard_normal(y.shape))
        found = (
            jax.jit(lambda x, k: grouped.forward(x, k, config))(*args),
            jax.jit(lambda g, k: grouped.dx(g, k, shapes[0][1:-1], config))(g, args[1]),
            jax.jit(lambda x, g: grouped.dkernel(x, g, shapes[1][:2], config))(args[0], g),
        )
        right = (y, *pull(g))
    for a, b in zip(found, right, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * np.max(np.abs(b)))


@pytest.mark.parametrize("case", ["larger than the image", "dilated input", "few channels", "local"])
def test_layers_of_more_than_64_taps_are_the_reference(case):
    x, kernel, options = {
        "larger than the image": ((2, 40, 3), (70, 3, 5), {}),
        "dilated input": ((2, 30, 5), (70, 5, 6), {"input_dilation": 2}),
        "few channels": ((1, 90, 2), (70, 2, 8), {}),
        "local": ((2, 80, 2), (5, 76, 2, 3), {"padding": "VALID"}),
    }[case]
    name, random = "conv_local" if case == "local" else "conv", np.random.default_rng(0)
    with jax.enable_x64(True):
        args = [jnp.asarray(random.standard_normal(shape)) for shape in (x, kernel)]
        results = []
        for layers in (jaxcnn, jaxcnn.reference):
            y, pull = jax.vjp(lambda *args, layers=layers: getattr(layers, name)(*args, **options), *args)
            results.append((y, *pull(jnp.sin(y))))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12 * np.max(np.abs(b)))
