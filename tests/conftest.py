"""Options and fixtures of all tests."""

from pathlib import Path

import jax
import pytest

STRICT = ("ops", "algorithms", "gradcheck")  # optax's adam needs the standard promotion, so training is not among them


def pytest_addoption(parser):
    group = parser.getgroup("jaxcnn")
    group.addoption("--full", action="store_true", help="also run the tests that take minutes")
    group.addoption("--configurations", type=int, default=160, help="how many random configurations to try")
    group.addoption("--configurations-seed", type=int, default=0, help="where the random configurations start")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes minutes; runs with --full only")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--full"):
        items[:] = [item for item in items if item.get_closest_marker("full") is None]


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
