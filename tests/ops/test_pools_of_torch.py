"""What pools mean in PyTorch: values, indices and gradients that PyTorch 2.13 has computed on a CPU, in float64.

Each entry of expected/pooling.json is one call of `torch.nn.functional.max_pool*d` (with return_indices), `avg_pool*d`,
`max_unpool*d`, `adaptive_*_pool*d` or `lp_pool*d` on small whole numbers, its arrays moved to channels last, with the
gradient for the cotangent g. The numbers of a maximum have ties. Where the two differ by design nothing is compared:
ceil_mode and odd norms of negative numbers in lp_pool, and indices that repeat in max_unpool.
"""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn

EXPECTED = json.loads((Path(__file__).parent / "expected" / "pooling.json").read_text())


def named(entry):
    return f"{entry['op']} {np.shape(entry['x'])} {' '.join(map(str, entry['options'].values()))}"


@pytest.mark.parametrize("entry", EXPECTED, ids=named)
def test_value_indices_and_gradient_are_those_of_torch(entry):
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in entry["options"].items()}
    if options.get("norm") == "inf":
        options["norm"] = math.inf
    with jax.enable_x64(True):
        x, g = jnp.asarray(entry["x"], float), jnp.asarray(entry["g"], float)
        integers = [jnp.asarray(entry["indices"])] if "indices" in entry else []

        def pool(x):
            result = getattr(jaxcnn, entry["op"])(x, *integers, **options)
            return result if isinstance(result, tuple) else (result, None)

        y, pull, indices = jax.vjp(pool, x, has_aux=True)
        np.testing.assert_allclose(y, entry["y"], rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(pull(g)[0], entry["dx"], rtol=1e-14, atol=1e-14)
        if "y_indices" in entry:
            np.testing.assert_array_equal(indices, entry["y_indices"])
            plain = jaxcnn.max_pool(x, **options)
            np.testing.assert_array_equal(plain, y)
