import contextlib
import json
import os

import pytest

from jaxcnn.training import MetricsFile


def test_records_become_lines_that_read_back(tmp_path):
    records = [{"kind": "step", "step": 0, "loss": 0.1 + 0.2}, {"kind": "epoch", "accuracy": 1.0, "note": "ü\n"}]
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        metrics.write(*records)
        metrics.write(records[0])
    lines = (tmp_path / "metrics.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in lines] == [*records, records[0]]


def test_lines_are_on_disk_as_soon_as_they_are_written(tmp_path):
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    metrics.write({"step": 1})
    assert metrics.path.read_text() == '{"step": 1}\n'
    metrics.close()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_does_not_have_become_null(tmp_path, value):
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        metrics.write({"loss": value})
    assert metrics.path.read_text() == '{"loss": null}\n'


def test_an_existing_file_is_replaced(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("old\n")
    with MetricsFile(tmp_path / "metrics.jsonl"):
        pass
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        MetricsFile(tmp_path / "none" / "metrics.jsonl")


def test_a_file_that_shall_not_be_replaced_is_an_error(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("old\n")
    (tmp_path / "parameters").write_text("old")
    with pytest.raises(FileExistsError, match=r"metrics\.jsonl"):
        MetricsFile(tmp_path / "metrics.jsonl", replace=False, outdated=[tmp_path / "parameters"])
    assert (tmp_path / "metrics.jsonl").read_text() == "old\n"
    assert (tmp_path / "parameters").read_text() == "old"
    with MetricsFile(tmp_path / "new.jsonl", replace=False) as metrics:
        metrics.write({"step": 1})
    assert metrics.path.read_text() == '{"step": 1}\n'


def test_what_belongs_to_old_records_goes_before_they_do(tmp_path, monkeypatch):
    """A run that is killed in between leaves old records without parameters."""
    (tmp_path / "metrics.jsonl").write_text("old\n")
    (tmp_path / "parameters").write_text("old")
    unlink = type(tmp_path).unlink

    def unlink_and_die(path, **options):
        unlink(path, **options)
        raise OSError("killed")

    monkeypatch.setattr(type(tmp_path), "unlink", unlink_and_die)
    with pytest.raises(OSError, match="killed"):
        MetricsFile(tmp_path / "metrics.jsonl", outdated=[tmp_path / "parameters", tmp_path / "none"])
    assert (tmp_path / "metrics.jsonl").read_text() == "old\n"
    monkeypatch.undo()
    with MetricsFile(tmp_path / "metrics.jsonl", outdated=[tmp_path / "parameters", tmp_path / "none"]):
        assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_nobody_else_writes_an_open_file(tmp_path):
    pytest.importorskip("fcntl")
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        metrics.write({"step": 1})
        with pytest.raises(BlockingIOError, match="another run is writing"):
            MetricsFile(tmp_path / "metrics.jsonl", outdated=[metrics.path])
        metrics.write({"step": 2})
    assert metrics.path.read_text() == '{"step": 1}\n{"step": 2}\n'
    with MetricsFile(tmp_path / "metrics.jsonl"):
        assert metrics.path.read_text() == ""


def test_a_disk_that_gets_full_leaves_whole_lines(tmp_path):
    """The limit of a file's size is met in the middle of a record: the system writes a part of it, and then refuses."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with MetricsFile(tmp_path / "metrics.jsonl") as metrics:
        metrics.write({"step": 1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (30, before[1]))
        try:
            with pytest.raises(OSError, match="too large"):
                metrics.write({"step": 2}, {"step": 3})
            with contextlib.suppress(OSError):
                metrics.write({"loss": 0.123456789})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert metrics.path.read_text() == '{"step": 1}\n'
        metrics.write({"step": 4})
    assert metrics.path.read_text() == '{"step": 1}\n{"step": 4}\n'


def test_records_can_go_into_a_pipe(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes with names")
    os.mkfifo(tmp_path / "metrics.jsonl")
    reader = os.open(tmp_path / "metrics.jsonl", os.O_RDONLY | os.O_NONBLOCK)
    with MetricsFile(tmp_path / "metrics.jsonl", replace=False) as metrics:
        metrics.write({"step": 1})
        assert os.read(reader, 100) == b'{"step": 1}\n'
    os.close(reader)
