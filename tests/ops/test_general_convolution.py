import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.convolution import oracle


class TestConvGeneralDilated(checks.OpChecks):
    ops = ("conv_general_dilated",)
    oracle = staticmethod(oracle)


def numbers(shape, seed):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


@pytest.mark.parametrize(
    "dimension_numbers",
    [
        ("CHWN", "IHWO", "HWNC"),
        ("NWHC", "HWIO", "NCWH"),
        jax.lax.ConvDimensionNumbers((3, 0, 2, 1), (0, 2, 3, 1), (1, 3, 0, 2)),
    ],
)
def test_axes_stand_where_lax_has_them(dimension_numbers):
    specs = jax.lax.conv_dimension_numbers((1,) * 4, (1,) * 4, dimension_numbers)
    x, kernel = np.empty(4, int), np.empty(4, int)
    x[list(specs.lhs_spec)], kernel[list(specs.rhs_spec)] = (2, 3, 6, 5), (4, 3, 3, 2)
    args = numbers(x, 0), numbers(kernel, 1), (2, 1), ((1, 0), (2, 1)), (1, 2), (2, 1), dimension_numbers
    found, right = jaxcnn.conv_general_dilated(*args), jax.lax.conv_general_dilated(*args)
    np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5)


def test_three_dimensions_and_none_of_the_options():
    x, kernel = numbers((2, 3, 4, 3, 5), 0), numbers((2, 3, 2, 2, 3), 1)
    found = jaxcnn.conv_general_dilated(x, kernel, (1, 2, 1), "VALID")
    right = jax.lax.conv_general_dilated(x, kernel, (1, 2, 1), "VALID")
    np.testing.assert_allclose(found, right, rtol=1e-5, atol=1e-5)


X, K = numbers((4, 2, 5, 5), 2), numbers((6, 2, 3, 3), 3)


def int8(*shape):
    return jnp.asarray(np.random.default_rng(0).integers(-3, 4, shape), jnp.int8)


