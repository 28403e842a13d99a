import json
import signal
import threading

import jax
import numpy as np
import optax
import pytest

import jaxcnn
from jaxcnn.training import (
    MetricsFile,
    fit,
    init_train_state,
    load_parameters,
    make_evaluate,
    make_schedule,
    make_train_step,
    save_parameters,
)

LOSS = jaxcnn.softmax_cross_entropy_with_integer_labels
SCHEDULE = make_schedule("cosine", 0.5, 9)


class Job:
    """A run of a model on the small data, which tests change in one place or another."""

    def __init__(self, model, data):
        optimizer = optax.adam(SCHEDULE)
        params, model_state = model.init(jax.random.key(0), (4, 4, 1))
        self.data = data
        self.train_step = make_train_step(model, LOSS, optimizer)
        self.evaluate = make_evaluate(model, LOSS, batch_size=5)
        self.state = init_train_state(params, model_state, optimizer)

    def run(self, **options):
        options = {"key": jax.random.key(1), "epochs": 3, "batch_size": 8} | options
        return fit(self.train_step, self.evaluate, self.state, self.data, **options)


@pytest.fixture
def job(linear, small_data):
    return Job(linear, small_data)


@pytest.fixture
def python_handles_sigint():
    """What a program in the foreground begins with; a test run in the background may ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class PressAt:
    """A progress that has Ctrl-C pressed in the middle of the given steps."""

    def __init__(self, *steps):
        self.steps, self.taken = steps, 0

    def advance(self, images):
        self.taken += 1
        if self.taken in self.steps:
            signal.raise_signal(signal.SIGINT)

    def finish_epoch(self, record):
        pass


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def same(a, b):
    return jax.tree.all(jax.tree.map(lambda x, y: bool((x == y).all()), a, b))


def test_every_step_and_epoch_is_recorded(job, tmp_path):
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        result = job.run(metrics=metrics, learning_rate=SCHEDULE)
    records = read(metrics.path)
    assert [record["kind"] for record in records] == ["step", "step", "step", "epoch"] * 3
    steps = [record for record in records if record["kind"] == "step"]
    assert [set(step) for step in steps] == [{"kind", "step", "epoch", "loss", "learning_rate"}] * 9
    assert [step["step"] for step in steps] == list(range(9))
    assert [step["epoch"] for step in steps] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [step["learning_rate"] for step in steps] == pytest.approx([float(SCHEDULE(step)) for step in range(9)])
    epochs = [record for record in records if record["kind"] == "epoch"]
    assert epochs == result.epochs
    assert [(epoch["epoch"], epoch["steps"]) for epoch in epochs] == [(1, 3), (2, 6), (3, 9)]
    for number, epoch in enumerate(epochs):
        losses = [step["loss"] for step in steps[3 * number : 3 * number + 3]]
        assert epoch["train_loss"] == pytest.approx(np.dot(losses, [8, 8, 6]) / 22)
        assert epoch["images_per_second"] == pytest.approx(22 / epoch["seconds"])
    measured = job.evaluate(result.state.params, result.state.model_state, job.data.test_images, job.data.test_labels)
    assert (epochs[-1]["test_loss"], epochs[-1]["test_accuracy"]) == (measured["loss"], measured["accuracy"])
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"]
    assert not result.interrupted


def test_losses_are_recorded_however_many_are_fetched_together(job, tmp_path, monkeypatch):
    monkeypatch.setattr("jaxcnn.training.loop.STEPS_PER_FETCH", 4)
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        job.run(metrics=metrics, batch_size=2, max_steps=14)
    steps = [record for record in read(metrics.path) if record["kind"] == "step"]
    assert [step["step"] for step in steps] == list(range(14))
    assert [step["learning_rate"] for step in steps] == [None] * 14


@pytest.mark.parametrize("fails_at", [0, 1, 3])
def test_metrics_that_cannot_be_written_do_not_end_the_run(job, fails_at):
    error, written = OSError(28, "No space left on device"), []

    class Full:
        def write(self, *records):
            written.append(records)
            if len(written) > fails_at:
                raise error

    result = job.run(metrics=Full())
    assert result.metrics_error is error
    assert len(written) == fails_at + 1  # nothing is tried after that
    assert int(result.state.step) == 9
    whole = job.run()
    assert whole.metrics_error is None
    assert same(result.state.params, whole.state.params)
    assert [epoch["train_loss"] for epoch in result.epochs] == [epoch["train_loss"] for epoch in whole.epochs]


def test_other_errors_of_metrics_are_raised(job):
    class Broken:
        def write(self, *records):
            raise TypeError("not a record")

    with pytest.raises(TypeError, match="not a record"):
        job.run(metrics=Broken())


def test_every_example_is_trained_on_once_an_epoch(job):
    seen = []
    inner = job.train_step

    def train_step(state, images, labels, key):
        seen.append(images)
        return inner(state, images, labels, key)

    job.train_step = train_step
    job.run(epochs=2)
    assert [len(images) for images in seen] == [8, 8, 6] * 2
    expected = np.sort(job.data.train_images, axis=0)
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    np.testing.assert_array_equal(np.sort(first, axis=0), expected)
    np.testing.assert_array_equal(np.sort(second, axis=0), expected)
    assert (first != second).any()


def test_the_same_key_gives_the_same_numbers_bit_for_bit(job):
    first, second, other = (job.run(key=jax.random.key(seed)) for seed in (1, 1, 2))
    assert same(first.state, second.state)
    assert [epoch["train_loss"] for epoch in first.epochs] == [epoch["train_loss"] for epoch in second.epochs]
    assert not same(first.state.params, other.state.params)


def test_the_callers_state_can_still_be_used(job):
    before = jax.tree.map(np.array, job.state)
    job.run()
    assert same(job.state, before)


def test_a_run_can_go_on_from_a_state(job, tmp_path):
    job.state = job.run(epochs=1).state
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        result = job.run(epochs=1, metrics=metrics, learning_rate=SCHEDULE)
    steps = read(metrics.path)[:-1]
    assert [step["step"] for step in steps] == [3, 4, 5]
    assert steps[0]["learning_rate"] == pytest.approx(float(SCHEDULE(3)))
    assert int(result.state.step) == result.epochs[0]["steps"] == 6


@pytest.mark.parametrize(("max_steps", "epochs"), [(1, 1), (3, 1), (4, 2), (9, 3), (100, 3)])
def test_max_steps_ends_the_run_with_an_evaluation(job, max_steps, epochs):
    result = job.run(max_steps=max_steps)
    assert int(result.state.step) == min(max_steps, 9)
    assert len(result.epochs) == epochs
    assert not result.interrupted


def test_progress_is_told_about_every_step_and_epoch(job):
    told = []

    class Listener:
        def advance(self, images):
            told.append(images)

        def finish_epoch(self, record):
            told.append(f"epoch {record['epoch']}")

    job.run(epochs=2, progress=Listener())
    assert told == [8, 8, 6, "epoch 1", 8, 8, 6, "epoch 2"]


@pytest.mark.usefixtures("python_handles_sigint")
def test_ctrl_c_ends_the_run_with_what_was_trained(job, tmp_path):
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        result = job.run(metrics=metrics, progress=PressAt(5))
    assert result.interrupted
    assert int(result.state.step) == 5
    assert [record["kind"] for record in read(metrics.path)] == ["step", "step", "step", "epoch", "step", "step"]
    assert same(result.state, job.run(max_steps=5).state)
    save_parameters(tmp_path / "p.safetensors", result.state.params)
    assert same(load_parameters(tmp_path / "p.safetensors"), result.state.params)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("python_handles_sigint")
def test_ctrl_c_between_a_step_and_its_assignment_loses_nothing(job):
    inner = job.train_step

    def train_step(*args):
        result = inner(*args)
        signal.raise_signal(signal.SIGINT)
        return result

    job.train_step = train_step
    result = job.run()
    assert result.interrupted
    assert int(result.state.step) == 1
    assert np.isfinite(result.state.params["dense1"]["kernel"]).all()


@pytest.mark.usefixtures("python_handles_sigint")
def test_ctrl_c_during_the_evaluation_ends_the_run_after_it(job):
    inner = job.evaluate

    def evaluate(*args):
        signal.raise_signal(signal.SIGINT)
        return inner(*args)

    job.evaluate = evaluate
    result = job.run()
    assert result.interrupted
    assert (int(result.state.step), len(result.epochs)) == (3, 1)


@pytest.mark.usefixtures("python_handles_sigint")
def test_a_second_ctrl_c_is_a_keyboard_interrupt(job):
    class Twice(PressAt):
        def advance(self, images):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        job.run(progress=Twice())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_handler_of_sigint_is_left_in_place(job):
    def handler(number, frame):
        raise AssertionError("never called")

    during = []

    class Look(PressAt):
        def advance(self, images):
            during.append(signal.getsignal(signal.SIGINT))

    before = signal.signal(signal.SIGINT, handler)
    try:
        job.run(progress=Look(), epochs=1)
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert during == [handler] * 3


def test_it_runs_in_another_thread(job):
    results = []
    thread = threading.Thread(target=lambda: results.append(job.run()))
    thread.start()
    thread.join()
    assert int(results[0].state.step) == 9


@pytest.mark.parametrize("name", ["epochs", "batch_size", "max_steps"])
def test_a_count_below_one_is_an_error(job, name):
    with pytest.raises(ValueError, match=rf"{name} \(=0\) must be at least 1"):
        job.run(**{name: 0})


def test_labels_of_another_number_are_an_error(job):
    job.data = job.data._replace(train_labels=job.data.train_labels[:-1])
    with pytest.raises(ValueError, match=r"train_images \(=22\) and train_labels \(=21\) must be equally many"):
        job.run()
