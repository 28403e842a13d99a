"""What a person sees of a training run: a bar in a terminal, a line an epoch anywhere else."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, Protocol

from jaxcnn._cli import print_line
from jaxcnn._extras import import_extra


class Progress(Protocol):
    """What `fit` tells about its progress."""

    def advance(self, images: int) -> None:
        """Count one step more, with `images` images."""
        ...

    def finish_epoch(self, record: dict[str, Any]) -> None:
        """Show the record of an epoch, as `fit` describes it."""
        ...


@contextlib.contextmanager
def show_progress(total_steps: int) -> Iterator[Progress]:
    """Show the progress of a run on stdout while the context lasts.

    In a terminal that is a bar with images per second and the time left, and above it a line for each epoch; where
    stdout is a file or a pipe it is the lines alone.

    Args:
      total_steps: the length of the run, as `count_steps` returns it.

    Yields:
      A `Progress` for `fit`.

    Raises:
      ModuleNotFoundError: stdout is a terminal and rich, which draws the bar, is not installed.
    """
    if sys.stdout is None or not sys.stdout.isatty():
        yield _Lines()
        return
    rich_progress = import_extra("rich.progress", "train")
    columns = (
        rich_progress.TextColumn("training"),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
        rich_progress.TextColumn("{task.fields[rate]}"),
        rich_progress.TimeRemainingColumn(),
        rich_progress.TextColumn("left"),
    )
    with rich_progress.Progress(*columns, transient=True) as bar:
        yield _Bar(bar, bar.add_task("training", total=total_steps, rate=""))


class _Lines:
    """One line an epoch."""

    def advance(self, images: int) -> None:
        """Show nothing."""

    def finish_epoch(self, record: dict[str, Any]) -> None:
        """Print a line; a reader that has gone does not end the training."""
        print_line(_epoch_line(record))


class _Bar:
    """A bar of rich, with lines above it."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar, self._task = bar, task

    def advance(self, images: int) -> None:
        """Move the bar."""
        self._bar.advance(self._task)
        steps_per_second = self._bar.tasks[0].speed
        if steps_per_second is not None:
            self._bar.update(self._task, rate=f"{steps_per_second * images:,.0f} images/s")

    def finish_epoch(self, record: dict[str, Any]) -> None:
        """Print a line above the bar."""
        self._bar.console.print(_epoch_line(record), highlight=False, soft_wrap=True)


def _epoch_line(record: dict[str, Any]) -> str:
    return (
        f"epoch {record['epoch']}: train loss {record['train_loss']:.4f}, test loss {record['test_loss']:.4f}, "
        f"test accuracy {record['test_accuracy']:.2%}, {record['seconds']:.1f} s, "
        f"{record['images_per_second']:,.0f} images/s"
    )
