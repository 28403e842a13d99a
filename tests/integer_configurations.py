"""A random configuration with its integers in any dtype of integers, at the largest number that this holds and past it."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

import jaxcnn
from jaxcnn import reference
from tests.checks import assert_alike
from tests.ops.batches import rows_of

DTYPES = ("int4", "uint4", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
OF_CLASSES = "softmax_cross_entropy_with_integer_labels"
# Layers whose elements may be integers: they choose some, move them, or add them up.
OF_ELEMENTS = (
    "adaptive_max_pool", "adaptive_max_pool_with_indices", "depth_to_space", "flatten", "fold", "global_max_pool",
    "max_pool", "max_pool_with_indices", "min_pool", "pad", "space_to_depth", "unfold", "upsample_nearest",
)  # fmt: skip


def check_integers(case, oracle, rng):
    """Check a layer that takes integers with a dtype of them that is drawn.

    Returns:
      Whether it takes any.
    """
    dtype = str(rng.choice(DTYPES))
    with jax.enable_x64(True):
        if case.op == OF_CLASSES:
            check_gradients(*with_class_numbers(case, dtype, rng), dtype, rng)
        elif case.op == "max_unpool":
            check_gradients(*with_places(case, dtype, rng), dtype, rng)
        elif case.op in OF_ELEMENTS:
            check_elements(case, oracle, dtype, rng)
        else:
            return False
    return True


def limits(dtype):
    """Return the lowest and the largest number of a dtype, as Python's."""
    info = jnp.iinfo(dtype)
    return int(info.min), int(info.max)


def count_for(dtype, rng):
    """Return how many classes or places there are: for a narrow dtype, about as many as it has numbers from 0 on."""
    largest = limits(dtype)[1]
    return int(rng.integers(2, 9)) if largest >= 2**16 else largest + int(rng.integers(0, 3))


def numbers_for(shape, count, dtype, rng):
    """Return numbers below `count` that a dtype holds, in int64, half of them the largest."""
    top = min(count - 1, limits(dtype)[1])
    return np.where(rng.random(shape) < 0.5, top, rng.integers(0, top + 1, shape))


def outside(count, dtype, rng):
    """Return a number that is not from 0 to below `count`, of those that a dtype holds; None if it holds none."""
    few = [n for n in (*limits(dtype), -1, count) if limits(dtype)[0] <= n <= min(limits(dtype)[1], 2**62)]
    few = [n for n in few if not 0 <= n < count]
    return int(few[rng.integers(len(few))]) if few else None


def with_class_numbers(case, dtype, rng):
    """Return a case with as many classes as may not fit in the dtype of their numbers, and numbers of classes.

    A number that is no class is nan, in a mean everywhere; such a number, and one to ignore, is that of a class, if
    it is taken modulo the size of the dtype.
    """
    logits, labels = case.inputs
    rank, classes, options = len(logits.shape), count_for(dtype, rng), dict(case.options)
    axes = options["axis"]
    first, *others = [axis % rank for axis in ((axes,) if isinstance(axes, int) else axes)]
    sizes = {first: classes} | dict.fromkeys(others, 1)
    shape = tuple(sizes.get(axis, n) for axis, n in enumerate(logits.shape))
    if np.ndim(options.get("where")) == rank:
        for axis, size in sizes.items():
            options["where"] = rows_of(options["where"], size, axis)
    if "class_weights" in options:
        options["class_weights"] = np.resize(options["class_weights"], classes)
    numbers = numbers_for(labels.shape, classes, dtype, rng)
    if "ignore_index" in options:
        wrapped = 2 ** jnp.iinfo(dtype).bits if limits(dtype)[1] < 2**31 else 0
        options["ignore_index"] = int(rng.choice(numbers.ravel())) + wrapped * int(rng.integers(-1, 2))
    wrong = outside(classes, dtype, rng)
    if options["reduction"] == "none" and wrong is not None and rng.random() < 0.5:
        numbers.flat[rng.integers(numbers.size)] = wrong
    inputs = (logits._replace(shape=shape), labels._replace(classes=classes))
    return dataclasses.replace(case, inputs=inputs, options=options), numbers


