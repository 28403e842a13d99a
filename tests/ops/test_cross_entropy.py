import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcnn
from tests import checks
from tests.oracles import losses

integer_cross_entropy = jaxcnn.softmax_cross_entropy_with_integer_labels


class TestCrossEntropies(checks.OpChecks):
    ops = ("softmax_cross_entropy", "softmax_cross_entropy_with_integer_labels")
    oracle = staticmethod(losses.oracle)


def test_values_are_those_of_optax():
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.standard_normal((3, 4, 5)), jnp.float32)
    labels = jax.nn.softmax(jnp.asarray(rng.standard_normal((3, 4, 5)), jnp.float32))
    where = jnp.asarray(rng.random((3, 4, 5)) < 0.6)
    for axis in (-1, 1, (0, 2)):
        for mask in (None, where, jnp.array([[[True]]])):
            mine = jaxcnn.softmax_cross_entropy(logits, labels, axis, mask)
            theirs = optax.softmax_cross_entropy(logits, labels, axis, mask)
            np.testing.assert_allclose(mine, theirs, rtol=1e-5)
            classes = np.prod(np.take(logits.shape, axis))
            numbers = jnp.asarray(rng.integers(0, classes, mine.shape))
            theirs = optax.softmax_cross_entropy_with_integer_labels(logits, numbers, axis, mask)
            np.testing.assert_allclose(integer_cross_entropy(logits, numbers, axis, mask), theirs, rtol=1e-5)
    np.testing.assert_allclose(
        jaxcnn.softmax_cross_entropy(logits, labels, None), optax.softmax_cross_entropy(logits, labels, None), rtol=1e-5
    )


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_a_ruled_out_class_costs_nothing(dtype):
    """optax gives nan here: 0 times -inf."""
    rtol = max(1e-6, float(jnp.finfo(dtype).eps))
    logits, labels = jnp.array([-jnp.inf, 0.0, 0.0], dtype), jnp.array([0.0, 1.0, 0.0], dtype)
    value, gradients = jax.value_and_grad(jaxcnn.softmax_cross_entropy, (0, 1))(logits, labels)
    assert float(value) == pytest.approx(math.log(2), rel=rtol)
    np.testing.assert_allclose(gradients[0].astype(float), [0, -0.5, 0.5], rtol=rtol)
    np.testing.assert_allclose(gradients[1].astype(float), [0, math.log(2), math.log(2)], rtol=rtol)
    hessian = jax.hessian(jaxcnn.softmax_cross_entropy)(logits, labels)
    np.testing.assert_allclose(hessian.astype(float), [[0, 0, 0], [0, 0.25, -0.25], [0, -0.25, 0.25]], rtol=rtol)
    assert jaxcnn.softmax_cross_entropy(logits, jnp.array([0.5, 0.5, 0.0], dtype)) == jnp.inf
    value, gradient = jax.value_and_grad(integer_cross_entropy)(logits, jnp.array(1))
    assert float(value) == pytest.approx(math.log(2), rel=rtol)
    np.testing.assert_allclose(gradient.astype(float), [0, -0.5, 0.5], rtol=rtol)


@pytest.mark.parametrize("integer", [False, True])
def test_a_ruled_out_class_with_weights_and_smoothing(integer):
    """A class weight of 0 lets a logit of -inf cost nothing, as label and under smoothing; another weight does not."""
    logits = jnp.array([-jnp.inf, 0.0, 0.0])

    def loss(logits, label, **options):
        labels = jnp.array(label) if integer else jax.nn.one_hot(label, 3)
        return (integer_cross_entropy if integer else jaxcnn.softmax_cross_entropy)(logits, labels, **options)

    free = {"class_weights": (0.0, 1.0, 3.0)}
    smoothed = free | {"label_smoothing": 0.75}
    for label, options, value, gradient in (
        (0, free, 0, [0, 0, 0]),
        (0, smoothed, math.log(2), [0, 0.25, -0.25]),
        (1, smoothed, 1.25 * math.log(2), [0, 0.125, -0.125]),
        (1, {"label_smoothing": 0.75}, math.inf, [-0.25, 0, 0.25]),
        (1, {"class_weights": (4, 2, 3)}, 2 * math.log(2), [0, -1, 1]),
    ):
        found, slope = jax.value_and_grad(loss)(logits, label, **options)
        np.testing.assert_allclose(found, value, rtol=1e-6)
        np.testing.assert_allclose(slope, gradient, rtol=1e-6, atol=1e-7)
        if math.isfinite(value):
            hessian = jax.hessian(lambda z, label=label, options=options: loss(z, label, **options) ** 2)(logits)
            assert np.isfinite(hessian).all()
            np.testing.assert_allclose(hessian, hessian.T, atol=1e-6)


