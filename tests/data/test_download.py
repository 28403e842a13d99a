import gzip
import hashlib
import socket
from pathlib import Path

import numpy as np
import pytest

from jaxcnn.data import download as download_module
from jaxcnn.data.download import download

pytestmark = pytest.mark.usefixtures("no_folders")

NAME = "train-labels-idx1-ubyte.gz"


@pytest.fixture
def content(to_idx):
    return to_idx(np.random.default_rng(1).integers(0, 10, 500, np.uint8))


@pytest.fixture
def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def packed(content):
    return gzip.compress(content, mtime=0)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "made" / "on demand"


def assert_nothing_written(folder):
    assert not folder.exists() or list(folder.iterdir()) == []


def test_the_file_arrives_as_the_mirror_has_it(server, packed, sha256, folder):
    server.bodies["/a/" + NAME] = packed
    path = download(NAME, [server.url + "/a/"], sha256, folder)
    assert path == folder / NAME
    assert path.read_bytes() == packed
    assert list(folder.iterdir()) == [path], "no temporary folder is left"


def test_the_file_has_the_permissions_that_the_user_gives_to_new_files(server, packed, sha256, folder, tmp_path):
    server.bodies["/a/" + NAME] = packed
    (tmp_path / "other").touch()
    assert download(NAME, [server.url + "/a/"], sha256, folder).stat().st_mode == (tmp_path / "other").stat().st_mode


def test_the_second_mirror_is_asked_when_the_first_lacks_the_file(server, packed, sha256, folder):
    server.bodies["/b/" + NAME] = packed
    assert download(NAME, [server.url + "/a/", server.url + "/b/"], sha256, folder).read_bytes() == packed
    assert server.requests == ["/a/" + NAME, "/b/" + NAME]


def test_the_second_mirror_is_left_alone_when_the_first_delivers(server, packed, sha256, folder):
    server.bodies |= {"/a/" + NAME: packed, "/b/" + NAME: packed}
    download(NAME, [server.url + "/a/", server.url + "/b/"], sha256, folder)
    assert server.requests == ["/a/" + NAME]


def test_a_wrong_hash_is_refused(server, content, sha256, folder):
    other = content[:-1] + b"\x0a"
    server.bodies["/a/" + NAME] = gzip.compress(other)
    found = hashlib.sha256(other).hexdigest()
    with pytest.raises(OSError, match=rf"/a/{NAME}: ValueError: .* \(={found}\) must be {sha256}"):
        download(NAME, [server.url + "/a/"], sha256, folder)
    assert_nothing_written(folder)


def test_a_wrong_hash_on_the_first_mirror_leads_to_the_second(server, packed, sha256, folder):
    server.bodies |= {"/a/" + NAME: b"<html>no such bucket</html>", "/b/" + NAME: packed}
    assert download(NAME, [server.url + "/a/", server.url + "/b/"], sha256, folder).read_bytes() == packed


def test_a_connection_cut_in_the_middle_is_refused(server, packed, sha256, folder):
    half = len(packed) // 2
    server.bodies["/a/" + NAME] = packed[:half]
    server.claimed_lengths["/a/" + NAME] = len(packed)
    with pytest.raises(OSError, match=rf"IncompleteRead\({half} bytes read, {len(packed) - half} more expected\)"):
        download(NAME, [server.url + "/a/"], sha256, folder)
    assert_nothing_written(folder)


def test_a_cut_connection_that_stated_no_length_is_refused(server, packed, sha256, folder):
    server.bodies["/a/" + NAME] = packed[:-9]
    server.claimed_lengths["/a/" + NAME] = None
    with pytest.raises(OSError, match=f"the gzip stream of {len(packed) - 9} bytes must be complete"):
        download(NAME, [server.url + "/a/"], sha256, folder)
    assert_nothing_written(folder)


def test_a_silent_mirror_is_given_up(monkeypatch, packed, sha256, folder):
    monkeypatch.setattr(download_module, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(OSError, match=f"{url}{NAME}: TimeoutError: timed out"):
            download(NAME, [url], sha256, folder)
    assert_nothing_written(folder)


def test_the_error_lists_every_mirror_and_a_way_out(server, sha256, folder):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with pytest.raises(OSError, match=f"{NAME} could not be downloaded from any of its 2 mirrors") as caught:
        download(NAME, [server.url + "/a/", closed], sha256, folder)
    message = str(caught.value)
    assert f"{server.url}/a/{NAME}: HTTPError: HTTP Error 404" in message
    assert f"{closed}{NAME}: URLError: " in message
    assert f"put by hand into {folder}, or into a folder that is given as data_dir or in $JAXCNN_DATA" in message
    assert_nothing_written(folder)


def test_what_an_earlier_process_left_behind_is_not_used(server, packed, sha256, folder):
    stale = folder / ".download-stale" / NAME
    stale.parent.mkdir(parents=True)
    stale.write_bytes(packed[:50])
    server.bodies["/a/" + NAME] = packed
    assert download(NAME, [server.url + "/a/"], sha256, folder).read_bytes() == packed
    assert stale.read_bytes() == packed[:50], "it may belong to a process that still runs"


@pytest.mark.parametrize("moment", ["write_bytes", "replace"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interruption_leaves_nothing_behind(server, packed, sha256, folder, monkeypatch, moment, error):
    server.bodies["/a/" + NAME] = packed
    original = Path.write_bytes

    def interrupted(path, *_):
        original(path, packed[:20])
        assert folder in path.parents, "it must be on the file system of the final name"
        assert path != folder / NAME
        raise error("interrupted")

    monkeypatch.setattr(Path, moment, interrupted)
    with pytest.raises(error, match="interrupted"):
        download(NAME, [server.url + "/a/"], sha256, folder)
    assert list(folder.iterdir()) == []


def test_an_interruption_of_the_transfer_is_not_taken_for_a_bad_mirror(monkeypatch, sha256, folder):
    asked = []

    def interrupted(url, **_):
        asked.append(url)
        raise KeyboardInterrupt

    monkeypatch.setattr(download_module.urllib.request, "urlopen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download(NAME, ["http://127.0.0.1:9/a/", "http://127.0.0.1:9/b/"], sha256, folder)
    assert asked == ["http://127.0.0.1:9/a/" + NAME]
    assert_nothing_written(folder)
