"""Parameters on disk, in the safetensors format: a header of names, dtypes and shapes, then the plain bytes.

A nested dict is stored flat: the array at params["conv1"]["kernel"] under the name "conv1.kernel".
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn._extras import import_extra

# The dtypes that both NumPy, with the ml_dtypes of JAX, and safetensors have, under the names that the format uses.
DTYPES: dict[str, np.dtype] = {
    "BOOL": jnp.dtype("bool"),
    "I8": jnp.dtype("int8"),
    "I16": jnp.dtype("int16"),
    "I32": jnp.dtype("int32"),
    "I64": jnp.dtype("int64"),
    "U8": jnp.dtype("uint8"),
    "U16": jnp.dtype("uint16"),
    "U32": jnp.dtype("uint32"),
    "U64": jnp.dtype("uint64"),
    "F8_E4M3": jnp.dtype("float8_e4m3fn"),
    "F8_E5M2": jnp.dtype("float8_e5m2"),
    "F16": jnp.dtype("float16"),
    "BF16": jnp.dtype("bfloat16"),
    "F32": jnp.dtype("float32"),
    "F64": jnp.dtype("float64"),
}


def save_parameters(path: str | os.PathLike[str], params: dict[str, Any]) -> None:
    """Save a nested dict of arrays as one safetensors file.

    The file is written aside and then renamed, so that a whole file is there afterwards or what was there before.

    Args:
      path: the file, replaced if it exists. Its folder must exist.
      params: dicts within dicts, with arrays of a dtype of `DTYPES` at the ends, of JAX or NumPy.

    Raises:
      TypeError: `params` holds something else than dicts and arrays, or an array of another dtype.
      ValueError: a name is empty or has a dot, or a dict is empty, so that it could not be read back.
      OSError: the file cannot be written.
      ModuleNotFoundError: safetensors is not installed.
    """
    path = Path(path)
    content = import_extra("safetensors.numpy", "train").save(dict(_flatten(params, ())))
    with tempfile.TemporaryDirectory(prefix=".save-", dir=path.parent) as temporary:
        aside = Path(temporary) / path.name
        aside.write_bytes(content)
        aside.replace(path)


def load_parameters(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load what `save_parameters` saved.

    Args:
      path: the file.

    Returns:
      The nested dict, with NumPy arrays of exactly the dtypes that were saved, bfloat16 and float64 included. A model
      takes them as they are. Made into JAX arrays, those of 64 bits become 32 bits wide, unless JAX has 64-bit types
      switched on.

    Raises:
      ValueError: the file is not a whole safetensors file, or has an array of a dtype that NumPy does not.
      OSError: the file cannot be read.
      ModuleNotFoundError: safetensors is not installed.
    """
    safetensors = import_extra("safetensors", "train")
    try:
        tensors = safetensors.deserialize(Path(path).read_bytes())
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: the file must be a whole safetensors file: {error}") from error
    params: dict[str, Any] = {}
    for name, tensor in tensors:
        if tensor["dtype"] not in DTYPES:
            raise ValueError(f"{path}: the dtype of {name} (={tensor['dtype']}) must be one of {', '.join(DTYPES)}")
        *layers, last = name.split(".")
        inner = params
        for layer in layers:
            inner = inner.setdefault(layer, {})
        stored = np.frombuffer(tensor["data"], DTYPES[tensor["dtype"]].newbyteorder("<"))
        inner[last] = stored.astype(DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
    return params


def _flatten(params: Any, path: tuple[str, ...]) -> Iterator[tuple[str, np.ndarray]]:
    name = ".".join(path)
    if not isinstance(params, dict):
        is_array = isinstance(params, np.ndarray | np.generic | jax.Array)
        dtype = params.dtype if is_array else None
        if not path or not is_array or dtype not in DTYPES.values():
            kinds = ", ".join(map(str, DTYPES.values()))
            raise TypeError(
                f"params{name and ' at ' + name} ({type(params).__name__}, dtype {dtype}) "
                f"must be a nested dict of arrays, each of one of the dtypes {kinds}"
            )
        yield name, np.asarray(params, order="C")
        return
    if path and not params:
        raise ValueError(f"the dict at {name} (={{}}) must not be empty: it could not be read back")
    for key, value in params.items():
        if not isinstance(key, str) or not key or "." in key:
            raise ValueError(f"the name (={key!r}){name and ' in ' + name} must be text without dots, and not empty")
        yield from _flatten(value, (*path, key))