def test_an_ignored_label_is_masked():
    """It may be any number that the dtype of labels holds; one that it cannot hold is nowhere."""
    logits = jnp.array([[0.0, 0.0], [jnp.nan, jnp.inf], [1.0, 1.0]])
    for ignored, dtype in ((-100, jnp.int32), (255, jnp.uint8), (1, jnp.int8)):
        labels = jnp.array([0, ignored, 0], dtype)

        def mean(z, labels=labels, ignored=ignored):
            return integer_cross_entropy(z, labels, ignore_index=ignored, reduction="mean")

        value, gradient = jax.value_and_grad(mean)(logits)
        assert value == pytest.approx(math.log(2))
        np.testing.assert_allclose(gradient, [[-0.25, 0.25], [0, 0], [-0.25, 0.25]], rtol=1e-6)
        assert np.isfinite(jax.hessian(lambda z, mean=mean: mean(z) ** 2)(logits)).all()
        assert np.isnan(integer_cross_entropy(jnp.ones((1, 2)), labels[1:2], ignore_index=ignored, reduction="mean"))
    plain = integer_cross_entropy(logits[:1], jnp.array([1], jnp.uint8), ignore_index=-100)
    np.testing.assert_allclose(plain, [math.log(2)], rtol=1e-6)
    where = jnp.array([[True, True], [True, True], [False, True]])
    both = integer_cross_entropy(logits, jnp.array([7, 7, 1]), where=where, ignore_index=7)
    np.testing.assert_array_equal(both, [0, 0, 0])


def test_class_weights_have_no_gradient():
    logits, labels = jnp.ones((2, 3)), jnp.array([0, 2])
    for fn, given in ((integer_cross_entropy, labels), (jaxcnn.softmax_cross_entropy, jax.nn.one_hot(labels, 3))):
        for ops in (fn, getattr(jaxcnn.reference, fn.__name__)):
            of_weights = jax.grad(lambda w, ops=ops, given=given: ops(logits, given, class_weights=w, reduction="sum"))
            np.testing.assert_array_equal(of_weights(jnp.array([1.0, 2.0, 3.0])), 0)


def test_large_logits_keep_their_digits():
    """The normaliser of [1e4, 1e4 + 1] is 1e4 + 1.31; in float32 the .31 would lose four digits."""
    value, gradient = jax.value_and_grad(integer_cross_entropy)(jnp.array([1e4, 1e4 + 1]), jnp.array(0))
    assert value == pytest.approx(1.3132617, rel=1e-6)
    np.testing.assert_allclose(gradient, [-0.7310586, 0.7310586], rtol=1e-6)


def test_an_empty_batch_has_no_losses():
    for fn, labels in ((jaxcnn.softmax_cross_entropy, jnp.ones((0, 5))), (integer_cross_entropy, jnp.ones(0, int))):
        loss, pull = jax.vjp(lambda z, fn=fn, labels=labels: fn(z, labels), jnp.ones((0, 5)))
        assert loss.shape == (0,)
        assert pull(loss)[0].shape == (0, 5)


def test_the_reference_bears_a_logit_of_minus_infinity_where_optax_does():
    logits, label = jnp.array([-jnp.inf, 0.0, 0.0]), jnp.array(1)
    assert jaxcnn.reference.softmax_cross_entropy_with_integer_labels(logits, label) == pytest.approx(math.log(2))


