"""Train a network on images of digits or clothes, and save its parameters.

Without arguments: LeNet, with hand-derived gradients, on the 10,000 MNIST images that the package contains.
"""

import contextlib
import dataclasses
import itertools
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal, NoReturn

try:
    import jax
    import jax.numpy as jnp

    import jaxcnn.ops
    import jaxcnn.reference
    from jaxcnn import models, training
    from jaxcnn._cli import fail, parse, print_line, require, run
    from jaxcnn.data import Dataset, load
except KeyboardInterrupt:  # the imports take a second or two
    sys.exit(130)

PARAMETERS, METRICS = "parameters.safetensors", "metrics.jsonl"


@dataclasses.dataclass(frozen=True)
class Config:
    """Train a network on images, print its accuracy on the test set, and save its parameters.

    Ctrl-C ends the training after the steps that are under way, and saves the parameters as they are then.
    """

    model: Literal["lenet", "tutorial"] = "lenet"
    """The network: LeNet, or the one of the tutorial, which has two 2x2 kernels and does worse."""

    data: Literal["mnist", "fashion-mnist", "mnist-10k"] = "mnist-10k"
    """The data set. mnist-10k is part of the package; the others are downloaded if they are not found."""

    data_dir: Path | None = None
    """Where the files of the data set are, or are downloaded to; mnist-10k is never looked for."""

    epochs: int = 5
    """How many times to go through the training images."""

    max_steps: int | None = None
    """End after this many steps, if the epochs do not end before."""

    batch_size: int = 128
    """The number of images a step."""

    optimizer: training.OptimizerName = "adamw"
    """How gradients become updates; momentum is SGD with momentum 0.9."""

    learning_rate: float = 5e-3
    """The highest learning rate of the schedule."""

    schedule: training.ScheduleName = "onecycle"
    """How the learning rate moves: not at all, down along a cosine, or up and then down."""

    rules: Literal["manual", "auto"] = "manual"
    """Where gradients come from: the hand-derived rules, or jax.grad of plain JAX code."""

    dtype: Literal["float32", "float64", "bfloat16"] = "float32"
    """The dtype of parameters and computation; bfloat16 computes in it with float32 parameters."""

    compiler_options: Literal["recommended", "none"] = "recommended"
    """How XLA compiles: with what jaxcnn recommends on a CPU, or as it does by default."""

    seed: int = 0
    """What the first parameters and the order of the images are drawn from; the same seed gives the same numbers."""

    out: str | None = None
    """The folder for parameters.safetensors and metrics.jsonl; None is a new one in runs/."""

    existing: Literal["refuse", "replace"] = "refuse"
    """What becomes of these files of an earlier run in --out: the run does not begin, or it removes them first."""


def main() -> int:
    """Run the job that the command line describes, and return the exit status."""
    require("rich.progress", "safetensors.numpy", extra="train")
    config = parse(Config)
    _check(config)
    if config.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    data = training.scale_images(_load(config), "float64" if config.dtype == "float64" else "float32")
    return _train(config, data, _make_folder(config))


def _train(config: Config, data: Dataset, folder: Path) -> int:
    ops = jaxcnn.ops if config.rules == "manual" else jaxcnn.reference
    model = {"lenet": models.lenet, "tutorial": models.tutorial}[config.model](ops, num_classes=10)
    loss = ops.softmax_cross_entropy_with_integer_labels
    steps = training.count_steps(len(data.train_images), config.batch_size, config.epochs, config.max_steps)
    schedule = training.make_schedule(config.schedule, config.learning_rate, steps)
    optimizer = training.make_optimizer(config.optimizer, schedule)
    compute_dtype = jnp.bfloat16 if config.dtype == "bfloat16" else None
    options = training.recommended_compiler_options() if config.compiler_options == "recommended" else {}
    train_step = training.make_train_step(model, loss, optimizer, compute_dtype=compute_dtype, compiler_options=options)
    evaluate = training.make_evaluate(model, loss, compute_dtype=compute_dtype, compiler_options=options)

    init_key, fit_key = jax.random.split(jax.random.key(config.seed))
    params, model_state = model.init(init_key, data.train_images.shape[1:], data.train_images.dtype)
    state = training.init_train_state(params, model_state, optimizer)
    metrics = _open_metrics(config, folder)
    print_line(f"training {config.model} on {config.data}: {steps} steps, {config.rules} rules, {config.dtype}")
    with metrics:
        with training.show_progress(steps) as progress:
            result = training.fit(
                train_step,
                evaluate,
                state,
                data,
                key=fit_key,
                epochs=config.epochs,
                batch_size=config.batch_size,
                max_steps=config.max_steps,
                learning_rate=schedule,
                metrics=metrics,
                progress=progress,
            )
        saved, problem = _save(folder, result.state.params)
        problem = problem or _problem_of_metrics(folder, metrics, result.metrics_error)
    if result.interrupted:
        print_line(f"interrupted after step {int(result.state.step)} of {steps}")
    else:
        print_line(f"test accuracy: {result.epochs[-1]['test_accuracy']:.2%} of {len(data.test_labels)} images")
    if saved is not None:
        print_line(f"parameters saved: {saved}")
    diverged = [record for record in result.epochs if not math.isfinite(record["train_loss"])]
    if diverged:
        epoch, loss = diverged[0]["epoch"], diverged[0]["train_loss"]
        print(f"train loss of epoch {epoch} is {loss}: the learning rate may be too high", file=sys.stderr)
    if problem is not None:
        fail(problem, status=1)
    return 130 if result.interrupted else int(bool(diverged))


