import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from jaxcnn.models import tutorial
from jaxcnn.training import load_parameters, save_parameters
from jaxcnn.training.parameters import DTYPES


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
def test_every_dtype_reads_back_bit_for_bit(tmp_path, dtype):
    raw = np.random.default_rng(0).integers(0, 256, 6 * dtype.itemsize, np.uint8)
    array = (raw % 2).astype(bool)[:6].reshape(2, 3) if dtype.name == "bool" else raw.view(dtype).reshape(2, 3)
    save_parameters(tmp_path / "p.safetensors", {"layer": {"w": array}})
    loaded = load_parameters(tmp_path / "p.safetensors")["layer"]["w"]
    assert (loaded.dtype, loaded.shape) == (dtype, (2, 3))
    assert loaded.tobytes() == array.tobytes()
    assert loaded.flags.writeable


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "int32"])
def test_arrays_of_jax_read_back(tmp_path, dtype):
    params = {"w": jnp.array([1.5, -2.0, 3.0]).astype(dtype)}
    save_parameters(tmp_path / "p.safetensors", params)
    assert load_parameters(tmp_path / "p.safetensors")["w"].tolist() == params["w"].tolist()


def test_float64_of_a_run_in_float64_reads_back_without_it(tmp_path):
    with jax.enable_x64(True):
        save_parameters(tmp_path / "p.safetensors", {"w": jnp.full(2, 1 / 3, jnp.float64)})
    loaded = load_parameters(tmp_path / "p.safetensors")["w"]
    assert loaded.dtype == np.float64
    assert loaded.tolist() == [1 / 3, 1 / 3]


@pytest.mark.parametrize(
    "array",
    [np.float32(1.5), np.zeros((0, 3)), np.arange(6.0).reshape(2, 3).T, np.arange(9)[::3]],
    ids=["scalar", "empty", "transposed", "strided"],
)
def test_any_shape_and_layout_reads_back(tmp_path, array):
    save_parameters(tmp_path / "p.safetensors", {"w": array})
    loaded = load_parameters(tmp_path / "p.safetensors")["w"]
    assert loaded.shape == np.shape(array)
    np.testing.assert_array_equal(loaded, array)


def test_parameters_of_a_model_read_back_and_give_the_same_logits(tmp_path):
    model = tutorial()
    params, state = model.init(jax.random.key(0), (8, 8, 1))
    save_parameters(tmp_path / "p.safetensors", params)
    loaded = load_parameters(tmp_path / "p.safetensors")
    assert jax.tree.structure(loaded) == jax.tree.structure(params)
    x = jax.random.normal(jax.random.key(1), (2, 8, 8, 1))
    expected, _ = model.apply(params, state, x, train=False)
    np.testing.assert_array_equal(model.apply(loaded, state, x, train=False)[0], expected)


def test_other_programs_see_one_array_a_layer_and_part(tmp_path):
    save_parameters(tmp_path / "p.safetensors", {"conv1": {"kernel": np.ones((2, 2)), "bias": np.ones(2)}})
    assert sorted(safetensors.numpy.load_file(tmp_path / "p.safetensors")) == ["conv1.bias", "conv1.kernel"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "p.safetensors"
    save_parameters(path, {"w": np.ones(2)})

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(OSError, match="no space left"):
        save_parameters(path, {"w": np.zeros(2)})
    assert load_parameters(path)["w"].tolist() == [1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["p.safetensors"]


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"a": [np.ones(1)]}, TypeError, r"params at a \(list, dtype None\) must be a nested dict of arrays"),
        ({"a": {"b": 1.0}}, TypeError, r"params at a.b \(float, dtype None\)"),
        ({"a": jax.random.key(0)}, TypeError, r"params at a .*dtype key"),
        ({"a": np.ones(1, complex)}, TypeError, r"params at a \(ndarray, dtype complex128\)"),
        (np.ones(1), TypeError, r"params \(ndarray, dtype float64\) must be a nested dict"),
        ({"a.b": np.ones(1)}, ValueError, r"the name \(='a.b'\) must be text without dots"),
        ({"a": {"": np.ones(1)}}, ValueError, r"the name \(=''\) in a must be text without dots, and not empty"),
        ({"a": {1: np.ones(1)}}, ValueError, r"the name \(=1\) in a"),
        ({"a": {}}, ValueError, r"the dict at a \(=\{\}\) must not be empty"),
    ],
)
def test_what_could_not_be_read_back_is_an_error(tmp_path, params, error, message):
    with pytest.raises(error, match=message):
        save_parameters(tmp_path / "p.safetensors", params)
    assert not list(tmp_path.iterdir())


def test_no_parameters_at_all_read_back(tmp_path):
    save_parameters(tmp_path / "p.safetensors", {})
    assert load_parameters(tmp_path / "p.safetensors") == {}


def test_a_damaged_file_is_an_error(tmp_path):
    path = tmp_path / "p.safetensors"
    save_parameters(path, {"w": np.ones(100)})
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"p\.safetensors: the file must be a whole safetensors file"):
        load_parameters(path)
    with pytest.raises(FileNotFoundError):
        load_parameters(tmp_path / "none")


def test_a_dtype_that_numpy_does_not_have_is_an_error(tmp_path):
    path = tmp_path / "p.safetensors"
    path.write_bytes(safetensors.numpy.save({"w": np.ones(2, np.complex64)}))
    with pytest.raises(ValueError, match=r"the dtype of w \(=C64\) must be one of BOOL, I8"):
        load_parameters(path)


@pytest.mark.parametrize("module", ["safetensors", "safetensors.numpy"])
def test_without_safetensors_the_error_says_what_to_install(tmp_path, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    call = load_parameters if module == "safetensors" else lambda path: save_parameters(path, {"w": np.ones(1)})
    with pytest.raises(ModuleNotFoundError, match=r'pip install "jaxcnn\[train\]"'):
        call(tmp_path / "p.safetensors")
