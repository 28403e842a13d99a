"""Download one file of a data set, so that either the whole, checked file is there afterwards or nothing is."""

import http.client
import tempfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from jaxcnn.data.registry import unpack_checked

TIMEOUT_SECONDS = 30.0  # for each wait on the network, not for the whole file


def download(file_name: str, mirrors: Sequence[str], sha256: str, folder: Path) -> Path:
    """Download `file_name` from the first mirror that has it whole and with the right hash.

    The file is received and checked in memory, written to a temporary folder inside `folder`, and only then renamed,
    which is atomic. An interruption at any moment leaves nothing under the final name, and what another process left
    behind is never read.

    Args:
        file_name: the name on the mirrors and in `folder`.
        mirrors: URLs to which `file_name` is appended, tried in turn.
        sha256: the SHA-256 that the unpacked content must have, in hexadecimal.
        folder: where the file goes. It is made, with its parents, once there is something to write.

    Returns:
        The path of the file.

    Raises:
        OSError: no mirror delivered the file (the message says for each what went wrong), or it cannot be written.
    """
    body = _fetch(file_name, mirrors, sha256, folder)
    path = folder / file_name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
        aside = Path(temporary) / file_name
        aside.write_bytes(body)
        aside.replace(path)
    return path


def _fetch(file_name: str, mirrors: Sequence[str], sha256: str, folder: Path) -> bytes:
    failures: list[str] = []
    for mirror in mirrors:
        url = mirror + file_name
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
                body = response.read()
            unpack_checked(body, sha256, url)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"{url}: {type(error).__name__}: {error}")
        else:
            return body
    raise OSError(
        "\n  ".join([f"{file_name} could not be downloaded from any of its {len(mirrors)} mirrors:", *failures])
        + f"\nThe file, gzipped or unpacked, may also be put by hand into {folder}, "
        "or into a folder that is given as data_dir or in $JAXCNN_DATA"
    )