def test_labels_need_not_sum_to_one():
    logits, labels = jnp.array([1.0, 2.0]), jnp.array([3.0, 0.5])
    p = jax.nn.softmax(logits)
    np.testing.assert_allclose(jax.grad(jaxcnn.softmax_cross_entropy)(logits, labels), 3.5 * p - labels, rtol=1e-6)


def test_labels_of_other_dtypes_and_shapes():
    logits = jnp.array([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]])
    one_hot = jnp.array([[0, 1, 0], [1, 0, 0]])
    right = integer_cross_entropy(logits, jnp.array([1, 0], jnp.int8))
    np.testing.assert_allclose(jaxcnn.softmax_cross_entropy(logits, one_hot), right, rtol=1e-6)
    np.testing.assert_allclose(jaxcnn.softmax_cross_entropy(logits, one_hot == 1), right, rtol=1e-6)
    shared = jnp.array([[0.0, 1.0, 0.0]])
    same, dlabels = jax.value_and_grad(lambda w: jaxcnn.softmax_cross_entropy(logits, w).sum())(shared)
    np.testing.assert_allclose(same, integer_cross_entropy(logits, jnp.array([1, 1])).sum(), rtol=1e-6)
    np.testing.assert_allclose(dlabels, -jax.nn.log_softmax(logits).sum(0, keepdims=True), rtol=1e-6)
    many = jnp.zeros((1, 300)).at[0, 259].set(5.0)  # a label of one byte must not match 3 + 256
    value = integer_cross_entropy(many, jnp.array([3], jnp.uint8))
    np.testing.assert_allclose(value, integer_cross_entropy(many, jnp.array([3])), rtol=0)


