"""A metrics file in JSON lines: one record a line, in the order in which they happened."""

import json
import math
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class MetricsFile:
    """Write records to a file, so that a run that is killed at any moment leaves whole lines.

    Records given together go to the operating system in one write, without a buffer in between. A number that is not
    finite, which JSON cannot hold, becomes null. An existing file is replaced.

    Args:
      path: the file. Its folder must exist.

    Raises:
      OSError: the file cannot be written.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder, MetricsFile(f"{folder}/metrics.jsonl") as metrics:
      ...     metrics.write({"kind": "step", "loss": 2.5}, {"kind": "step", "loss": float("nan")})
      ...     print(metrics.path.read_text().splitlines()[1])
      {"kind": "step", "loss": null}
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = self.path.open("wb", buffering=0)

    def write(self, *records: dict[str, Any]) -> None:
        """Append records, one line each.

        Args:
          records: flat dicts of text, whole numbers, floats and None.
        """
        self._file.write(b"".join(_line(record) for record in records))

    def close(self) -> None:
        """Close the file; nothing can be written afterwards."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


def _line(record: dict[str, Any]) -> bytes:
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()
    }
    return json.dumps(finite, allow_nan=False).encode() + b"\n"
