"""Optimizers and learning-rate schedules by name: a small table over optax."""

import math
from collections.abc import Callable
from typing import Any, Literal

import optax

OptimizerName = Literal["sgd", "momentum", "adam", "adamw"]
ScheduleName = Literal["constant", "cosine", "onecycle"]


def _constant(learning_rate: float, total_steps: int) -> optax.Schedule:
    del total_steps
    return optax.constant_schedule(learning_rate)


def _onecycle(learning_rate: float, total_steps: int) -> optax.Schedule:
    return optax.cosine_onecycle_schedule(total_steps, learning_rate)


OPTIMIZERS: dict[str, Callable[[Any], optax.GradientTransformation]] = {
    "sgd": optax.sgd,
    "momentum": lambda learning_rate: optax.sgd(learning_rate, momentum=0.9),
    "adam": optax.adam,
    "adamw": optax.adamw,
}
SCHEDULES: dict[str, Callable[[float, int], optax.Schedule]] = {
    "constant": _constant,
    "cosine": optax.cosine_decay_schedule,
    "onecycle": _onecycle,
}


def make_schedule(name: ScheduleName, learning_rate: float, total_steps: int) -> optax.Schedule:
    """Make a learning-rate schedule.

    Args:
      name: "constant"; "cosine", from `learning_rate` down to 0 along half a cosine; or "onecycle", up from a 25th of
        it during the first 30 % of the steps and then down to nearly 0, both along a cosine.
      learning_rate: the highest value that the schedule takes.
      total_steps: the length of the run in steps.

    Returns:
      A function from the number of the step, from 0 on, to its learning rate.

    Raises:
      ValueError: `name` is unknown, `learning_rate` is not positive and finite, or `total_steps` is less than 1.

    References:
      Loshchilov and Hutter 2017, arXiv:1608.03983 (cosine); Smith and Topin 2017, arXiv:1708.07120 (one cycle).

    Example:
      >>> schedule = make_schedule("cosine", 0.1, 100)
      >>> [round(float(schedule(step)), 4) for step in (0, 50, 100)]
      [0.1, 0.05, 0.0]
    """
    _check_name(name, SCHEDULES)
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate (={learning_rate}) must be positive and finite")
    if total_steps < 1:
        raise ValueError(f"total_steps (={total_steps}) must be at least 1")
    return SCHEDULES[name](learning_rate, total_steps)


def make_optimizer(name: OptimizerName, learning_rate: float | optax.Schedule) -> optax.GradientTransformation:
    """Make an optimizer with the defaults of optax.

    Args:
      name: "sgd"; "momentum", which is SGD with momentum 0.9; "adam"; or "adamw", with weight decay 1e-4.
      learning_rate: a number, or a schedule.

    Returns:
      An optax transformation.

    Raises:
      ValueError: `name` is unknown.

    References:
      Kingma and Ba 2014, arXiv:1412.6980 (adam); Loshchilov and Hutter 2017, arXiv:1711.05101 (adamw).
    """
    _check_name(name, OPTIMIZERS)
    return OPTIMIZERS[name](learning_rate)


def _check_name(name: str, table: dict[str, Any]) -> None:
    if name not in table:
        raise ValueError(f"name (={name!r}) must be one of {', '.join(map(repr, table))}")
