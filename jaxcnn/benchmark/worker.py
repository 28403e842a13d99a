"""A second, long-lived process that is asked and answers, one JSON object a line."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class WorkerError(RuntimeError):
    """The process cannot do what was asked, or has ended."""


class Worker:
    """A process of this Python; a context manager, which ends it.

    Args:
      command: what follows the name of the interpreter.
      paths: where it looks for modules first.
      name: how it is called in errors.
      error: the class of these.
      environment: variables that it has beside those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        paths: Sequence[Path],
        name: str,
        error: type[WorkerError] = WorkerError,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._name, self._error = name, error
        found = [*map(str, paths), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(found)},
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request, and return the answer.

        Raises:
          WorkerError: the answer is an error, or there is none.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            line = stdout.readline()
        except (OSError, ValueError):  # ValueError: the pipe was closed by this side
            line = ""
        if not line:
            raise self._error(f"the process of {self._name} ended")
        answer = json.loads(line)
        if "error" in answer:
            raise self._error(f"{self._name}: {answer['error']}")
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
