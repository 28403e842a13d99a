"""Class numbers, indices and paddings in every dtype of integers, at the largest number that it holds and past it.

JAX wraps a Python number that the dtype of an array does not hold, so that a size of 256 beside labels in uint8 is 0.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn

DTYPES = ("int4", "uint4", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
NARROW = ("int4", "uint4", "int8", "uint8")
integer_cross_entropy = jaxcnn.softmax_cross_entropy_with_integer_labels


def limits(dtype):
    info = jnp.iinfo(dtype)
    return int(info.min), int(info.max)


def sizes(dtype):
    """Return numbers of classes or places that `dtype` holds just and just not; of wide ones, one that it holds."""
    largest = limits(dtype)[1]
    return (largest, largest + 1) if dtype in NARROW else (300,)


@pytest.mark.parametrize("dtype", DTYPES)
def test_class_numbers(dtype):
    """With equal logits the loss of each class is log C, its gradient 1 / C less 1 at the class."""
    with jax.enable_x64(True):
        lowest, largest = limits(dtype)
        for classes in sizes(dtype):
            numbers = sorted({0, 1, min(classes - 1, largest), largest, lowest})
            labels = jnp.asarray(np.array(numbers, dtype))
            logits = jnp.zeros((len(numbers), classes), jnp.float32)
            loss, pull = jax.vjp(lambda z, labels=labels: integer_cross_entropy(z, labels), logits)
            (dlogits,) = pull(jnp.ones_like(loss))
            for number, value, gradient in zip(numbers, loss, dlogits, strict=True):
                if 0 <= number < classes:
                    assert value == pytest.approx(math.log(classes), rel=1e-6), (classes, number)
                    assert gradient[number] == pytest.approx(1 / classes - 1, rel=1e-5)
                    np.testing.assert_allclose(np.delete(gradient, number), 1 / classes, rtol=1e-5)
                else:
                    assert np.isnan(value), (classes, number)
                    assert np.isnan(gradient).all()


@pytest.mark.parametrize(
    ("dtype", "x64"), [(dtype, x64) for dtype in DTYPES for x64 in (True, False) if x64 or "64" not in dtype]
)
def test_the_largest_label_is_ignored_with_and_without_64_bits(dtype, x64):
    """In an unsigned dtype it is what -1 becomes, the usual mark of an example that has no label."""
    with jax.enable_x64(x64):
        largest = limits(dtype)[1]
        labels = jnp.asarray(np.array([largest, 0, 1], dtype))
        loss = integer_cross_entropy(jnp.zeros((3, 4)), labels, ignore_index=largest, reduction="mean")
        assert loss == pytest.approx(math.log(4), rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_class_numbers_beside_weights_smoothing_and_an_ignored_one(dtype):
    """Where weights are 1, ..., C, a mean over labels a and b is (a + 1 + b + 1) log C / (a + 1 + b + 1)."""
    with jax.enable_x64(True):
        largest = limits(dtype)[1]
        classes = sizes(dtype)[-1]
        numbers = [0, min(classes - 1, largest), 2]
        labels = jnp.asarray(np.array(numbers, dtype))
        logits, weights = jnp.zeros((3, classes), jnp.float32), jnp.arange(1, classes + 1, dtype=jnp.float32)
        each = integer_cross_entropy(logits, labels, class_weights=weights)
        np.testing.assert_allclose(each, (np.array(numbers, float) + 1) * math.log(classes), rtol=1e-6)
        smoothed = integer_cross_entropy(logits, labels, label_smoothing=0.25)
        np.testing.assert_allclose(smoothed, math.log(classes), rtol=1e-6)
        for ignored in (2, 2 - 2 * (largest + 1), 2 + 2 * (largest + 1)):  # only the first is a label of this dtype
            mean = integer_cross_entropy(logits, labels, class_weights=weights, ignore_index=ignored, reduction="mean")
            assert mean == pytest.approx(math.log(classes), rel=1e-6)
            each = integer_cross_entropy(logits, labels, ignore_index=ignored)
            np.testing.assert_allclose(each, np.array([1, 1, ignored != 2]) * math.log(classes), rtol=1e-6)
        twin = jaxcnn.reference.softmax_cross_entropy_with_integer_labels(logits, labels, class_weights=weights)
        np.testing.assert_allclose(twin, (np.array(numbers, float) + 1) * math.log(classes), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_indices_to_unpool_by(dtype):
    with jax.enable_x64(True):
        lowest, largest = limits(dtype)
        for places in sizes(dtype):
            numbers = sorted({0, 1, min(places - 1, largest), largest, lowest})
            indices = jnp.asarray(np.array(numbers, dtype))[:, None]
            x = jnp.arange(1.0, len(numbers) + 1)[:, None]
            right = np.zeros(places)
            for number, value in zip(numbers, x.ravel(), strict=True):
                if 0 <= number < places:
                    right[number] = value
            for unpool in (jaxcnn.max_unpool, jaxcnn.reference.max_unpool):
                y, pull = jax.vjp(lambda x, unpool=unpool, i=indices, n=places: unpool(x, i, (n,)), x)
                np.testing.assert_array_equal(y.ravel(), right)
                dx = pull(jnp.ones_like(y))[0].ravel()
                np.testing.assert_array_equal(dx, [0 <= number < places for number in numbers])


@pytest.mark.parametrize("dtype", DTYPES)
def test_paddings_with_the_limits_of_a_dtype(dtype):
    """Pools pad with them too: the maximum with the lowest, the minimum with the largest."""
    with jax.enable_x64(True):
        lowest, largest = limits(dtype)
        x = jnp.asarray(np.array([[1], [2]], dtype))
        for value in (lowest, largest, largest - 1):
            padded = jaxcnn.pad(x, (1,), value=value)
            assert [int(n) for n in padded.ravel()] == [value, 1, 2, value]
        for value in (lowest - 1, largest + 1):
            with pytest.raises(
                ValueError, match=rf"value \(={value}\) must be a number of the dtype of x \(={dtype}\)"
            ):
                jaxcnn.pad(x, (1,), value=value)
        assert [int(n) for n in jaxcnn.max_pool(x, (1,), padding=1).ravel()] == [lowest, 1, 2, lowest]
        assert [int(n) for n in jaxcnn.min_pool(x, (1,), padding=1).ravel()] == [largest, 1, 2, largest]


def test_numbers_that_jax_would_take_for_others_are_refused():
    """Without 64 bits JAX makes 1 of NumPy's 2^32 + 1, which is a class."""
    far = np.array([2**32 + 1])
    with pytest.raises(ValueError, match=r"labels \(=4294967297\) must fit in int32, unless jax_enable_x64 is on"):
        integer_cross_entropy(jnp.zeros((1, 3)), far)
    with pytest.raises(ValueError, match=r"labels \(=-4294967295\) must fit in int32"):
        integer_cross_entropy(jnp.zeros((1, 3)), -far + 2)
    with pytest.raises(ValueError, match=r"indices \(=4294967297\) must fit in int32"):
        jaxcnn.max_unpool(jnp.ones((1, 1)), far[:, None], (3,))
    with pytest.raises(TypeError, match=r"labels \(=\[4294967297\]\) must be an array of numbers"):
        integer_cross_entropy(jnp.zeros((1, 3)), [2**32 + 1])
    with jax.enable_x64(True):
        assert np.isnan(integer_cross_entropy(jnp.zeros((1, 3)), far)).all()
        np.testing.assert_array_equal(jaxcnn.max_unpool(jnp.ones((1, 1)), far[:, None], (3,)), 0)
    np.testing.assert_allclose(integer_cross_entropy(jnp.zeros((1, 3)), np.array([1])), math.log(3), rtol=1e-6)
