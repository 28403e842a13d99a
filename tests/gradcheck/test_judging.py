import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.gradcheck.judging import Tolerance, Truth, judge, judge_slices, tolerance_of, truths, widened
from jaxcnn.gradcheck.terms import Roundings

EPS = float(np.finfo(np.float32).eps)


def exact(numbers, noise=0.0):
    numbers = np.asarray(numbers, np.float64)
    return Truth(numbers, np.full(numbers.shape, noise))


@pytest.mark.parametrize("terms", [16, 100, 25_088])
def test_the_tolerance_grows_with_the_square_root_of_the_terms(terms):
    tolerance = tolerance_of(jnp.float32, Roundings(terms, 3))
    assert tolerance == pytest.approx((np.sqrt(terms) * EPS, 4 * np.sqrt(terms) * EPS))
    double = tolerance_of(np.float64, Roundings(terms, 3))
    assert double.base == double.widest == pytest.approx(4 * np.sqrt(terms) * 2.0**-52)


def test_few_terms_leave_four_units():
    assert tolerance_of(jnp.float32, Roundings(0, 0)).base == 4 * EPS


@pytest.mark.parametrize(("dtype", "eps"), [(jnp.bfloat16, 2.0**-7), (jnp.float16, 2.0**-10)])
def test_half_precision_is_rounded_once_whatever_the_terms(dtype, eps):
    tolerance = tolerance_of(dtype, Roundings(65_536, 4))
    assert tolerance.base == pytest.approx(2 * eps + 4 * 256 * EPS)
    assert tolerance.widest == pytest.approx(4 * 2 * eps + 4 * 256 * EPS)


@pytest.mark.parametrize(
    ("twin", "expected"),
    [(None, (1.0, False)), (0.1, (1.0, False)), (1.5, (3.0, False)), (3.9, (4.0, False)), (4.1, (1.0, True))],
)
def test_the_twin_widens_the_tolerance_until_it_is_the_odd_one(twin, expected):
    assert widened(Tolerance(1.0, 4.0), twin) == expected
    assert widened(Tolerance(1.0, 4.0), np.nan) == (1.0, True)


def test_each_slice_is_judged_by_its_own_scale():
    truth = np.array([[1.0, 1e-7], [2.0, 2e-7], [-4.0, -4e-7]])
    wrong = truth * np.array([[1, -1]])
    verdict = judge_slices(wrong, exact(truth), np.float32)
    assert (verdict.difference, verdict.scale, verdict.position) == (2.0, pytest.approx(4e-7), (2, 1))
    assert judge(wrong, exact(truth), np.float32).difference == pytest.approx(2e-7)
    assert judge_slices(wrong.T, exact(truth.T), np.float32).difference == 2.0


def test_a_slice_below_the_noise_is_judged_by_it():
    """What is left of terms of size 1 that cancel is right to their rounding only."""
    noisy = Truth(np.array([1.0, 1e-9]), np.array([0.0, 1.0]))
    assert judge_slices(np.array([1.0, 3e-9]), noisy, np.float32).difference == pytest.approx(2e-9)
    assert judge_slices(np.array([1.0, 3e-9]), exact(noisy.numbers), np.float32).difference == pytest.approx(2)


def test_numbers_that_are_not_finite_must_be_the_same():
    truth = exact([1.0, np.nan, np.inf])
    assert judge(truth.numbers, truth, np.float32).difference == 0
    for wrong in ([1.0, 0.0, np.inf], [1.0, np.nan, -np.inf], [np.nan, np.nan, np.inf]):
        assert judge(np.array(wrong), truth, np.float32).difference == np.inf


def test_what_the_dtype_flushes_to_zero_is_no_difference():
    assert judge(np.zeros(2), exact([1e-40, 0.0]), np.float32).difference < EPS
    assert judge(np.zeros(2), exact([1e-20, 0.0]), np.float32).difference == 1
    assert judge(np.zeros((0, 2)), exact(np.zeros((0, 2))), np.float32).difference == 0


def test_the_noise_is_how_far_moved_numbers_move_the_result():
    eps = 2.0**-52
    (truth,) = truths([np.array([0.0, 1.0])], [[np.array([3 * eps, 1.0])], [np.array([-3 * eps, 1.0])]])
    np.testing.assert_allclose(truth.noise, [6, 0])


def test_a_number_that_jumps_shows_no_noise():
    """A tie that a moved argument resolves in another way says nothing about rounding."""
    numbers = [np.array([1.0, 0.0]), np.array([1e-8])]
    (first, second) = truths(numbers, [[np.array([0.0, 1.0]), np.array([-1e-8])]])
    np.testing.assert_array_equal(first.noise, 0)
    np.testing.assert_array_equal(second.noise, 0)


def test_a_slice_that_is_zero_is_judged_by_the_noise_of_the_array():
    """Float64 may be lucky where a narrower dtype is not."""
    lucky = Truth(np.array([[1.0, 0.0], [0.5, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert judge_slices(np.array([[1.0, 1e-8], [0.5, 0.0]]), lucky, np.float32).difference == pytest.approx(1e-8)
    assert judge_slices(np.array([[1.0, 1e-3], [0.5, 0.0]]), lucky, np.float32).difference == pytest.approx(1e-3)
