"""A tiny data set in the registry, and an HTTP server on this machine to download it from."""

import gzip
import hashlib
import http.server
import struct
import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from jaxcnn.data import registry

ELEMENT_CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def write_idx(array):
    """The IDX file of `array`, as bytes, made element by element from the definition."""
    header = bytes([0, 0, ELEMENT_CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    letter = {"uint8": "B", "int8": "b", "int16": "h", "int32": "i", "float32": "f", "float64": "d"}[array.dtype.name]
    return header + b"".join(struct.pack(">" + letter, element) for element in array.ravel().tolist())


@pytest.fixture
def to_idx():
    return write_idx


class Tiny(NamedTuple):
    """Three training and two test images, and the unpacked and gzipped files that hold them."""

    arrays: dict[str, np.ndarray]
    unpacked: dict[str, bytes]
    packed: dict[str, bytes]

    def put(self, folder: Path, packed: bool = True) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (self.packed if packed else self.unpacked).items():
            (folder / name).write_bytes(content)
        return folder


@pytest.fixture
def no_folders(monkeypatch, tmp_path):
    """No folder of the user's own is looked into, and requests to this machine pass by a proxy."""
    monkeypatch.delenv("JAXCNN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def register(monkeypatch, no_folders):
    """Enter four arrays in the registry as the data set "tiny", without mirrors that anyone could reach."""

    def enter(arrays):
        unpacked = {registry.FILE_NAMES[field]: write_idx(array) for field, array in arrays.items()}
        source = registry.DataSource(
            sha256={
                field: hashlib.sha256(unpacked[file_name]).hexdigest()
                for field, file_name in registry.FILE_NAMES.items()
            },
            folder=None,
            mirrors=("http://127.0.0.1:9/",),  # the port of the discard service: refused
        )
        monkeypatch.setitem(registry.DATA_SOURCES, "tiny", source)
        packed = {f"{file_name}.gz": gzip.compress(content, mtime=0) for file_name, content in unpacked.items()}
        return Tiny(arrays, unpacked, packed)

    return enter


@pytest.fixture
def tiny(register):
    pixels = np.random.default_rng(0)
    return register(
        {
            "train_images": pixels.integers(0, 256, (3, 28, 28), np.uint8),
            "train_labels": np.array([7, 0, 9], np.uint8),
            "test_images": pixels.integers(0, 256, (2, 28, 28), np.uint8),
            "test_labels": np.array([4, 1], np.uint8),
        }
    )


@pytest.fixture
def amend(monkeypatch, tiny):
    """Change the registry's entry of the data set "tiny"."""

    def change(**fields):
        monkeypatch.setitem(registry.DATA_SOURCES, "tiny", registry.DATA_SOURCES["tiny"]._replace(**fields))

    return change


class Server:
    """An HTTP server whose answers are set by the test: a body for a path, and the length it claims to have."""

    def __init__(self):
        self.bodies: dict[str, bytes] = {}
        self.claimed_lengths: dict[str, int | None] = {}
        self.requests: list[str] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                body = server.bodies.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                claimed = server.claimed_lengths.get(self.path, len(body))
                if claimed is not None:
                    self.send_header("Content-Length", str(claimed))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server():
    answers = Server()
    thread = threading.Thread(target=answers.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield answers
    answers.http.shutdown()
    thread.join()
    answers.http.server_close()
