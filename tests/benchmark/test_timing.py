import time

import numpy as np
import pytest

from jaxcnn.benchmark import timing


def test_summary_is_median_and_quartiles_in_milliseconds():
    statistics = timing.summarize([0.004, 0.001, 0.002, 0.003, 0.1])
    assert (statistics.median, statistics.low, statistics.high, statistics.samples) == pytest.approx((3, 2, 4, 5))
    assert statistics.spread == pytest.approx(2 / 3)


def test_a_ratio_of_pairs_does_not_see_what_slows_both():
    drift = np.linspace(1, 10, 15)
    ratio = timing.paired_ratio(3 * drift, 2 * drift)
    assert (ratio.median, ratio.low, ratio.high) == pytest.approx((1.5, 1.5, 1.5))


def test_the_interval_holds_the_truth_about_95_times_in_100():
    random = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        ratio = timing.paired_ratio(random.lognormal(0, 0.2, 25), np.ones(25))
        assert ratio.low <= ratio.median <= ratio.high
        hits += ratio.low <= 1 <= ratio.high
    assert 180 <= hits <= 200


def test_the_interval_is_the_same_every_time():
    samples = np.random.default_rng(1).lognormal(0, 0.2, 25)
    assert timing.paired_ratio(samples, np.ones(25)) == timing.paired_ratio(samples, np.ones(25))


class Clock:
    """A sampler that says how long it took, and remembers who was asked."""

    def __init__(self, name, seconds, log):
        self.name, self.seconds, self.log = name, seconds, log

    def __call__(self, calls):
        self.log.append((self.name, calls))
        return self.seconds


def test_turns_are_taken_in_rounds_and_each_is_first_in_its_turn():
    log = []
    samplers = {name: Clock(name, 1.0, log) for name in "abc"}
    taken = timing.interleave(samplers, repeats=6, seconds=60)
    assert [name for name, _ in log] == ["a", "b", "c", *"abc", *"cba", *"bca", *"acb", *"cab", *"bac"]
    assert {name: list(samples) for name, samples in taken.items()} == {name: [1.0] * 6 for name in "abc"}


def test_what_is_fast_is_repeated_until_a_sample_is_long_enough():
    log = []
    timing.interleave({"fast": Clock("fast", 1e-4, log), "slow": Clock("slow", 5e-3, log)}, repeats=1, seconds=0)
    assert log[-2:] == [("fast", round(timing.SAMPLE_SECONDS / 1e-4)), ("slow", 1)]


@pytest.mark.parametrize(("repeats", "least", "rounds"), [(50, 7, 7), (3, 7, 3), (50, 2, 2)])
def test_a_budget_that_is_spent_leaves_the_least_number_of_rounds(repeats, least, rounds):
    taken = timing.interleave({"a": Clock("a", 1.0, [])}, repeats=repeats, seconds=0.0, least=least)
    assert len(taken["a"]) == rounds


def test_a_sample_of_several_calls_runs_once_before_untimed():
    calls = []

    def function(x):
        calls.append(x)
        time.sleep(0.01)
        return x

    sample = timing.sampler_of(function, (1.0,))
    assert sample(1) >= 0.01
    assert len(calls) == 1
    assert sample(3) >= 0.01
    assert len(calls) == 5
