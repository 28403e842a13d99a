import gzip
import hashlib
import re

import pytest

from jaxcnn.data import Dataset, registry


@pytest.mark.parametrize("name", registry.DATA_SOURCES)
def test_an_entry_is_complete(name):
    source = registry.DATA_SOURCES[name]
    assert list(source.sha256) == list(registry.FILE_NAMES)
    assert all(re.fullmatch("[0-9a-f]{64}", sha256) for sha256 in source.sha256.values())
    assert len(set(source.sha256.values())) == 4
    assert source.mirrors or source.folder, "there must be a place to take it from"
    assert all(re.fullmatch(r"https?://\S+/", mirror) for mirror in source.mirrors), "a file name is appended"


def test_the_keys_are_the_fields_of_a_dataset():
    assert list(registry.FILE_NAMES) == list(Dataset._fields)


def test_the_embedded_test_set_is_that_of_mnist():
    embedded, whole = registry.DATA_SOURCES["mnist-10k"].sha256, registry.DATA_SOURCES["mnist"].sha256
    for field in ("test_images", "test_labels"):
        assert embedded[field] == whole[field]
    for field in ("train_images", "train_labels"):
        assert embedded[field] != whole[field]


def test_the_embedded_folder_holds_the_four_files_and_their_attribution():
    folder = registry.DATA_SOURCES["mnist-10k"].folder
    names = {f"{file_name}.gz" for file_name in registry.FILE_NAMES.values()}
    assert {path.name for path in folder.iterdir()} == names | {"ATTRIBUTION.md"}
    for name in names:
        assert (folder / name).read_bytes()[3:8] == bytes(5), "neither a file name nor a time stamp is in the header"
    attribution = (folder / "ATTRIBUTION.md").read_text()
    for phrase in ("LeCun", "Cortes", "Burges", "https://creativecommons.org/licenses/by-sa/3.0/", "first 10,000"):
        assert phrase in attribution


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_unpack_checked_compares_the_unpacked_content(pack):
    content = b"\x00\x00 some content"
    sha256 = hashlib.sha256(content).hexdigest()
    assert registry.unpack_checked(pack(content), sha256, "here") == content
    other = hashlib.sha256(content + b"!").hexdigest()
    with pytest.raises(ValueError, match=rf"^here: the SHA-256 of the unpacked content \(={other}\) must be {sha256}$"):
        registry.unpack_checked(pack(content + b"!"), sha256, "here")