@pytest.mark.parametrize("label", [-1, 3, 7, -3])
def test_a_label_that_is_no_class_gives_nan_and_never_wraps(label):
    value, gradient = jax.value_and_grad(lambda z: integer_cross_entropy(z, jnp.array([label, 1])).sum())(
        jnp.ones((2, 3))
    )
    assert np.isnan(value)
    assert np.isnan(gradient[0]).all()
    np.testing.assert_allclose(gradient[1], [1 / 3, -2 / 3, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize("labels", [jnp.array([[0.0, 1.0, 0.0]] * 2), jnp.array([1, 1])])
def test_where_takes_out_classes_and_examples(labels):
    fn = integer_cross_entropy if labels.ndim == 1 else jaxcnn.softmax_cross_entropy
    logits = jnp.array([[jnp.nan, 1.0, 2.0], [jnp.inf, jnp.nan, 0.0]])

    def total(z, where):
        return fn(z, labels, where=where).sum()

    by_class = jnp.array([[False, True, True], [False, False, False]])
    value, gradient = jax.value_and_grad(total)(logits, by_class)
    two = math.log(1 + math.exp(1))
    assert value == pytest.approx(two)
    p = 1 / (1 + math.exp(-1))
    np.testing.assert_allclose(gradient, [[0, -p, p], [0, 0, 0]], rtol=1e-6)
    by_example = jnp.array([True, False])
    value = total(jnp.array([[0.0, 0.0, 0.0], [jnp.nan, 0.0, 0.0]]), by_example)
    assert value == pytest.approx(math.log(3))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sums_over_many_classes_in_half_precision(dtype):
    logits = jnp.zeros((1, 65536), dtype)
    value, gradient = jax.value_and_grad(lambda z: integer_cross_entropy(z, jnp.array([5])).sum())(logits)
    assert value == jnp.asarray(math.log(65536), dtype)
    assert float(gradient[0, 0]) == pytest.approx(1 / 65536, rel=1e-2)


def test_residuals_are_the_operands_and_two_numbers_an_example():
    """Nor do options add any array of the size of the logits: there is no one-hot array."""
    logits, labels = jnp.ones((4, 5)), jnp.ones((4, 5))
    small = ["float32[4, 1]", "float32[4, 1]"]
    kept = checks.residuals(jaxcnn.softmax_cross_entropy, logits, labels)
    assert kept == sorted([*small, "float32[4, 5]", "float32[4, 5]"])
    kept = checks.residuals(lambda z: integer_cross_entropy(z, jnp.arange(4)), logits)
    assert kept == sorted([*small, "float32[4, 5]", "int32[4]"])
    options = {"class_weights": jnp.ones(5), "label_smoothing": 0.1, "ignore_index": 3}
    kept = checks.residuals(lambda z: integer_cross_entropy(z, jnp.arange(4), **options), logits)
    assert kept == sorted([*small, "float32[4, 5]", "int32[4]", "float32[1, 5]", "bool[4, 1]"])


Z = jnp.ones((4, 5))


@pytest.mark.parametrize(
    ("fn", "args", "options", "error", "message"),
    [
        (jaxcnn.softmax_cross_entropy, (Z, Z[:, :3]), {}, ValueError, r"labels shape \(=\(4, 3\)\) must broadcast"),
        (jaxcnn.softmax_cross_entropy, (jnp.zeros((3, 3)), [0, 1, 2]), {}, ValueError, r"labels shape \(=\(3,\)\) must broadcast to \(3, 3\) by axes of size 1; softmax_cross_entropy_with_integer_labels is for class numbers"),
        (jaxcnn.softmax_cross_entropy, (Z, jnp.array([[0], [1], [2], [3]])), {}, ValueError, r"labels shape \(=\(4, 1\)\) must be \(4, 5\) along the classes, for integers; softmax_cross_entropy_with"),
        (jaxcnn.softmax_cross_entropy, (Z[0], 2), {}, ValueError, r"labels shape \(=\(\)\) must broadcast to \(5,\)"),
        (jaxcnn.softmax_cross_entropy, (Z, Z[None]), {}, ValueError, r"labels shape \(=\(1, 4, 5\)\) must broadcast to \(4, 5\)"),
        (jaxcnn.softmax_cross_entropy, (Z.astype(int), Z), {}, TypeError, r"logits dtype \(=int32\) must be a floating"),
        (jaxcnn.softmax_cross_entropy, (Z, Z), {"axis": 2}, ValueError, r"axis \(=2\) must name different axes"),
        (jaxcnn.softmax_cross_entropy, (Z, Z), {"where": Z}, TypeError, r"where dtype \(=float32\) must be bool"),
        (jaxcnn.softmax_cross_entropy, (Z, Z), {"where": jnp.ones(5, bool)}, ValueError, r"where shape \(=\(5, 1\)\) must"),
        (jaxcnn.softmax_cross_entropy, (Z, 1j * Z.astype(complex)), {}, TypeError, r"labels dtype \(=complex64\) must be real"),
        (jaxcnn.softmax_cross_entropy, (Z[:, :0], Z[:, :0]), {}, ValueError, r"axis \(=-1\) must have elements"),
        (integer_cross_entropy, (Z, jnp.ones(4)), {}, TypeError, r"labels dtype \(=float32\) must be an integer dtype"),
        (integer_cross_entropy, (Z, jnp.ones(4, int)), {"label_smoothing": 1.5}, ValueError, r"label_smoothing \(=1.5\) must be from 0 to 1"),
        (integer_cross_entropy, (Z, jnp.ones(4, int)), {"label_smoothing": "a"}, TypeError, r"label_smoothing \(='a'\) must be a static"),
        (integer_cross_entropy, (Z, jnp.ones(4, int)), {"ignore_index": 1.5}, TypeError, r"ignore_index \(=1.5\) must be a static int"),
        (integer_cross_entropy, (Z, jnp.ones(4, int)), {"class_weights": Z}, ValueError, r"class_weights shape \(=\(4, 5\)\) must be \(5,\)"),
        (jaxcnn.softmax_cross_entropy, (Z, Z), {"class_weights": (1, 2)}, ValueError, r"class_weights shape \(=\(2,\)\) must be \(5,\)"),
        (jaxcnn.softmax_cross_entropy, (Z, Z), {"class_weights": "yes"}, TypeError, r"class_weights \(='yes'\) must be an array of numbers"),
        (integer_cross_entropy, (Z, jnp.ones(5, int)), {}, ValueError, r"labels shape \(=\(5,\)\) must be \(4,\)"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(fn, args, options, error, message):
    with pytest.raises(error, match=message):
        fn(*args, **options)
