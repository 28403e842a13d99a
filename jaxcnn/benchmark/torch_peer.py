"""The other end of `torch_worker`: a second, long-lived process that is timed in turns with this one."""

import importlib.util
from pathlib import Path

from jaxcnn.benchmark.timing import Sampler
from jaxcnn.benchmark.worker import Worker, WorkerError


class PeerError(WorkerError):
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
        root = Path(__file__).parent.parent.parent
        self._worker = Worker(["-m", "jaxcnn.benchmark.torch_worker"], [root], "torch", PeerError)
        try:
            self.about = self._worker.ask({"device": device})
        except PeerError:
            self.close()
            raise

    def prepare(self, table: str, row: str, part: str, dtype: str = "float32") -> tuple[Sampler, str]:
        """Set up what is timed next.

        Args:
          table: "ops", "models" or "scaling".
          row: the name of the row.
          part: what of it.
          dtype: of the floating arrays of a row.

        Returns:
          The sampler of it, until the next call, and the memory format that it uses.

        Raises:
          PeerError: PyTorch has no such layer, or the process has died.
        """
        chosen = self._worker.ask({"table": table, "row": row, "part": part, "dtype": dtype})["format"]
        return lambda calls: self._worker.ask({"calls": calls})["seconds"], chosen

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def __enter__(self) -> "TorchPeer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
