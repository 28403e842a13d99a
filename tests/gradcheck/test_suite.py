import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.gradcheck import suite
from jaxcnn.gradcheck.cases import CASES, Case, Distinct, Normal, Weights


def test_a_right_op_passes_in_every_dtype_with_finite_differences_in_float64():
    case = Case("dense", "small", (Normal((2, 3)), Normal((3, 2)), Normal((2,))))
    outcomes = list(suite.run([case], ("float64", "float32", "bfloat16", "float16")))
    assert [outcome.dtype for outcome in outcomes] == ["float64", "float32", "bfloat16", "float16"]
    assert all(outcome.ok for outcome in outcomes)
    assert set(outcomes[0].finite_differences) == {"x", "kernel", "bias"}
    assert max(outcomes[0].finite_differences.values()) < 1e-8
    assert all(not outcome.finite_differences for outcome in outcomes[1:])
    document = outcomes[0].to_dict()
    assert (document["name"], document["dtype"], document["ok"]) == ("dense small", "float64", True)
    kinds = [row["kind"] for row in document["rows"]]
    assert kinds == ["value", "value in vjp", *["gradient"] * 3, *["second order"] * 4]


def test_an_op_of_several_results_is_checked_in_all_of_them():
    case = Case("batch_norm", "small", (Normal((3, 2)),))
    outcomes = list(suite.run([case]))
    assert all(outcome.ok for outcome in outcomes)
    for outcome in outcomes:
        assert [row.path for row in outcome.report.rows if row.kind == "value"] == ["output.0", "output.1", "output.2"]
    assert outcomes[0].finite_differences["x"] < 1e-8


def test_finite_differences_find_what_manual_and_auto_agree_on(monkeypatch):
    monkeypatch.setattr(suite, "finite_difference_gradient", lambda *args: np.full(len(args[-1]), 0.5))
    (outcome,) = suite.run([Case("relu", "small", (Distinct((5,)),))], ("float64",))
    assert outcome.report.ok
    assert not outcome.ok
    assert not outcome.differences_ok("x")


def test_the_tutorial_network_is_a_subject():
    network = next(subject for subject in suite.SUBJECTS if subject.name == "tutorial")
    outcomes = list(suite.run([network]))
    assert all(outcome.ok for outcome in outcomes)
    assert "params.conv1.kernel" in outcomes[0].finite_differences
    assert {subject.name for subject in suite.SUBJECTS} >= {case.name for case in CASES} | {"lenet", "tutorial"}


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16, np.float16])
def test_distinct_numbers_stay_distinct_and_away_from_zero(dtype):
    drawn = np.asarray(Distinct((2, 5, 4, 3)).draw(np.random.default_rng(0)), dtype)
    assert len(np.unique(drawn)) == drawn.size
    assert np.abs(drawn.astype(np.float64)).min() == 1 / 128


def test_distinct_numbers_are_as_far_from_every_multiple_of_their_step():
    drawn = Distinct((2, 5, 4, 3), step=1 / 8).draw(np.random.default_rng(0))
    np.testing.assert_array_equal(np.abs(drawn * 8 - np.floor(drawn * 8)), 0.5)
    assert drawn.max() > 7


def test_weights_sum_to_one():
    np.testing.assert_allclose(Weights((4, 5)).draw(np.random.default_rng(0)).sum(-1), 1)
