"""The loop over epochs and steps."""

import signal
import threading
import time
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxcnn.data import Dataset
from jaxcnn.training.batches import count_steps, shuffled_batches
from jaxcnn.training.evaluate import Evaluate
from jaxcnn.training.metrics import MetricsFile
from jaxcnn.training.progress import Progress
from jaxcnn.training.state import TrainState, own
from jaxcnn.training.step import TrainStep

# Losses stay on the device, so that it never waits for the host, and are fetched this many at a time.
STEPS_PER_FETCH = 50
# Steps are queued on the device, but no more than these, so that progress is true and Ctrl-C prompt.
STEPS_QUEUED = 4


class FitResult(NamedTuple):
    """What `fit` returns.

    Attributes:
      state: the state after the last step that was taken.
      epochs: the record of each epoch that was evaluated.
      interrupted: whether Ctrl-C ended the run.
      metrics_error: why records could not be written from some moment on, such as a full disk; None where all were.
    """

    state: TrainState
    epochs: list[dict[str, Any]]
    interrupted: bool
    metrics_error: OSError | None = None


def fit(
    train_step: TrainStep,
    evaluate: Evaluate,
    state: TrainState,
    data: Dataset,
    *,
    key: jax.Array,
    epochs: int,
    batch_size: int,
    max_steps: int | None = None,
    learning_rate: optax.Schedule | None = None,
    metrics: MetricsFile | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Train for some epochs, and evaluate on the whole test set after each.

    An epoch goes through every training example once, in an order drawn from `key`. Where `batch_size` does not divide
    their number, the last step of the epoch takes the ones that are left over, and is compiled for them. The same
    arguments give the same numbers, bit for bit, on the same machine.

    Ctrl-C ends the run after the steps that are under way, and a second one at once, with a KeyboardInterrupt. That
    holds in the main thread, where Python's own handler of SIGINT is in place; any other is left to do what it does.

    Args:
      train_step: from `make_train_step`.
      evaluate: from `make_evaluate`.
      state: where to begin. It is copied, and stays the caller's.
      data: floating images, such as `scale_images` returns, and labels.
      key: a PRNG key, for the order of the examples and for what the model draws.
      epochs: how many times to go through the training examples.
      batch_size: the number of examples a step.
      max_steps: the number of steps after which to end, in the middle of an epoch too; None sets no such limit.
      learning_rate: the schedule that the optimizer follows, to be recorded; None records null.
      metrics: where records are written, until they cannot be: then the training goes on without them, and the result
        says why, for a full disk is no reason to lose the parameters. A step's record has "kind" "step", "step" (from
        0), "epoch" (from 1), "loss" (the mean over its batch, before its update) and "learning_rate". An epoch's has
        "kind" "epoch", "epoch", "steps" (all taken so far), "train_loss" (the mean over the epoch's examples, each as
        its step saw it), "test_loss", "test_accuracy" (from 0 to 1), "seconds" (of its steps, compilation included and
        evaluation not) and "images_per_second".
      progress: who is told about every step and epoch.

    Returns:
      A `FitResult`.

    Raises:
      ValueError: there are no examples, or not as many labels; or epochs, batch_size or max_steps is less than 1.
    """
    if len(data.train_images) != len(data.train_labels):
        raise ValueError(
            f"train_images (={len(data.train_images)}) and train_labels (={len(data.train_labels)}) "
            "must be equally many"
        )
    total_steps = count_steps(len(data.train_images), batch_size, epochs, max_steps)
    state = own(state)
    first_step = int(state.step)
    order_key, step_key = jax.random.split(key)
    steps_per_epoch = count_steps(len(data.train_images), batch_size, epochs=1)
    records: list[dict[str, Any]] = []
    writer = _Writer(metrics)
    with _Interrupt() as interrupt:
        taken = 0
        for epoch in range(1, epochs + 1):
            started = time.perf_counter()
            rates = _learning_rates(learning_rate, first_step + taken, steps_per_epoch)
            log = _StepLog(epoch, first_step + taken, rates, writer)
            batches = shuffled_batches(
                data.train_images, data.train_labels, batch_size, jax.random.fold_in(order_key, epoch)
            )
            for images, labels in batches:
                state, step_metrics = train_step(state, images, labels, step_key)
                log.add(step_metrics["loss"], len(labels))
                taken += 1
                if progress is not None:
                    progress.advance(len(labels))
                if interrupt.requested or taken == total_steps:
                    break
            log.fetch()
            seconds = time.perf_counter() - started
            if interrupt.requested:
                break
            measured = evaluate(state.params, state.model_state, data.test_images, data.test_labels)
            record = {
                "kind": "epoch",
                "epoch": epoch,
                "steps": first_step + taken,
                "train_loss": log.mean_loss(),
                "test_loss": measured["loss"],
                "test_accuracy": measured["accuracy"],
                "seconds": seconds,
                "images_per_second": log.examples / seconds,
            }
            records.append(record)
            writer.write(record)
            if progress is not None:
                progress.finish_epoch(record)
            if interrupt.requested or taken == total_steps:
                break
    return FitResult(state, records, interrupt.requested, writer.error)


def _learning_rates(schedule: optax.Schedule | None, first_step: int, steps: int) -> list[float] | list[None]:
    """Return the learning rates of an epoch's steps, computed together."""
    if schedule is None:
        return [None] * steps
    return np.asarray(jax.jit(jax.vmap(schedule))(jnp.arange(first_step, first_step + steps))).tolist()


