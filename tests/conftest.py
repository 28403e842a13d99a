"""Options and fixtures of all tests."""

from pathlib import Path

import jax
import pytest

from tests.quick_compilation import xla_flags

# Thousands of small programs.
QUICK = ("ops", "algorithms", "gradcheck", "models", "walkthrough", "transforms", "training")
STRICT = ("ops", "algorithms", "gradcheck")  # optax's adam needs the standard promotion, so training is not among them


def pytest_addoption(parser):
    group = parser.getgroup("jaxcnn")
    group.addoption("--full", action="store_true", help="also run the tests that take minutes")
    group.addoption("--configurations", type=int, default=16, help="how many random configurations to try")
    group.addoption("--configurations-seed", type=int, default=0, help="where the random configurations start")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes minutes; runs with --full only")
    runs_tests = hasattr(config, "workerinput") or not config.getoption("numprocesses")
    if runs_tests and not config.getoption("--full"):
        compile_loops_quickly()


def compile_loops_quickly():
    """Have XLA compile fused loops in less time, in this process alone.

    The scripts that tests start, `--full`, and `python -m tests.random_configurations` compile as users do.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XLA_FLAGS", xla_flags())
        jax.local_devices()  # which reads the flags


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--full"):
        items[:] = [item for item in items if item.get_closest_marker("full") is None]


def pytest_terminal_summary(terminalreporter):
    """Print the tables that tests have recorded, at the end, where every worker's are seen."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, text in report.user_properties:
            if name == "table":
                terminalreporter.section(report.nodeid)
                terminalreporter.write_line(text)


@pytest.fixture(autouse=True, scope="module")
def little_memory():
    """Forget the programs of a file when it is done: together they are some gigabytes."""
    yield
    jax.clear_caches()


@pytest.fixture(autouse=True)
def compilation(request):
    """Compile the many small programs of some tests without most optimizations, in half the time, but for `--full`.

    What XLA makes of the layers when it optimizes is seen by all other tests: random configurations, the rows of the
    benchmark and its networks, the scripts.
    """
    quick = not request.config.getoption("--full") and Path(request.path).parent.name in QUICK
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", quick or before)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(autouse=True)
def exact_products():
    """Multiply float32 in float32: a GPU would take TF32, which has 10 bits, and so differ between programs."""
    with jax.default_matmul_precision("highest"):
        yield


@pytest.fixture(autouse=True)
def strict_promotion(request):
    """Refuse silent promotion of dtypes and ranks in the tests of ops, algorithms and gradcheck."""
    if Path(request.path).parent.name not in STRICT:
        yield
        return
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield
