import jax
import numpy as np
import pytest

from jaxcnn.training import count_steps, scale_images, shuffled_batches


@pytest.mark.parametrize(("batch_size", "sizes"), [(4, [4, 4, 2]), (5, [5, 5]), (10, [10]), (64, [10])])
def test_every_example_comes_once_with_its_label(batch_size, sizes):
    images, labels = np.arange(30).reshape(10, 3), np.arange(10) + 100
    batches = list(shuffled_batches(images, labels, batch_size, jax.random.key(0)))
    assert [len(labels) for _, labels in batches] == sizes
    assert sorted(np.concatenate([labels for _, labels in batches])) == list(range(100, 110))
    for some_images, some_labels in batches:
        np.testing.assert_array_equal(some_images, images[some_labels - 100])


def test_the_order_is_a_function_of_the_key():
    images = labels = np.arange(50)

    def order(seed):
        return [label for _, labels_ in shuffled_batches(images, labels, 7, jax.random.key(seed)) for label in labels_]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != sorted(order(1))


def test_the_order_is_the_same_in_float64():
    labels = np.arange(50)
    narrow = [batch.tolist() for _, batch in shuffled_batches(labels, labels, 7, jax.random.key(3))]
    with jax.enable_x64(True):
        wide = [batch.tolist() for _, batch in shuffled_batches(labels, labels, 7, jax.random.key(3))]
    assert narrow == wide


def test_batches_that_cannot_be_made_are_errors():
    with pytest.raises(ValueError, match=r"batch_size \(=0\) must be at least 1"):
        shuffled_batches(np.zeros(3), np.zeros(3), 0, jax.random.key(0))
    with pytest.raises(ValueError, match=r"images \(=3\) and labels \(=4\) must be equally many"):
        shuffled_batches(np.zeros(3), np.zeros(4), 1, jax.random.key(0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scaled_images_lie_between_0_and_1(small_data, dtype):
    data = small_data._replace(train_images=np.array([0, 51, 255], np.uint8), test_images=np.array([[102]], np.uint8))
    scaled = scale_images(data, dtype)
    assert scaled.train_images.dtype == scaled.test_images.dtype == dtype
    np.testing.assert_array_equal(scaled.train_images, np.array([0, 0.2, 1], dtype))
    np.testing.assert_array_equal(scaled.test_images, np.array([[0.4]], dtype))
    assert scaled.train_labels is data.train_labels


def test_images_that_were_scaled_before_are_an_error(small_data):
    with pytest.raises(TypeError, match=r"train_images dtype \(=float32\) must be uint8"):
        scale_images(small_data)


def test_images_are_scaled_to_a_floating_dtype_only(small_data):
    with pytest.raises(TypeError, match=r"dtype \(=uint8\) must be a floating dtype"):
        scale_images(small_data, np.uint8)


@pytest.mark.parametrize(
    ("arguments", "steps"),
    [((10, 5, 3), 6), ((10, 4, 3), 9), ((3, 128, 2), 2), ((10, 4, 3, 5), 5), ((10, 4, 3, 100), 9)],
)
def test_steps_are_counted_with_the_short_ones(arguments, steps):
    assert count_steps(*arguments) == steps


@pytest.mark.parametrize("name", ["examples", "batch_size", "epochs", "max_steps"])
def test_a_count_below_one_is_an_error(name):
    arguments = {"examples": 1, "batch_size": 1, "epochs": 1, "max_steps": 1, name: 0}
    with pytest.raises(ValueError, match=rf"{name} \(=0\) must be at least 1"):
        count_steps(**arguments)