class _Writer:
    """Writes records until one cannot be written."""

    def __init__(self, metrics: MetricsFile | None) -> None:
        self._metrics = metrics
        self.error: OSError | None = None

    def write(self, *records: dict[str, Any]) -> None:
        """Write records, unless earlier ones could not be."""
        if self._metrics is not None and self.error is None:
            try:
                self._metrics.write(*records)
            except OSError as error:
                self.error = error


class _StepLog:
    """The losses of one epoch, on the device until they are fetched together and written."""

    def __init__(self, epoch: int, first_step: int, rates: Sequence[float | None], writer: _Writer) -> None:
        self._epoch, self._step = epoch, first_step
        self._rates, self._writer = iter(rates), writer
        self._waiting: list[tuple[jax.Array, int]] = []
        self._loss_sum = 0.0
        self.examples = 0

    def add(self, loss: jax.Array, examples: int) -> None:
        """Note the loss of a step, and wait until no more than `STEPS_QUEUED` are under way."""
        self._waiting.append((loss, examples))
        if len(self._waiting) == STEPS_PER_FETCH:
            self.fetch()
        elif len(self._waiting) > STEPS_QUEUED:
            self._waiting[-1 - STEPS_QUEUED][0].block_until_ready()

    def fetch(self) -> None:
        """Wait for the losses that were noted, and write their records."""
        records: list[dict[str, Any]] = []
        for loss, examples in jax.device_get(self._waiting):
            records.append(
                {
                    "kind": "step",
                    "step": self._step,
                    "epoch": self._epoch,
                    "loss": float(loss),
                    "learning_rate": next(self._rates),
                }
            )
            self._step += 1
            self.examples += examples
            self._loss_sum += float(loss) * examples
        if records:
            self._writer.write(*records)
        self._waiting.clear()

    def mean_loss(self) -> float:
        """Return the mean loss of the examples so far."""
        return self._loss_sum / self.examples


class _Interrupt:
    """Turn the first Ctrl-C into a flag.

    A KeyboardInterrupt may come at any moment, also between the end of a step, which has used up the old state, and
    the assignment of the new one; then there would be nothing left to save.
    """

    def __init__(self) -> None:
        self.requested = False
        self._replaced = False

    def __enter__(self) -> Self:
        """Take over SIGINT, where that is Python's own to handle."""
        self._replaced = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._replaced:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give SIGINT back."""
        if self._replaced:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
