"""Find the files of a data set, or download them, and return them as arrays."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jaxcnn.data.download import download
from jaxcnn.data.idx import parse_idx
from jaxcnn.data.registry import DATA_SOURCES, FILE_NAMES, unpack_checked


class Dataset(NamedTuple):
    """A data set for the classification of grey images, as NumPy arrays.

    Attributes:
        train_images: `[N_train, 28, 28, 1]`, uint8, from 0 (background) to 255.
        train_labels: `[N_train]`, int32, from 0 to 9.
        test_images: `[N_test, 28, 28, 1]`, uint8.
        test_labels: `[N_test]`, int32.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int32]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int32]


def load(name: str, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a data set, from this machine if it is there and from the network if not.

    "mnist-10k" is part of this package: the first 10,000 training images of MNIST and its whole test set. It needs no
    network and no folder. Each file of the others is taken from the first of these places that has it, gzipped
    (`train-images-idx3-ubyte.gz`) or unpacked (`train-images-idx3-ubyte`):

    1. `<data_dir>/<name>`, then `data_dir` itself, if it is given;
    2. `$JAXCNN_DATA/<name>`, then `$JAXCNN_DATA` itself, if it is set;
    3. `/usr/share/datasets/fashion-mnist`, where Debian's package dataset-fashion-mnist puts that data set;
    4. `<cache>/jaxcnn/<name>`, where `<cache>` is `$XDG_CACHE_HOME`, or `~/.cache` if that is not set;
    5. the mirrors, from which it is downloaded into the first folder of this list that has a `<name>`: that of
       `data_dir`, else that of `$JAXCNN_DATA`, else that of the cache.

    A folder need not exist: it is made when something is downloaded into it. Every file is checked against its known
    SHA-256 each time it is read. A file with another content is an error and is left as it is, never replaced. MNIST
    and Fashion-MNIST have files of the same names; to keep both, use the folders that end in `<name>`.

    Args:
        name: "mnist" or "fashion-mnist" (60,000 training and 10,000 test images), or "mnist-10k" (10,000 of each).
        data_dir: the folder to look in first and to download to. "~" stands for the home folder. Unused for
            "mnist-10k".

    Returns:
        The images, uint8 `[N, 28, 28, 1]`, and the labels, int32 `[N]`, of both parts, in the order of the files.

    Raises:
        ValueError: `name` is unknown; or a file has a wrong SHA-256, is no IDX file, or has another number of labels
            than there are images.
        NotADirectoryError: `data_dir` or `$JAXCNN_DATA` is something else than a folder.
        OSError: no mirror delivered a missing file, or a file cannot be read or written.

    Example:
        >>> data = load("mnist-10k")
        >>> data.train_images.shape, data.test_labels[:5].tolist()
        ((10000, 28, 28, 1), [7, 2, 1, 0, 4])
    """
    if name not in DATA_SOURCES:
        raise ValueError(f"name (={name!r}) must be one of {', '.join(map(repr, DATA_SOURCES))}")
    return Dataset(*_load_part(name, "train", data_dir), *_load_part(name, "test", data_dir))


def _load_part(
    name: str, part: str, data_dir: str | os.PathLike[str] | None
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    images_path, images = _read(name, f"{part}_images", data_dir)
    labels_path, labels = _read(name, f"{part}_labels", data_dir)
    if len(images) != len(labels):
        raise ValueError(
            f"{labels_path}: the {len(labels)} labels must be as many as the {len(images)} of {images_path}"
        )
    return images[..., np.newaxis], labels.astype(np.int32)


def _read(name: str, field: str, data_dir: str | os.PathLike[str] | None) -> tuple[Path, np.ndarray]:
    path = _locate(name, field, data_dir)
    content = unpack_checked(path.read_bytes(), DATA_SOURCES[name].sha256[field], f"data set {name!r}, file {path}")
    return path, parse_idx(content, path)


def _locate(name: str, field: str, data_dir: str | os.PathLike[str] | None) -> Path:
    source = DATA_SOURCES[name]
    packed, unpacked = FILE_NAMES[field] + ".gz", FILE_NAMES[field]
    if source.folder is not None and not source.mirrors:  # this package contains it
        return source.folder / packed
    roots = _user_roots(data_dir)
    for folder in _search_folders(name, roots):
        for path in (folder / packed, folder / unpacked):
            if path.is_file():
                return path
    target = (roots[0] if roots else _cache_root()) / name
    return download(packed, source.mirrors, source.sha256[field], target)


def _user_roots(data_dir: str | os.PathLike[str] | None) -> list[Path]:
    roots: list[Path] = []
    for origin, value in (("data_dir", data_dir), ("$JAXCNN_DATA", os.environ.get("JAXCNN_DATA") or None)):
        if value is None:
            continue
        root = Path(value).expanduser()
        if root.exists() and not root.is_dir():
            raise NotADirectoryError(f"{origin} (={str(value)!r}) must be a folder, or a path at which nothing is yet")
        roots.append(root)
    return roots


def _search_folders(name: str, roots: list[Path]) -> Iterator[Path]:
    for root in roots:
        yield root / name
        yield root
    installed = DATA_SOURCES[name].folder
    if installed is not None:
        yield installed
    yield _cache_root() / name


def _cache_root() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "jaxcnn"
