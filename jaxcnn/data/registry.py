"""The data sets that `jaxcnn.data.load` knows: their files, the hashes of these, and where they can be had.

The hashes are of the unpacked IDX content. The same content gzipped twice is seldom the same bytes, and the mirrors
do differ in that, so that a hash of the gzipped file would refuse good copies.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

from jaxcnn.data.idx import unpack

# All data sets here have the file names of MNIST; the keys are the fields of `jaxcnn.data.Dataset`.
FILE_NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


class DataSource(NamedTuple):
    """Where the four files of a data set come from, and how they are recognised.

    Attributes:
        sha256: for each key of `FILE_NAMES`, the SHA-256 of the unpacked file, in hexadecimal.
        folder: the folder in which this package, or the system's package manager, installs the files; None if
            neither does.
        mirrors: URLs to which `<file name>.gz` is appended, tried in turn. Empty for a data set that this package
            contains; it is never looked for elsewhere.
    """

    sha256: dict[str, str]
    folder: Path | None
    mirrors: tuple[str, ...]


DATA_SOURCES = {
    "mnist": DataSource(
        sha256={
            "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        folder=None,
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
    ),
    "fashion-mnist": DataSource(
        sha256={
            "train_images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train_labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "test_images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "test_labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        folder=Path("/usr/share/datasets/fashion-mnist"),  # Debian's package dataset-fashion-mnist
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    ),
    "mnist-10k": DataSource(
        sha256={
            "train_images": "2889698e6bc3614913e76901316712919d1998fc2b44512451bfe65bc1e668b1",
            "train_labels": "651e38e2ac0632f5113ec18f1df4977117f953197819034009971a6675a0df78",
            "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        folder=Path(__file__).parent / "mnist_10k",
        mirrors=(),
    ),
}


def unpack_checked(raw: bytes, sha256: str, origin: object) -> bytes:
    """Return `raw`, unpacked if it is gzipped, once its hash is seen to be right.

    Args:
        raw: the whole content of a file.
        sha256: the SHA-256 that the unpacked content must have, in hexadecimal.
        origin: where `raw` comes from, a path or a URL, for the error message.

    Raises:
        ValueError: `raw` is a damaged gzip stream, or its content has another hash.
    """
    content = unpack(raw, origin)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f"{origin}: the SHA-256 of the unpacked content (={found}) must be {sha256}")
    return content
