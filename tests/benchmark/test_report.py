import dataclasses

import pytest

from jaxcnn.benchmark import environment, plot, report
from jaxcnn.benchmark.measure import Measurement, Pair
from jaxcnn.benchmark.timing import Ratio, Statistics


def pair(ratio, *, same=False, width=0.01):
    manual = Statistics(2.0, 1.9, 2.1, 7)
    jax_grad = Statistics(2.0 * ratio, 1.9 * ratio, 2.1 * ratio, 7)
    return Pair(manual, jax_grad, Ratio(ratio, ratio - width, ratio + width), same)


def make(row, ratio, part="all", **changes):
    measurement = Measurement(
        row=row,
        part=part,
        shapes="2,3",
        work=1000,
        default=pair(ratio),
        best=pair(2 * ratio),
        eager=None,
        best_options={"manual": "default", "jax_grad": "empty"},
        torch=None,
        torch_ratio=None,
        torch_format=None,
        relative_error=1.25e-7,
        compile_seconds={"manual": 0.5, "jax_grad": 1.25},
        temp_bytes={"manual": 3 << 20, "jax_grad": None},
    )
    return dataclasses.replace(measurement, **changes)


def test_the_full_row_has_every_column():
    cells = report.full_row(make("conv", 1.5))
    assert len(cells) == len(report.HEADINGS)
    assert cells[:5] == ("conv", "all", "2.00 ±5%", "3.00 ±5%", "1.50\n(1.49-1.51)")
    assert cells[5:8] == ("2.00 ±5%", "6.00 ±5%\nempty", "3.00\n(2.99-3.01)")
    assert cells[8:13] == ("",) * 5
    assert cells[13:] == ("1e-07", "0.50 / 1.25", "3.00 / ?")


def test_equal_and_slower_are_marked():
    assert report.full_row(make("conv", 1.5, default=pair(0.5, same=True)))[4].endswith("= same")
    assert report.full_row(make("conv", 0.5))[4].endswith("SLOWER")


def test_the_summary_is_of_whole_layers_and_lists_what_is_slower():
    rows = [
        make("a", 2.0),
        make("b", 0.5, best=None),
        make("b", 0.25, "dx"),
        make("c", 0.5, default=pair(0.5, same=True), torch_ratio=Ratio(4, 3, 5)),
        make("d", 0.93, default=pair(0.93, width=0.05)),
    ]
    summary = report.summary(rows)
    assert summary["rows"] == 4
    assert summary["geometric_means"] == pytest.approx(
        {"default": (2 * 0.5 * 0.5 * 0.93) ** (1 / 4), "best": (4 * 1 * 1.86) ** (1 / 3), "torch": 4}
    )
    assert summary["slower"] == [
        "b, all, default: 0.500 (0.490-0.510)",
        "b, dx, default: 0.250 (0.240-0.260)",
        "b, dx, best: 0.500 (0.490-0.510)",
    ]
    assert report.summary([make("b", 1, "dx")])["geometric_means"] == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234.5, "1234"), (12.345, "12.3"), (1.5, "1.50"), (0.0123, "0.0123"), (0.00001234, "0.0000")],
)
def test_numbers_have_three_digits(value, text):
    assert report.short(value) == text


def test_a_chart_is_saved(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "ratios.svg"
    plot.save(path, [make("conv", 2.0), make("dense", 0.5), make("relu", 1.0, default=pair(1.0, same=True))], "a title")
    text = path.read_text()
    assert "<svg" in text
    assert plot.can_save(path)
    assert not plot.can_save(tmp_path / "ratios.docx")


def test_the_environment_says_where_it_was(tmp_path):
    described = environment.describe()
    names = "date cpu vectors cores platform device jax jaxlib xla_flags compiler_options"
    assert set(names.split()) <= set(described)
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: A Processor @ 2 GHz\nprocessor\t: 1\nmodel name\t: Another\n")
    assert environment.cpu_model(cpuinfo) == "A Processor @ 2 GHz"
    assert environment.cpu_model(tmp_path / "none")


@pytest.mark.parametrize(
    ("flags", "extension"), [("sse2 avx avx2 avx512f", "AVX-512"), ("sse2 avx avx2", "AVX2"), ("sse2 avx", "")]
)
def test_the_environment_says_how_wide_its_vectors_are(flags, extension, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nflags\t\t: fpu {flags} bmi2\nmodel name\t: A Processor\n")
    assert environment.vector_extension(cpuinfo) == extension
    assert environment.vector_extension(tmp_path / "none") == ""
