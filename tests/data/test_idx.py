import gzip
import struct

import numpy as np
import pytest

from jaxcnn.data import read_idx

EXTREMES = {
    "uint8": [0, 1, 128, 255],
    "int8": [-128, -1, 0, 127],
    "int16": [-32768, -2, 258, 32767],
    "int32": [-(2**31), -2, 16909060, 2**31 - 1],
    "float32": [-1.5, 0.0, 2.0**-126, 3.0e38],
    "float64": [-1.5, 0.0, 2.0**-1022, 1e308],
}


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="file"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write_file


@pytest.mark.parametrize("dtype", EXTREMES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_every_element_type_is_read(write, to_idx, dtype, pack):
    expected = np.array(EXTREMES[dtype], dtype)
    found = read_idx(write(pack(to_idx(expected))))
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(6,), (1, 6), (2, 3), (3, 2), (3, 1, 2), (0,), (2, 0, 3)])
def test_every_rank_is_read_in_row_major_order(write, to_idx, shape):
    expected = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    found = read_idx(write(to_idx(expected)))
    assert found.shape == shape
    np.testing.assert_array_equal(found, expected)


def test_sizes_and_elements_are_big_endian(write):
    content = b"\x00\x00\x0b\x02" + b"\x00\x00\x00\x01" + b"\x00\x00\x00\x02" + b"\x01\x02" + b"\xff\xfe"
    np.testing.assert_array_equal(read_idx(write(content)), [[258, -2]])


def test_the_array_can_be_written_to(write, to_idx):
    array = read_idx(write(to_idx(np.zeros(2, np.uint8))))
    array[0] = 1
    assert array.tolist() == [1, 0]


@pytest.mark.parametrize("as_type", [str, lambda path: path])
def test_content_and_not_the_name_says_whether_a_file_is_packed(write, to_idx, as_type):
    content = to_idx(np.arange(5, dtype=np.uint8))
    for path in (write(content, "raw.gz"), write(gzip.compress(content), "packed-idx1-ubyte")):
        assert read_idx(as_type(path)).tolist() == [0, 1, 2, 3, 4]


def test_a_gzip_file_of_several_members_is_read_whole(write, to_idx):
    content = to_idx(np.arange(5, dtype=np.uint8))
    assert read_idx(write(gzip.compress(content[:7]) + gzip.compress(content[7:]))).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_every_truncation_of_the_content_is_refused(write, to_idx, pack):
    content = to_idx(np.arange(6, dtype=np.int16).reshape(2, 3))
    for length in range(len(content)):
        with pytest.raises(ValueError, match=rf"cut: .* found {length}\b"):
            read_idx(write(pack(content[:length]), "cut"))


def test_every_truncation_of_a_gzip_stream_is_refused(write, to_idx):
    packed = gzip.compress(to_idx(np.arange(200, dtype=np.uint8)))
    for length in range(2, len(packed)):
        with pytest.raises(ValueError, match=f"cut: the gzip stream of {length} bytes must be complete and undamaged"):
            read_idx(write(packed[:length], "cut"))


def test_a_truncated_header_is_refused(write):
    with pytest.raises(ValueError, match=r"file: the header of 3 axes must have 16 bytes, found 8 \(truncated\)"):
        read_idx(write(b"\x00\x00\x08\x03" + struct.pack(">I", 2)))


def test_truncated_data_are_refused(write, to_idx):
    content = to_idx(np.zeros((2, 3), np.int32))
    required = r"shape \(2, 3\) and dtype int32 must have exactly 36 bytes, found 35 \(truncated\)"
    with pytest.raises(ValueError, match="file: an IDX file of " + required):
        read_idx(write(content[:-1]))


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_trailing_bytes_are_refused(write, to_idx, pack):
    content = to_idx(np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match=r"file: .* must have exactly 18 bytes, found 19 \(trailing bytes\)"):
        read_idx(write(pack(content + b"\x00")))


def test_trailing_bytes_after_a_gzip_stream_are_refused(write, to_idx):
    packed = gzip.compress(to_idx(np.zeros(3, np.uint8)))
    with pytest.raises(ValueError, match=f"file: the gzip stream of {len(packed) + 4} bytes must be complete"):
        read_idx(write(packed + b"junk"))


def test_a_damaged_gzip_stream_is_refused(write, to_idx):
    packed = bytearray(gzip.compress(to_idx(np.arange(200, dtype=np.uint8))))
    for position in range(10, len(packed)):  # the data, their check sum and their length; not the header of 10 bytes
        damaged = packed.copy()
        damaged[position] ^= 0xFF
        with pytest.raises(ValueError, match=r"file: the gzip stream of .* must be complete and undamaged"):
            read_idx(write(bytes(damaged)))


@pytest.mark.parametrize(
    "magic",
    [
        pytest.param(b"\x89PNG", id="another format"),
        pytest.param(b"\x00\x01\x08\x01", id="second byte"),
        pytest.param(b"\x00\x00\x0a\x01", id="unknown element type"),
        pytest.param(b"\x00\x00\x08\x00", id="no axes"),
        pytest.param(b"\x01\x08\x00\x00", id="little-endian"),
    ],
)
def test_a_wrong_magic_number_is_refused(write, magic):
    required = "must be two zero bytes, an element type .one of 0x08, .* 0x0e. and a number of axes of at least 1"
    with pytest.raises(ValueError, match=rf"file: the magic number \(=0x{magic.hex()}\) {required}"):
        read_idx(write(magic + struct.pack(">I", 1) + b"\x00"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\x00\x00\x08\x41" + struct.pack(">65I", *[1] * 65) + b"\x00", id="65 axes"),
        pytest.param(b"\x00\x00\x08\x04" + struct.pack(">4I", 0, *[2**32 - 1] * 3), id="too large, but for a 0"),
    ],
)
def test_a_shape_that_numpy_cannot_hold_is_refused(write, content):
    with pytest.raises(ValueError, match=r"file: the shape \(=\(.*\)\) must be one that NumPy can hold"):
        read_idx(write(content))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        read_idx(tmp_path / "absent")
