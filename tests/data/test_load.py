import gzip
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from jaxcnn.data import Dataset, load
from jaxcnn.data.registry import DATA_SOURCES, FILE_NAMES

TRAIN_IMAGES = "train-images-idx3-ubyte"


@pytest.fixture
def serve(server, tiny, amend):
    """Put the tiny data set on a mirror."""
    server.bodies |= {f"/{name}": content for name, content in tiny.packed.items()}
    amend(mirrors=(server.url + "/",))
    return server


def assert_equals(found, tiny):
    for field, expected in tiny.arrays.items():
        np.testing.assert_array_equal(np.squeeze(getattr(found, field)), expected, err_msg=field)


def spoil(folder, name=TRAIN_IMAGES + ".gz"):
    """Put another content under the name of a file, and return its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(gzip.compress(b"another content"))
    return hashlib.sha256(b"another content").hexdigest()


# The embedded data set.


def test_the_embedded_data_set_has_its_shapes_and_dtypes():
    data = load("mnist-10k")
    assert isinstance(data, Dataset)
    assert [array.shape for array in data] == [(10000, 28, 28, 1), (10000,)] * 2
    assert [array.dtype.name for array in data] == ["uint8", "int32"] * 2


def test_the_embedded_data_set_has_the_digits_of_mnist():
    data = load("mnist-10k")
    assert data.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert data.test_labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(data.train_labels).tolist() == [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    for images in (data.train_images, data.test_images):
        assert images.min() == 0
        assert images.max() == 255
        assert not images[:, 0, :, 0].any(), "the border of a digit is background"
        assert images.reshape(10000, -1).any(axis=1).all(), "no image is empty"


def test_the_embedded_data_set_is_never_looked_for_elsewhere(no_folders, monkeypatch, tmp_path):
    spoil(tmp_path)
    spoil(tmp_path / "mnist-10k")
    monkeypatch.setenv("JAXCNN_DATA", str(tmp_path))
    assert load("mnist-10k", tmp_path).train_labels[0] == 5


# Where files are looked for.


def test_values_shapes_and_dtypes(tiny, tmp_path):
    data = load("tiny", tiny.put(tmp_path))
    assert [array.shape for array in data] == [(3, 28, 28, 1), (3,), (2, 28, 28, 1), (2,)]
    assert [array.dtype.name for array in data] == ["uint8", "int32"] * 2
    assert_equals(data, tiny)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("below", ["tiny", "."])
@pytest.mark.parametrize("given_as", ["data_dir", "text", "$JAXCNN_DATA"])
def test_a_folder_of_the_user_is_used(tiny, tmp_path, monkeypatch, packed, below, given_as):
    tiny.put(tmp_path / below, packed)
    if given_as == "$JAXCNN_DATA":
        monkeypatch.setenv("JAXCNN_DATA", str(tmp_path))
        assert_equals(load("tiny"), tiny)
    else:
        assert_equals(load("tiny", str(tmp_path) if given_as == "text" else tmp_path), tiny)


def test_a_tilde_is_the_home_folder(tiny, tmp_path, monkeypatch):
    tiny.put(tmp_path / "digits")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert_equals(load("tiny", "~/digits"), tiny)


def test_the_folder_of_the_system_is_used(tiny, tmp_path, amend):
    amend(folder=tiny.put(tmp_path / "system"))
    assert_equals(load("tiny"), tiny)


def test_fashion_mnist_is_looked_for_where_debian_puts_it():
    assert DATA_SOURCES["fashion-mnist"].folder == Path("/usr/share/datasets/fashion-mnist")


def test_the_cache_is_used(tiny, tmp_path):
    tiny.put(tmp_path / "cache" / "jaxcnn" / "tiny")
    assert_equals(load("tiny"), tiny)


def test_the_cache_is_in_the_home_folder_without_xdg_cache_home(tiny, tmp_path, monkeypatch):
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv("XDG_CACHE_HOME")
        else:
            monkeypatch.setenv("XDG_CACHE_HOME", value)
        home = tmp_path / f"home {value!r}"
        tiny.put(home / ".cache" / "jaxcnn" / "tiny")
        monkeypatch.setenv("HOME", str(home))
        assert_equals(load("tiny"), tiny)


def test_the_order_of_the_places(tiny, tmp_path, monkeypatch, amend):
    """All places hold a wrong file; taking away the first one each time shows which is looked at next."""
    monkeypatch.setenv("JAXCNN_DATA", str(tmp_path / "variable"))
    amend(folder=tmp_path / "system")
    places = ["given/tiny", "given", "variable/tiny", "variable", "system", "cache/jaxcnn/tiny"]
    for place in places:
        spoil(tmp_path / place)
    for place in places:
        path = tmp_path / place / f"{TRAIN_IMAGES}.gz"
        with pytest.raises(ValueError, match=re.escape(f"data set 'tiny', file {path}: the SHA-256")):
            load("tiny", tmp_path / "given")
        path.unlink()
    with pytest.raises(OSError, match=r"could not be downloaded"):
        load("tiny", tmp_path / "given")


def test_files_may_lie_in_different_places(tiny, tmp_path, monkeypatch):
    tiny.put(tmp_path / "given")
    tiny.put(tmp_path / "variable", packed=False)
    (tmp_path / "given" / f"{TRAIN_IMAGES}.gz").unlink()
    monkeypatch.setenv("JAXCNN_DATA", str(tmp_path / "variable"))
    assert_equals(load("tiny", tmp_path / "given"), tiny)


# Where files are downloaded to.


@pytest.mark.parametrize(
    ("data_dir", "variable", "target"),
    [
        ("given", "variable", "given/tiny"),
        (None, "variable", "variable/tiny"),
        (None, "", "cache/jaxcnn/tiny"),
        (None, None, "cache/jaxcnn/tiny"),
    ],
)
def test_missing_files_are_downloaded_once(tiny, serve, tmp_path, monkeypatch, data_dir, variable, target):
    if variable is not None:
        monkeypatch.setenv("JAXCNN_DATA", variable and str(tmp_path / variable))
    given = data_dir and tmp_path / data_dir
    assert_equals(load("tiny", given), tiny)
    assert {path.name for path in (tmp_path / target).iterdir()} == set(tiny.packed)
    assert sorted(serve.requests) == sorted(f"/{name}" for name in tiny.packed)
    assert_equals(load("tiny", given), tiny)
    assert len(serve.requests) == 4


def test_only_the_missing_file_is_downloaded(tiny, serve, tmp_path):
    tiny.put(tmp_path)
    (tmp_path / f"{TRAIN_IMAGES}.gz").unlink()
    assert_equals(load("tiny", tmp_path), tiny)
    assert serve.requests == [f"/{TRAIN_IMAGES}.gz"]
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == [f"{TRAIN_IMAGES}.gz"]


def test_a_failed_download_makes_no_folder(tiny, tmp_path):
    target = tmp_path / "cache" / "jaxcnn" / "tiny"
    with pytest.raises(OSError, match=f"{TRAIN_IMAGES}.gz could not be downloaded .*(.|\n)* by hand into {target}"):
        load("tiny")
    assert list(tmp_path.iterdir()) == []


# What is refused.


@pytest.mark.parametrize("name", ["MNIST", "cifar-10", ""])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(ValueError, match=rf"name \(='{name}'\) must be one of 'mnist', 'fashion-mnist', 'mnist-10k'"):
        load(name)


@pytest.mark.parametrize("field", FILE_NAMES)
def test_a_file_with_another_content_is_refused_and_kept(tiny, serve, tmp_path, field):
    path = tiny.put(tmp_path) / f"{FILE_NAMES[field]}.gz"
    found = spoil(tmp_path, path.name)
    before = path.read_bytes()
    expected = DATA_SOURCES["tiny"].sha256[field]
    with pytest.raises(ValueError, match=rf"file {path}: the SHA-256 .* \(={found}\) must be {expected}"):
        load("tiny", tmp_path)
    assert path.read_bytes() == before
    assert serve.requests == [], "it is not replaced behind the user's back"


def test_a_truncated_gzip_file_is_refused(tiny, tmp_path):
    path = tiny.put(tmp_path) / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=rf"file {path}: the gzip stream of \d+ bytes must be complete"):
        load("tiny", tmp_path)


def test_a_file_that_has_its_hash_and_is_no_idx_file_is_refused(tiny, tmp_path, amend):
    found = spoil(tiny.put(tmp_path))
    amend(sha256=DATA_SOURCES["tiny"].sha256 | {"train_images": found})
    with pytest.raises(ValueError, match=rf"{TRAIN_IMAGES}.gz: the magic number \(=0x{b'anot'.hex()}\) must be"):
        load("tiny", tmp_path)


@pytest.mark.parametrize(
    ("train", "test", "message"), [(2, 2, "the 2 labels .* the 3"), (3, 1, "the 1 labels .* the 2")]
)
def test_images_and_labels_of_different_length_are_refused(register, tmp_path, train, test, message):
    mismatched = register(
        {
            "train_images": np.zeros((3, 28, 28), np.uint8),
            "train_labels": np.arange(train, dtype=np.uint8),
            "test_images": np.ones((2, 28, 28), np.uint8),
            "test_labels": np.arange(test, dtype=np.uint8) + 5,
        }
    )
    file_name = "train-labels-idx1-ubyte" if train != 3 else "t10k-labels-idx1-ubyte"
    with pytest.raises(ValueError, match=rf"{file_name}.gz: {message} of .*images-idx3-ubyte.gz"):
        load("tiny", mismatched.put(tmp_path))


@pytest.mark.parametrize("origin", ["data_dir", "$JAXCNN_DATA"])
def test_a_file_in_the_place_of_a_folder_is_refused(tiny, tmp_path, monkeypatch, origin):
    path = tmp_path / "file"
    path.touch()
    if origin == "$JAXCNN_DATA":
        monkeypatch.setenv("JAXCNN_DATA", str(path))
    with pytest.raises(NotADirectoryError, match=rf"{re.escape(origin)} \(='{path}'\) must be a folder"):
        load("tiny", path if origin == "data_dir" else None)