UNTOUCHED = {
    "int8": ((int8(4, 2, 5, 5), int8(6, 2, 3, 3)), ((1, 1), "SAME"), {}),
    "int8 to int32": ((int8(4, 2, 5, 5), int8(6, 2, 3, 3)), ((1, 1), "SAME"), {"preferred_element_type": jnp.int32}),
    "int8 to float32": ((int8(4, 2, 5, 5), int8(6, 2, 3, 3)), ((1, 1), "SAME"), {"preferred_element_type": jnp.float32}),
    "uint8, dilated": ((jnp.ones((1, 1, 5), jnp.uint8),) * 2, ((1,), ((4, 4),), (2,), (1,)), {}),
    "complex": ((X * 1j, K + 1j), ((1, 2), "VALID"), {}),
    "bool": ((X > 0, K > 0), ((1, 1), "SAME"), {}),
    "no spatial axis": ((numbers((4, 3), 0), numbers((5, 3), 1)), ((), ()), {}),
    "no spatial axis, groups": ((numbers((4, 6), 0), numbers((6, 3), 1)), ((), "SAME"), {"feature_group_count": 2}),
    "an empty spatial axis": ((X[:, :, :0], K), ((1, 1), "SAME"), {}),
    "an empty spatial axis, padded": ((X[:, :, :0], K), ((1, 1), ((2, 2), (0, 0))), {}),
    "no examples": ((X[:0], K), ((1, 1), "SAME"), {}),
    "no channels": ((X[:, :0], K[:, :0]), ((1, 1), "SAME"), {}),
    "no results": ((X, K[:0]), ((1, 1), "SAME"), {}),
    "a window larger than the input": ((X[:, :, :2], K), ((1, 1), "VALID"), {}),
    "a dilated window larger than the input": ((X, K), ((1, 1), "VALID", None, (3, 1)), {}),
    "batch groups": ((X, K), ((1, 1), "SAME"), {"batch_group_count": 2}),
    "lists and arrays": ((np.asarray(X), np.asarray(K)), ([1, 2], [[1, 0], [0, 1]], None, np.array([1, 2])), {}),
    "padding in small letters": ((X, K), ((2, 1), "same_lower"), {}),
    "bfloat16 to float32": ((X.astype(jnp.bfloat16), K.astype(jnp.bfloat16)), ((1, 1), "SAME"), {"preferred_element_type": "float32"}),
    "two precisions": ((X, K), ((1, 1), "SAME"), {"precision": ("high", "highest")}),
}  # fmt: skip


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_lax_takes_is_taken(name):
    args, geometry, options = UNTOUCHED[name]
    found, right = (f(*args, *geometry, **options) for f in (jaxcnn.conv_general_dilated, jax.lax.conv_general_dilated))
    assert (found.shape, found.dtype) == (right.shape, right.dtype)
    np.testing.assert_allclose(np.asarray(found, complex), np.asarray(right, complex), rtol=1e-5, atol=1e-5)
    if not jnp.issubdtype(args[0].dtype, jnp.floating):
        return
    (y, pull), (_, right) = (
        jax.vjp(lambda lhs, rhs, f=f: f(lhs, rhs, *geometry, **options), *args)
        for f in (jaxcnn.conv_general_dilated, jax.lax.conv_general_dilated)
    )
    for gradient, expected, arg in zip(pull(jnp.ones_like(y)), right(jnp.ones_like(y)), args, strict=True):
        assert (gradient.shape, gradient.dtype) == (arg.shape, arg.dtype)
        np.testing.assert_allclose(np.asarray(gradient, float), np.asarray(expected, float), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("args", "geometry", "options"),
    [
        ((X, K), ((1, 1), (3, 3)), {}),
        ((X, K), ((1, 1), ((-4, -3), (0, 0))), {}),
        ((X, K), ((1, 1), 1), {}),
        ((X, K), ((1, 1), [1, 1]), {}),
        ((X, K), ((1, 1), "CIRCULAR"), {}),
        ((X, K), ((1, 1), "CAUSAL"), {}),
        ((X, K), (1, "SAME"), {}),
        ((X, K), ((1,), "SAME"), {}),
        ((X, K), ((0, 1), ((0, 0), (0, 0))), {}),
        ((X, K), ((1, 1), "SAME", (2, 1)), {}),
        ((X, K), ((1, 1), "SAME", None, 2), {}),
        ((X, K.astype(jnp.bfloat16)), ((1, 1), "SAME"), {}),
        ((X > 0, K), ((1, 1), "SAME"), {}),
        ((X, K[0]), ((1, 1), "SAME"), {}),
        ((X, K), ((1, 1), "SAME"), {"batch_group_count": 3}),
        ((X, K), ((1, 1), "SAME"), {"batch_group_count": 4}),
        ((X, K), ((1, 1), "SAME"), {"batch_group_count": 2, "feature_group_count": 2}),
        ((X, K), ((1, 1), "SAME"), {"feature_group_count": -1}),
        ((X, K), ((1, 1), "SAME"), {"feature_group_count": 3}),
        ((X, K), ((1, 1), "SAME"), {"dimension_numbers": ("NCHW", "OIHW")}),
        ((X, K), ((1, 1), "SAME"), {"dimension_numbers": ("NCHW", "OIHW", "NCHX")}),
        ((X, K), ((1, 1), "SAME"), {"preferred_element_type": jnp.bfloat16}),
        ((X, K), ((1, 1), "SAME"), {"preferred_element_type": "number"}),
        ((X, K), ((1, 1), "SAME"), {"precision": "exactly"}),
        ((int8(4, 2, 5, 5), int8(6, 2, 3, 3)), ((1, 1), "SAME"), {"preferred_element_type": "complex64"}),
        (([[1.0]], K), ((1, 1), "SAME"), {}),
    ],
)  # fmt: skip
def test_what_lax_refuses_is_refused_with_its_error(args, geometry, options):
    expected = outcome(jax.lax.conv_general_dilated, (*args, *geometry), options)
    assert issubclass(expected[0], Exception)
    assert outcome(jaxcnn.conv_general_dilated, (*args, *geometry), options) == expected


