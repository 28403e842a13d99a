import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.training import make_optimizer, make_schedule


def rates(name, steps, total):
    schedule = make_schedule(name, 0.3, total)
    return [float(schedule(step)) for step in steps]


def test_constant_stays():
    assert rates("constant", [0, 7, 100], 100) == pytest.approx([0.3] * 3)


def test_cosine_falls_from_the_rate_to_nothing():
    expected = [0.3 * (1 + np.cos(np.pi * step / 100)) / 2 for step in (0, 10, 50, 99, 100)]
    assert rates("cosine", [0, 10, 50, 99, 100], 100) == pytest.approx(expected, rel=1e-4, abs=1e-8)


def test_onecycle_rises_for_30_percent_and_falls_for_the_rest():
    def between(start, end, part):
        return end + (start - end) * (1 + np.cos(np.pi * part)) / 2

    low, high, last = 0.3 / 25, 0.3, 0.3 / 25 / 1e4
    expected = [low, between(low, high, 0.5), high, between(high, last, 0.5), between(high, last, 69 / 70)]
    assert rates("onecycle", [0, 15, 30, 65, 99], 100) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["constant", "cosine", "onecycle"])
@pytest.mark.parametrize("total", [1, 2, 3, 4, 10])
def test_short_runs_have_rates_between_0_and_the_highest(name, total):
    values = rates(name, range(total), total)
    assert np.isfinite(values).all()
    assert min(values) > 0
    assert max(values) <= 0.3 * (1 + 1e-6)


@pytest.mark.parametrize(
    ("name", "first", "second"),
    # With the gradient 2 throughout: sgd moves by -rate * 2; momentum adds 0.9 of the move before; adam moves by the
    # rate whatever the size of the gradient; adamw takes rate * 1e-4 of the parameter besides.
    [
        ("sgd", 1 - 0.2, 1 - 0.4),
        ("momentum", 1 - 0.2, 1 - 0.2 - 0.2 * 1.9),
        ("adam", 1 - 0.1, 1 - 0.2),
        ("adamw", 1 - 0.1 - 1e-5, (1 - 0.1 - 1e-5) * (1 - 1e-5) - 0.1),
    ],
)
def test_the_first_two_steps_of_each_optimizer(name, first, second):
    with jax.enable_x64(True):
        optimizer = make_optimizer(name, 0.1)
        w = jnp.ones((), jnp.float64)
        opt_state = optimizer.init(w)
        for expected in (first, second):
            updates, opt_state = optimizer.update(jnp.full((), 2.0, jnp.float64), opt_state, w)
            w = w + updates
            assert float(w) == pytest.approx(expected, rel=1e-7)


def test_an_optimizer_follows_a_schedule():
    optimizer = make_optimizer("sgd", make_schedule("cosine", 1.0, 2))
    opt_state = optimizer.init(jnp.ones(()))
    moves = []
    for _ in range(2):
        updates, opt_state = optimizer.update(jnp.ones(()), opt_state)
        moves.append(float(updates))
    assert moves == pytest.approx([-1.0, -0.5])


def test_unknown_names_are_errors():
    with pytest.raises(ValueError, match=r"name \(='lion'\) must be one of 'sgd', 'momentum', 'adam', 'adamw'"):
        make_optimizer("lion", 0.1)
    with pytest.raises(ValueError, match=r"name \(='linear'\) must be one of 'constant', 'cosine', 'onecycle'"):
        make_schedule("linear", 0.1, 10)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_learning_rate_that_is_not_positive_and_finite_is_an_error(rate):
    with pytest.raises(ValueError, match=rf"learning_rate \(={rate}\) must be positive and finite"):
        make_schedule("constant", rate, 10)


def test_a_schedule_over_no_steps_is_an_error():
    with pytest.raises(ValueError, match=r"total_steps \(=0\) must be at least 1"):
        make_schedule("cosine", 0.1, 0)
