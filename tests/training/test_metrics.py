import json

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
