"""Command lines of the scripts and commands: arguments from a dataclass, and errors of one line."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn, TypeVar

from jaxcnn._extras import import_extra

Config = TypeVar("Config")

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run(main: Callable[[], int], interrupted: str = "interrupted") -> NoReturn:
    """Run a script to its end, without a traceback where the user stops it or the reader of its output has gone.

    Args:
      main: what the script does; it returns the exit status.
      interrupted: the line on stderr after Ctrl-C.

    Raises:
      SystemExit: with the status of `main`, or with 141, that of SIGPIPE in a shell, where stdout was closed under it.
        Ctrl-C ends the process with status 130.
    """
    try:
        try:
            status = main()
        except SystemExit as stop:
            status = stop.code
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.stderr.write(f"{interrupted}\n")
        sys.stderr.flush()
        os._exit(130)  # a compilation that was cut short can crash the interpreter's own way out
    except BrokenPipeError:
        _discard_stdout()
        status = 141
    raise SystemExit(status)


def print_line(line: str) -> None:
    """Print a line on stdout, at once also into a pipe, where that can be done.

    Where nobody reads it any more, or stdout is closed, go on in silence; where a disk is full, with a line on stderr.

    Args:
      line: the text, without the end of the line.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_stdout()
    except OSError as error:
        _discard_stdout()
        sys.stderr.write(f"{_program()}: what is printed is lost from here on: {error}\n")


def parse(config_type: type[Config], args: Sequence[str] | None = None) -> Config:
    """Read the command line into a dataclass, one option a field, or an argument by position where it has no default.

    Args:
      config_type: the dataclass. Its docstring and those of its fields are the text of `--help`.
      args: the arguments; None means those of the process.

    Returns:
      An instance of `config_type`.

    Raises:
      SystemExit: with status 2 after one line on stderr, where an argument is wrong; with 1 after one line, where
        tyro is not installed; with 0 after `--help`.
    """
    (tyro,) = require("tyro", extra="train")
    report = io.StringIO()
    try:
        with contextlib.redirect_stderr(report):
            return tyro.cli(config_type, prog=_program(), args=args, config=(tyro.conf.PositionalRequiredArgs,))
    except SystemExit as stop:
        if stop.code != 2:
            raise
        fail(f"{_one_line(report.getvalue())} (--help lists the options)")


def require(*modules: str, extra: str) -> list[ModuleType]:
    """Import what a script needs from an extra, before it begins and not in the middle of its work.

    Args:
      modules: their full names.
      extra: the extra of this package that installs them.

    Raises:
      SystemExit: with status 1 after one line on stderr, where one is not installed.
    """
    try:
        return [import_extra(module, extra) for module in modules]
    except ModuleNotFoundError as error:
        fail(error, status=1)


def fail(message: object, status: int = 2) -> NoReturn:
    """End the program with one line on stderr.

    Args:
      message: what is wrong; several lines are joined.
      status: the exit status; 2 is that of a wrong argument.

    Raises:
      SystemExit: always.
    """
    line = " ".join(str(message).split())
    sys.stderr.write(f"{_program()}: error: {line}\n")
    raise SystemExit(status)


def _discard_stdout() -> None:
    """Send what is printed from now on, and what waits in the buffer, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _program() -> str:
    return Path(sys.argv[0]).name


def _one_line(report: str) -> str:
    """Return the message in a report of tyro, with the options that it suggests.

    A report is a box, with its title in the upper border, or where stdout cannot show one, the same without borders.
    Rules divide it into the message, what may help, and the way to `--help`.
    """
    sections: list[list[str]] = [[]]
    report = _COLOURS.sub("", report)
    for line in report.splitlines():
        text = line.strip(" │")
        if text and not text.strip("─-"):
            sections.append([])
        elif text and text[0] not in "╭╰":
            sections[-1].append(text)
    if not report.startswith("╭"):
        del sections[0]  # the title
    message, *rest = (" ".join(section) for section in sections)
    options = [line.split()[0] for section in sections[1:] for line in section if line.startswith("--")]
    suggests = any(section.startswith("Perhaps you meant") for section in rest)
    return f"{message}; perhaps you meant {' or '.join(options)}" if suggests else message
