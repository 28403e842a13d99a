"""Random configurations of products of matrices, and biases."""

from jaxcnn.gradcheck.cases import Case, Normal

BATCHES = [(), (1,), (3,), (0,), (2, 2), (2, 1, 3)]


def _batch(rng):
    return BATCHES[rng.integers(len(BATCHES))]


def _dense(rng):
    c_in, c_out = (int(n) for n in rng.integers(1, 6, 2))
    inputs = (Normal((*_batch(rng), c_in)), Normal((c_in, c_out)), *[Normal((c_out,))] * (rng.random() < 0.5))
    return Case("dense", "drawn", inputs, {"precision": [None, "highest"][rng.integers(2)]})


def _bias_add(rng):
    spatial, channels = (int(n) for n in rng.integers(1, 5, rng.integers(0, 3))), int(rng.integers(1, 6))
    return Case("bias_add", "drawn", (Normal((*_batch(rng), *spatial, channels)), Normal((channels,))))


DRAW = {"dense": _dense, "bias_add": _bias_add}
