"""Time functions in turns, and say how sure the result is.

One process drifts: the same convolution had medians from 15.6 to 29.6 ms within half an hour. So what is compared is
timed in turns, round by round, and judged by the ratios within the rounds. With the rounds' ratios r_1 ... r_n, the
estimate is their median, and its 95 % interval is that of the medians of n ratios drawn from them with replacement
(the percentile bootstrap).

References: Efron and Tibshirani 1993, "An Introduction to the Bootstrap".
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

Sampler = Callable[[int], float]
"""`seconds = sampler(calls)`: run something so many times, one after the other, and return the seconds a call.

For more than one call it is run once before, untimed: what is fast is timed with its data in the cache, and with its
threads awake.
"""

SAMPLE_SECONDS = 4e-3  # a sample of something faster repeats it for about so long
SLOW_SECONDS = 0.1  # what takes longer is warm after one run
LEAST_ROUNDS = 7
RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Statistics:
    """The samples of one function, in milliseconds a call: median, quartiles, and how many there are."""

    median: float
    low: float
    high: float
    samples: int

    @property
    def spread(self) -> float:
        """The distance between the quartiles, as a part of the median."""
        return (self.high - self.low) / self.median


@dataclasses.dataclass(frozen=True)
class Ratio:
    """The median of paired ratios and its 95 % bootstrap interval."""

    median: float
    low: float
    high: float


def summarize(seconds: Sequence[float] | np.ndarray) -> Statistics:
    """Return the statistics of samples that are in seconds."""
    low, median, high = np.percentile(np.asarray(seconds) * 1e3, [25, 50, 75])
    return Statistics(float(median), float(low), float(high), len(seconds))


def paired_ratio(numerators: Sequence[float] | np.ndarray, denominators: Sequence[float] | np.ndarray) -> Ratio:
    """Return the median ratio of samples that were taken in the same rounds, with its interval.

    Args:
      numerators: one sample a round.
      denominators: the samples of the other function in these rounds.
    """
    ratios = np.asarray(numerators, np.float64) / np.asarray(denominators, np.float64)
    drawn = np.random.default_rng(0).integers(len(ratios), size=(RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(ratios[drawn], axis=1), [2.5, 97.5])
    return Ratio(float(np.median(ratios)), float(low), float(high))


def interleave(
    samplers: Mapping[str, Sampler],
    *,
    repeats: int,
    seconds: float,
    rest: float = 0.0,
    least: int = LEAST_ROUNDS,
) -> dict[str, np.ndarray]:
    """Time functions in turns, round after round, each one first in its turn, every other round backwards.

    So none of two has always what the other has not: PyTorch's process before it, which takes the caches. Without the
    way back, equal programs had a median ratio of 0.955.

    Args:
      samplers: what to time, by name. Each is run before, and that says how many calls make a sample.
      repeats: the most rounds.
      seconds: stop after so long, once there are `least` rounds (or `repeats`, if that is fewer).
      rest: how long to wait after each sample, for the threads of another process to come to rest.
      least: the fewest rounds, however slow they are.

    Returns:
      The seconds a call, one element a round, by name.
    """
    calls = {}
    for name, sampler in samplers.items():
        once = sampler(1)
        once = once if once > SLOW_SECONDS else min(sampler(1), sampler(2))
        calls[name] = max(1, math.ceil(SAMPLE_SECONDS / max(once, 1e-7)))
    names = list(samplers)
    rounds: list[dict[str, float]] = []
    start = time.perf_counter()
    while len(rounds) < repeats:
        if len(rounds) >= least and time.perf_counter() - start > seconds:
            break
        first = len(rounds) // 2 % len(names)
        order = names[first:] + names[:first]
        taken = {}
        for name in order if len(rounds) % 2 == 0 else reversed(order):
            taken[name] = samplers[name](calls[name])
            if rest:
                time.sleep(rest)
        rounds.append(taken)
    return {name: np.array([taken[name] for taken in rounds]) for name in names}


def sampler_of(function: Callable[..., Any], args: Sequence[Any]) -> Sampler:
    """Return a sampler of a JAX function, which waits for the result of every call."""

    def sample(calls: int) -> float:
        if calls > 1:
            jax.block_until_ready(function(*args))
        start = time.perf_counter()
        for _ in range(calls):
            jax.block_until_ready(function(*args))
        return (time.perf_counter() - start) / calls

    return sample