def with_places(case, dtype, rng):
    """Return an unpool to as many places as may not fit in the dtype of their numbers, and numbers of places."""
    x, places = case.inputs
    count, rank = count_for(dtype, rng), len(case.options["output_size"])
    batch, channels = x.shape[: -rank - 1], x.shape[-1]
    top, most = min(count - 1, limits(dtype)[1]), int(rng.integers(1, 5))
    ones = (1,) * (rank - 1)
    rows = [
        rng.permutation([top, *rng.permutation(top)[: most - 1]])  # none twice
        for _ in range(math.prod(batch) * channels)
    ]
    numbers = np.array(rows, np.int64).reshape(*batch, channels, -1)
    wrong = outside(count, dtype, rng)
    if wrong is not None and rng.random() < 0.5:
        numbers.flat[rng.integers(numbers.size)] = wrong
    numbers = np.moveaxis(numbers, -1, len(batch))
    shape = (*batch, numbers.shape[-2], *ones, channels)
    inputs = (x._replace(shape=shape), places._replace(shape=shape, sizes=(count, *ones)))
    options = case.options | {"output_size": (count, *ones)}
    return dataclasses.replace(case, inputs=inputs, options=options), numbers.reshape(shape)


def check_gradients(case, numbers, dtype, rng):
    """Check that value and gradient are those with the numbers in int64, which are the reference's if all are right.

    Of a wrong class number the reference makes a finite loss, as `jax.nn.one_hot` makes a row of 0 of it.
    """
    x = jnp.asarray(rng.standard_normal(case.inputs[0].shape))

    def value_and_gradient(fn, numbers):
        y, pull = jax.vjp(lambda x: fn(x, numbers), x)
        return [y, *pull(g)]

    g = jnp.asarray(rng.standard_normal(jax.eval_shape(case.auto, x, numbers).shape))
    wide, narrow = (jnp.asarray(numbers.astype(jnp.dtype(d))) for d in ("int64", dtype))
    right = value_and_gradient(case.manual, wide)
    pairs = {"layer": (case.manual, narrow, right)}
    judged = value_and_gradient(case.auto, wide)
    if case.op != OF_CLASSES or not np.isnan(right[0]).any():
        pairs["layer with int64"] = (case.manual, wide, judged)
    pairs["reference"] = (case.auto, narrow, judged)
    for name, (fn, given, expected) in pairs.items():
        message = f"{case.op} {numbers.shape}, {case.options}, {dtype}, {name}"
        assert_alike(value_and_gradient(fn, given), expected, [np.float64] * 2, message, expected)


def check_elements(case, oracle, dtype, rng):
    """Check that elements are the oracle's of numbers that float64 holds, modulo the size of the dtype if added up.

    Args:
      case: the layer.
      oracle: `oracle(case)` returns the NumPy function that says what the case's value is.
      dtype: of the elements.
      rng: what draws them.
    """
    lowest, largest = limits(dtype)
    low, high = max(lowest, -(2**40)), min(largest, 2**40)
    x = rng.integers(low, high, case.inputs[0].shape, endpoint=True)
    x.flat[: x.size // 2] = rng.choice([low, high], x.size // 2)
    options = dict(case.options)
    if "value" in options:
        options["value"] = int(rng.choice([low, high]))
    case = dataclasses.replace(case, options=options)
    right = jax.tree.leaves(oracle(case)(x.astype(np.float64)))
    narrow = jnp.asarray(x.astype(jnp.dtype(dtype)))
    for name, ops in (("layer", jaxcnn), ("reference", reference)):
        found = jax.tree.leaves(case.of_arrays(getattr(ops, case.op))(narrow))
        message = f"{case.op} {x.shape}, {options}, {dtype}, {name}"
        assert found[0].dtype == dtype, f"{message}: {found[0].dtype}"
        for n, (a, b) in enumerate(zip(found, right, strict=True)):
            whole = np.asarray(b).astype(np.int64).astype(object)
            expected = whole if n else (whole - lowest) % (largest - lowest + 1) + lowest
            np.testing.assert_array_equal(np.asarray(a).astype(object), expected, f"{message}, result {n}")
