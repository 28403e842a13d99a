import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.benchmark import measure, runs
from jaxcnn.benchmark.measure import Effort, Pair, Subject
from jaxcnn.benchmark.timing import Ratio, Statistics

QUICK = Effort(repeats=2, seconds=0.0)


def make(manual, jax_grad=None, **options):
    args = [jnp.arange(12.0).reshape(3, 4)]
    return Subject("a row", "all", "3,4", 12, manual, jax_grad or manual, args, **options)


def test_equal_programs_are_known_to_be_equal():
    result = measure.measure(make(lambda x: jnp.sin(x) + 1, lambda the_input: jnp.sin(the_input) + 1), QUICK)
    assert result.default.same_program is True
    assert result.best.same_program is True
    assert result.eager.same_program is None
    assert result.relative_error == 0
    assert result.best_options == {"manual": "default", "jax_grad": "default"}
    assert result.default.manual.samples == result.eager.jax_grad.samples == 2
    assert set(result.compile_seconds) == set(result.temp_bytes) == {"manual", "jax_grad"}
    assert json.loads(json.dumps(result.to_dict()))["default"]["ratio"]["median"] > 0
    assert (result.torch, result.torch_ratio, result.torch_format) == (None, None, None)


def test_different_programs_are_compared():
    result = measure.measure(
        make(lambda x: (x * 1.5, x), lambda x: (x * 2, x)), dataclasses.replace(QUICK, eager=False)
    )
    assert result.default.same_program is False
    assert result.relative_error == pytest.approx(0.25)
    assert result.eager is None


def test_what_is_switched_off_is_not_measured():
    result = measure.measure(make(jnp.sin), Effort(repeats=1, seconds=0, best=False, eager=False))
    assert result.best is None
    assert result.eager is None


def test_a_peer_takes_turns():
    result = measure.measure(make(jnp.sin), dataclasses.replace(QUICK, eager=False), (lambda _: 0.5, "contiguous"))
    assert result.torch.median == 500
    assert result.torch_ratio.median > 1
    assert result.torch_format == "contiguous"


def test_slower_is_an_interval_wholly_below_and_programs_that_differ():
    time = Statistics(1, 1, 1, 7)

    def pair(high, same):
        return Pair(time, time, Ratio(0.5, 0.4, high), same)

    assert pair(0.94, False).slower
    assert pair(0.94, None).slower
    assert not pair(0.96, False).slower
    assert not pair(0.94, True).slower


def test_relative_error_is_by_the_largest_element_of_each_array_or_of_all():
    judge = [np.array([1.0, 100.0]), np.array([1e-3])]
    results = [np.array([2.0, 100.0]), np.array([2e-3])]
    assert measure.relative_error(results, judge) == pytest.approx(1)
    assert measure.relative_error(results, judge, as_whole=True) == pytest.approx(0.01)
    assert measure.relative_error([np.zeros(2)], [np.zeros(2)]) == 0
    assert measure.relative_error([np.ones(2)], [np.zeros(2)]) == 1
    assert np.isnan(measure.relative_error([np.array([np.nan])], [np.ones(1)]))


def test_items_are_chosen_by_name_and_part():
    assert {item.part for item in runs.items("ops", "stride 2", ("dx", "all"))} == {"dx", "all"}
    assert {item.row.name for item in runs.items("ops", "stride 2")} == {
        "stride 2",
        "1x1 stride 2",
        "7x7 stride 2",
        "depthwise x2 stride 2",
    }
    assert [(item.row.name, item.part) for item in runs.items("models", "Net", ("step", "hvp"))] == [
        ("LeNet", "step"),
        ("LeNet", "hvp"),
        ("ResNet-18", "step"),
        ("MobileNetV2", "step"),
    ]
    assert {item.part for item in runs.items("scaling")} == {"all"}
    assert runs.items("ops", "no such row") == []


def test_a_run_goes_on_where_the_peer_cannot(monkeypatch):
    class Peer:
        def prepare(self, *_):
            raise runs.PeerError("torch: no such layer")

    seen = []
    monkeypatch.setattr(runs, "measure", lambda subject, *_: seen.append(subject) or "measured")
    warnings = []
    chosen = runs.items("ops", "softmax_cross_entropy, int", ("forward", "all"))
    assert list(runs.run(chosen, QUICK, Peer(), warnings.append)) == ["measured"] * 2
    assert warnings[0] == "softmax_cross_entropy, int, forward: torch: no such layer"
    assert [(s.part, s.work, len(s.args)) for s in seen] == [("forward", 1024000, 2), ("all", 1024000, 3)]
