import json
import subprocess
import sys

import pytest

from jaxcnn._extras import import_extra


def test_what_is_installed_is_imported():
    assert import_extra("json", "train") is json


def test_what_is_missing_is_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(ModuleNotFoundError, match=r'^rich must be installed for this: pip install "jaxcnn\[train\]"$'):
        import_extra("rich", "train")


def test_what_a_module_itself_lacks_is_reported_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "needs_more.py").write_text("import surely_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'surely_not_there'$"):
        import_extra("needs_more", "train")


def test_training_can_be_imported_without_any_extra():
    code = "import sys, jaxcnn.training; print({'rich', 'safetensors', 'tyro', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
