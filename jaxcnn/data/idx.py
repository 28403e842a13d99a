"""The IDX format, in which MNIST and the data sets made after it are published.

An IDX file is one array and nothing else, with every number in big-endian order:

    offset  content
    0       0x00 0x00
    2       the element type, one byte, a key of `ELEMENT_TYPES`
    3       the number of axes R, one byte
    4       R sizes, an unsigned 32-bit integer each
    4 + 4R  the elements, the last axis running fastest

The first four bytes are called the magic number. A gzip stream begins with 0x1f 0x8b and an IDX file with two zero
bytes, so the content itself says whether it is packed, and the name of a file plays no part here.

Reference: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", 1998.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

ELEMENT_TYPES = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read the array in an IDX file, gzipped or not.

    For a whole data set, `jaxcnn.data.load` finds the files, checks them and reads them.

    Args:
        path: the file. Whether it is gzipped is seen from its content, not from its name.

    Returns:
        A new, writable array with the shape that the file states, in the machine's byte order, of dtype uint8, int8,
        int16, int32, float32 or float64.

    Raises:
        ValueError: the file is not exactly one IDX array: a wrong magic number, too few bytes, bytes left over, or a
            gzip stream that is damaged or cut short. The message names the file, what it holds and what it should.
        OSError: the file cannot be read, for one because it does not exist.

    Example:
        >>> from importlib.resources import files
        >>> read_idx(files("jaxcnn.data") / "mnist_10k" / "t10k-labels-idx1-ubyte.gz")[:5]
        array([7, 2, 1, 0, 4], dtype=uint8)
    """
    return parse_idx(unpack(Path(path).read_bytes(), path), path)


def unpack(raw: bytes, origin: object) -> bytes:
    """Return `raw` with its gzip packing undone, or as it is if it has none.

    Args:
        raw: the whole content of a file.
        origin: where `raw` comes from, a path or a URL, for the error message.

    Raises:
        ValueError: `raw` begins as a gzip stream and is not a complete, undamaged one.
    """
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{origin}: the gzip stream of {len(raw)} bytes must be complete and undamaged: {error}"
        ) from error


def parse_idx(content: bytes, origin: object) -> np.ndarray:
    """Return the array that the unpacked bytes of an IDX file describe.

    Args:
        content: the bytes of the file, unpacked.
        origin: where `content` comes from, a path or a URL, for the error message.

    Returns:
        A new, writable array in the machine's byte order.

    Raises:
        ValueError: `content` is not exactly one IDX array, see `read_idx`.
    """
    if len(content) < 4:
        raise ValueError(f"{origin}: an IDX file must begin with a magic number of 4 bytes, found {len(content)} bytes")
    zeros, element_code, rank = content[:2], content[2], content[3]
    if zeros != b"\x00\x00" or element_code not in ELEMENT_TYPES or rank == 0:
        codes = ", ".join(f"0x{code:02x}" for code in ELEMENT_TYPES)
        raise ValueError(
            f"{origin}: the magic number (=0x{content[:4].hex()}) must be two zero bytes, "
            f"an element type (one of {codes}) and a number of axes of at least 1"
        )
    header_size = 4 + 4 * rank
    if len(content) < header_size:
        raise ValueError(
            f"{origin}: the header of {rank} axes must have {header_size} bytes, found {len(content)} (truncated)"
        )
    shape = struct.unpack(f">{rank}I", content[4:header_size])
    dtype = ELEMENT_TYPES[element_code]
    required = header_size + math.prod(shape) * dtype.itemsize
    if len(content) != required:
        fault = "truncated" if len(content) < required else "trailing bytes"
        raise ValueError(
            f"{origin}: an IDX file of shape {shape} and dtype {dtype.name} must have exactly {required} bytes, "
            f"found {len(content)} ({fault})"
        )
    try:
        array = np.frombuffer(content, dtype, offset=header_size).reshape(shape)
    except ValueError as error:  # more axes, or with a size of 0 larger ones, than NumPy can hold
        raise ValueError(f"{origin}: the shape (={shape}) must be one that NumPy can hold: {error}") from error
    return array.astype(dtype.newbyteorder("="))
