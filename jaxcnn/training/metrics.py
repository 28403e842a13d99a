"""A metrics file in JSON lines: one record a line, in the order in which they happened."""

import contextlib
import importlib.util
import json
import math
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

fcntl: Any = (
    importlib.import_module("fcntl") if importlib.util.find_spec("fcntl") else None
)  # Windows has no such locks


class MetricsFile:
    """Write records to a file, so that a run that is killed at any moment leaves whole lines.

    Records given together go to the operating system in one write, without a buffer in between. A number that is not
    finite, which JSON cannot hold, becomes null. While it is open, nobody else can open it as a `MetricsFile`, so that
    two runs never write into one file; that holds where the operating system and the file system have locks.

    Args:
      path: the file. Its folder must exist.
      replace: whether an existing file is replaced. One that is no regular file, such as a pipe, is written to.
      outdated: files that belong to the records that are replaced, and are removed with them: before the records are,
        so that new records never lie beside old files.

    Raises:
      FileExistsError: there is such a file already, and it is not to be replaced.
      BlockingIOError: it is open as a `MetricsFile` elsewhere.
      OSError: the file cannot be written.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder, MetricsFile(f"{folder}/metrics.jsonl") as metrics:
      ...     metrics.write({"kind": "step", "loss": 2.5}, {"kind": "step", "loss": float("nan")})
      ...     print(metrics.path.read_text().splitlines()[1])
      {"kind": "step", "loss": null}
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = True,
        outdated: Sequence[str | os.PathLike[str]] = (),
    ) -> None:
        self.path = Path(path)
        may_exist = replace or (self.path.exists() and not self.path.is_file())
        flags = os.O_WRONLY | os.O_CREAT | (0 if may_exist else os.O_EXCL) | getattr(os, "O_BINARY", 0)
        self._file = open(os.open(self.path, flags, 0o666), "wb", buffering=0)  # noqa: PTH123, SIM115 - it stays open
        try:
            _lock(self._file.fileno(), self.path)
            self._is_regular = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
            for other in outdated:
                Path(other).unlink(missing_ok=True)
            if self._is_regular:
                self._file.truncate(0)
        except OSError:
            self._file.close()
            raise

    def write(self, *records: dict[str, Any]) -> None:
        """Append records, one line each; those that the disk has no room for are left out altogether.

        Args:
          records: flat dicts of text, whole numbers, floats and None.

        Raises:
          OSError: the file cannot be written.
        """
        rest = memoryview(b"".join(_line(record) for record in records))
        with self._only_whole_lines():
            while rest:
                rest = rest[self._file.write(rest) :]  # a full disk takes a part, and refuses the next write

    @contextlib.contextmanager
    def _only_whole_lines(self) -> Iterator[None]:
        """Take back what was written where not all of it could be."""
        before = self._file.tell() if self._is_regular else None
        try:
            yield
        except OSError:
            if before is not None:
                with contextlib.suppress(OSError):
                    self._file.truncate(before)
                    self._file.seek(before)
            raise

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


def _lock(file: int, path: Path) -> None:
    """Lock an open file for this process alone, where that can be done; a process that ends gives it up."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, "another run is writing", os.fspath(path)) from error
    except OSError:  # a file system without locks
        return


def _line(record: dict[str, Any]) -> bytes:
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()
    }
    return json.dumps(finite, allow_nan=False).encode() + b"\n"
