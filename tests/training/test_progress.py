import io
import os
import sys

import pytest

from jaxcnn.training import show_progress

RECORD = {
    "epoch": 2,
    "train_loss": 0.25,
    "test_loss": 0.5,
    "test_accuracy": 0.98765,
    "seconds": 4.0,
    "images_per_second": 2500.0,
}
LINE = "epoch 2: train loss 0.2500, test loss 0.5000, test accuracy 98.77%, 4.0 s, 2,500 images/s"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(steps):
    with show_progress(steps) as progress:
        for _ in range(steps):
            progress.advance(32)
        progress.finish_epoch(RECORD)


def test_without_a_terminal_there_is_a_line_an_epoch(capsys):
    run(3)
    assert capsys.readouterr() == (LINE + "\n", "")


def test_in_a_terminal_there_is_a_bar_too(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    run(3)
    shown = terminal.getvalue()
    assert LINE in shown
    assert "100%" in shown
    assert "images/s" in shown.replace(LINE, "")
    assert "left" in shown


def test_a_bar_without_rich_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "jaxcnn\[train\]"'):
        run(1)


def test_lines_need_no_rich(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    run(1)
    assert LINE in capsys.readouterr().out


def test_a_reader_that_has_gone_does_not_end_the_run(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        run(1)
        run(1)
