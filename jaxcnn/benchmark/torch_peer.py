"""The other end of `torch_worker`: a second, long-lived process that is timed in turns with this one."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from jaxcnn.benchmark.timing import Sampler


class PeerError(RuntimeError):
    """PyTorch cannot be started, or cannot do what was asked."""


class TorchPeer:
    """PyTorch in its own process; a context manager, which ends that process.

    Attributes:
      about: its version and the number of its threads.
    """

    def __init__(self, device: str = "cpu"):
        """Start the process.

        Args:
          device: "cpu" or "cuda".

        Raises:
          PeerError: PyTorch is not installed, or does not start.
        """
        if importlib.util.find_spec("torch") is None:
            raise PeerError("torch must be installed for this: pip install torch")
        root = str(Path(__file__).parent.parent.parent)
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jaxcnn.benchmark.torch_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        try:
            self.about = self._ask({"device": device})
        except PeerError:
            self.close()
            raise

    def prepare(self, table: str, row: str, part: str) -> tuple[Sampler, str]:
        """Set up what is timed next.

        Args:
          table: "ops", "models" or "scaling".
          row: the name of the row.
          part: what of it.

        Returns:
          The sampler of it, until the next call, and the memory format that it uses.

        Raises:
          PeerError: PyTorch has no such layer, or the process has died.
        """
        chosen = self._ask({"table": table, "row": row, "part": part})["format"]
        return lambda calls: self._ask({"calls": calls})["seconds"], chosen

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> "TorchPeer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
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
            raise PeerError("the process of torch ended")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(f"torch: {answer['error']}")
        return answer
