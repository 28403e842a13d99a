import importlib.metadata
import re
import tomllib
from pathlib import Path

import jaxcnn
from jaxcnn import _version


def test_the_version_is_that_of_the_distribution():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert jaxcnn.__version__ == importlib.metadata.version("jaxcnn") == project["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", jaxcnn.__version__)


def test_a_checkout_that_is_not_installed_can_be_imported(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert _version.version() == "0+unknown"