def _open_metrics(config: Config, folder: Path) -> training.MetricsFile:
    """Make the folder this run's own: no other run can have its metrics file, and no older file is left in it."""
    replace = config.existing == "replace"
    try:
        return training.MetricsFile(
            folder / METRICS, replace=replace, outdated=[folder / PARAMETERS] if replace else []
        )
    except FileExistsError:
        _refuse(folder)
    except OSError as error:
        fail(f"--out (={folder}) must be a folder in which {METRICS} can be written: {error}")


def _save(folder: Path, params: Any) -> tuple[Path | None, str | None]:
    """Save the parameters in the folder, or else in one for temporary files; return where, and what went wrong."""
    try:
        training.save_parameters(folder / PARAMETERS, params)
    except OSError as error:
        problem = f"--out (={folder}) must be a folder in which {PARAMETERS} can be saved: {error}"
        try:
            elsewhere = Path(tempfile.mkdtemp(prefix="jaxcnn-")) / PARAMETERS
            training.save_parameters(elsewhere, params)
        except OSError:
            return None, f"{problem}; the parameters are lost"
        return elsewhere, f"{problem}; the parameters are saved in {elsewhere}"
    return folder / PARAMETERS, None


def _problem_of_metrics(folder: Path, metrics: training.MetricsFile, error: OSError | None) -> str | None:
    """Close the metrics, which may fail where a disk is full, and return what went wrong with them, if anything did."""
    try:
        metrics.close()
    except OSError as at_end:
        error = error or at_end
    return None if error is None else f"{folder / METRICS} lacks records, but the parameters are saved: {error}"


def _refuse(folder: Path) -> NoReturn:
    fail(f"--out (={folder}) must not have the files of an earlier run; --existing replace removes them first")


def _check(config: Config) -> None:
    for name in ("epochs", "batch_size", "max_steps"):
        value = getattr(config, name)
        if value is not None and value < 1:
            fail(f"--{name.replace('_', '-')} (={value}) must be at least 1")
    if not (math.isfinite(config.learning_rate) and config.learning_rate > 0):
        fail(f"--learning-rate (={config.learning_rate}) must be positive and finite")
    if not 0 <= config.seed < 2**32:
        fail(f"--seed (={config.seed}) must be from 0 to {2**32 - 1}")
    if config.out == "":
        fail("--out (=) must be the path of a folder, and not empty")
    out = None if config.out is None else Path(config.out)
    for name, folder in (("--data-dir", config.data_dir), ("--out", out)):
        if folder is not None and folder.exists() and not folder.is_dir():
            fail(f"{name} (={folder}) must be a folder, or a path at which nothing is yet")
    for name in (PARAMETERS, METRICS):
        if out is not None and (out / name).is_dir():
            fail(f"--out (={out}) must not have a folder at {name}, where the run writes a file")
    if (
        out is not None
        and config.existing == "refuse"
        and any((out / name).is_file() for name in (PARAMETERS, METRICS))
    ):
        _refuse(out)
    if config.data_dir is not None and config.data_dir.exists() and not os.access(config.data_dir, os.R_OK | os.X_OK):
        fail(f"--data-dir (={config.data_dir}) must be a folder that can be read")


def _load(config: Config) -> Dataset:
    if config.data != "mnist-10k":
        print_line(f"loading {config.data}, which is downloaded if it is not on this machine")
    try:
        return load(config.data, config.data_dir)
    except (OSError, ValueError) as error:
        fail(f"--data {config.data} must be a data set that can be read: {error}")


def _make_folder(config: Config) -> Path:
    """Make the folder for what the run leaves: that of --out, or one in runs/ that did not exist."""
    try:
        if config.out is None:
            return _make_new(Path("runs"), f"{config.model}-{config.data}")
        folder = Path(config.out)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"--out (={config.out or 'runs'}) must be a folder that can be made: {error}")
    if not os.access(folder, os.W_OK | os.X_OK):
        fail(f"--out (={config.out}) must be a folder that can be written to")
    return folder


def _make_new(parent: Path, name: str) -> Path:
    """Make and return the first of parent/name-1, parent/name-2, ... that does not exist."""
    parent.mkdir(exist_ok=True)
    for number in itertools.count(1):
        folder = parent / f"{name}-{number}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError  # for the type checker: counting does not end


if __name__ == "__main__":
    run(main, interrupted="interrupted before the parameters were saved")