def drawn(rng):
    """Draw arguments, most of which lax takes."""
    rank, dtype = (
        int(rng.choice([0, 1, 2, 2, 3])),
        str(rng.choice(["float32"] * 4 + ["bfloat16", "int8", "bool", "complex64"])),
    )
    groups, batch_groups = (int(rng.choice([1, 2, 3])), 1) if rng.random() < 0.8 else (1, 2)
    sizes, window = ([int(n) for n in rng.integers(least, 6, rank)] for least in (0 if rng.random() < 0.2 else 3, 1))
    c_in, c_out = (groups * batches * int(rng.integers(1, 3)) for batches in (1, batch_groups))
    x, kernel = (
        (batch_groups * int(rng.integers(0, 3)), c_in, *sizes),
        (c_out, c_in // groups + (rng.random() < 0.05), *window),
    )

    def ints(least, most):
        return [int(n) for n in rng.integers(least, most + 1, rank + (rng.random() < 0.03))]

    pairs = [(low, high) for low, high in zip(ints(-1, 3), ints(-1, 3), strict=False)]
    padding = ["SAME", "VALID", "SAME_LOWER", pairs, np.array(pairs).reshape(-1, 2), "FULL", (3, 3)][
        rng.choice(7, p=[0.2, 0.2, 0.1, 0.3, 0.1, 0.05, 0.05])
    ]
    options = {"feature_group_count": groups, "batch_group_count": batch_groups}
    options["lhs_dilation"], options["rhs_dilation"] = (None if rng.random() < 0.5 else ints(1, 2) for _ in range(2))
    if rng.random() < 0.3:
        options["preferred_element_type"] = rng.choice(["float32", "int32", "float16"])
    arrays = (jnp.asarray(rng.integers(-3, 4, shape), jnp.float32).astype(dtype) for shape in (x, kernel))
    return (*arrays, ints(1, 3), padding), options


def outcome(fn, args, options):
    try:
        y = fn(*args, **options)
    except Exception as error:  # any error of lax's
        return type(error), str(error).splitlines()[0]
    return y.shape, y.dtype, [round(abs(complex(number)), 2) for number in np.asarray(y).ravel()]


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[pytest.mark.full] * (seed > 24)) for seed in range(300)])
def test_drawn_arguments_are_taken_or_refused_as_by_lax(seed):
    args, options = drawn(np.random.default_rng(seed))
    found, right = (outcome(f, args, options) for f in (jaxcnn.conv_general_dilated, jax.lax.conv_general_dilated))
    assert found == right, f"{[getattr(a, 'shape', a) for a in args]}, {args[0].dtype}, {options}"


def test_a_sharding_of_the_result_is_left_to_lax():
    mesh = jax.make_mesh((1,), ("b",), axis_types=(jax.sharding.AxisType.Explicit,))
    with jax.set_mesh(mesh):
        y = jaxcnn.conv_general_dilated(X, K, (1, 1), "SAME", out_sharding=jax.P("b"))
        assert jax.typeof(y).sharding.spec == jax.P("b", None, None, None)
    np.testing.assert_allclose(y, jax.lax.conv_general_dilated(X, K, (1, 1), "SAME"), rtol=1e-6)


def test_the_rule_is_that_of_conv_where_lax_takes_the_arguments():
    for padding in ("SAME", [(1, 0), (0, 1)]):
        text = str(jax.make_jaxpr(lambda x, p=padding: jaxcnn.conv_general_dilated(x, K, [1, 1], p))(X))
        assert "custom_vjp_call" in text
