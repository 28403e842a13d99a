import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests import checks
from tests.oracles.norms import oracle


class TestRunningStatistics(checks.OpChecks):
    ops = ("running_statistics",)
    oracle = staticmethod(oracle)


ZERO, ONE = jnp.zeros(2), jnp.ones(2)


def drawn(shape=(4, 5, 2), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_batch_norm_in_training_and_at_inference():
    """Momentum 0 takes the step alone: its mean, and the unbiased variance of NumPy."""
    x = drawn()
    _, mean, variance = jaxcnn.batch_norm(x)
    new = jaxcnn.running_statistics(ZERO, ONE, mean, variance, momentum=0.0, count=20)
    np.testing.assert_allclose(new[0], x.mean((0, 1)), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(new[1], x.var((0, 1), ddof=1), rtol=1e-5)
    biased = jaxcnn.running_statistics(ZERO, ONE, mean, variance, momentum=0.0)
    np.testing.assert_allclose(biased[1], x.var((0, 1)), rtol=1e-5)
    y, *_ = jaxcnn.batch_norm(x, mean=new[0], variance=new[1], epsilon=1e-9)
    np.testing.assert_allclose(np.std(y, (0, 1), ddof=1), 1, rtol=1e-5)


def test_instance_norm_averages_over_examples():
    x = drawn()
    y, mean, variance = jax.vmap(jaxcnn.batch_norm)(x)
    np.testing.assert_allclose(y, jaxcnn.instance_norm(x, epsilon=1e-5), atol=1e-6)
    new = jaxcnn.running_statistics(ONE, ONE, mean, variance, momentum=0.5, count=5)
    np.testing.assert_allclose(new[0], (1 + x.mean(1).mean(0)) / 2, rtol=1e-5)
    np.testing.assert_allclose(new[1], (1 + x.var(1, ddof=1).mean(0)) / 2, rtol=1e-5)


def test_the_elements_of_all_devices_count():
    x = drawn()

    def step(x):
        _, mean, variance = jaxcnn.batch_norm(x, axis_name="lanes")
        return jaxcnn.running_statistics(ZERO, ONE, mean, variance, momentum=0.0, count=5, axis_name="lanes")

    _, variance = jax.vmap(step, axis_name="lanes")(x)
    np.testing.assert_allclose(variance, np.tile(x.var((0, 1), ddof=1), (4, 1)), rtol=1e-5)
    lane = jax.vmap(lambda v: jaxcnn.running_statistics(ZERO, ONE, v, v, count=1, axis_name="lanes"), axis_name="lanes")
    assert np.isfinite(lane(jnp.ones((4, 2)))[1]).all()


def test_counts_of_a_mask():
    """A count an example and channel; where it is below 2 the variance, 0, stays 0."""
    counts = jnp.array([[3, 1], [2, 0]])
    variance = jnp.array([[2.0, 0.0], [4.0, 0.0]])
    fn = jax.jit(lambda n, v: jaxcnn.running_statistics(ZERO, ZERO, v, v, momentum=0.0, count=n))
    np.testing.assert_allclose(fn(counts, variance)[1], [(2 * 3 / 2 + 4 * 2) / 2, 0], rtol=1e-6)


def test_half_precision_averages_keep_their_dtype():
    new = jaxcnn.running_statistics(ZERO.astype(jnp.bfloat16), ONE, ONE, ONE, momentum=0.5)
    assert [a.dtype for a in new] == [jnp.bfloat16, jnp.float32]


@pytest.mark.parametrize(
    ("arrays", "options", "error", "message"),
    [
        ((ZERO, ONE[:1], ZERO, ONE), {}, ValueError, r"running_variance shape \(=\(1,\)\) must equal running_mean shape"),
        ((ZERO, ONE, ZERO[:1], ONE[:1]), {}, ValueError, r"mean shape \(=\(1,\)\) and variance shape \(=\(1,\)\) must be"),
        ((ZERO, ONE, ZERO, ONE[:1]), {}, ValueError, r"variance shape \(=\(1,\)\) must be \[\*batch, C\]"),
        ((ZERO, ONE, ZERO, ONE), {"momentum": 1.5}, ValueError, r"momentum \(=1.5\) must be from 0 to 1"),
        ((ZERO, ONE, ZERO, ONE), {"momentum": "1"}, TypeError, r"momentum \(='1'\) must be a static number"),
        ((ZERO, ONE, ZERO, ONE), {"count": 1}, ValueError, r"count \(=1\) must be at least 2"),
        ((ZERO, ONE, ZERO, ONE), {"count": 2.0}, TypeError, r"count dtype \(=float32\) must be an integer dtype"),
        ((ZERO, ONE, ZERO, ONE), {"count": jnp.ones(3, int)}, ValueError, r"count shape \(=\(3,\)\) must broadcast"),
        ((ZERO, ONE, ZERO.astype(int), ONE), {}, TypeError, r"mean dtype \(=int32\) must be a floating dtype"),
    ],
)  # fmt: skip
def test_errors_name_argument_value_and_requirement(arrays, options, error, message):
    with pytest.raises(error, match=message):
        jaxcnn.running_statistics(*arrays, **options)
