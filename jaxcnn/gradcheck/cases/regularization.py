"""Cases of layers that drop at random."""

import numpy as np

from jaxcnn.gradcheck.cases._case import Case, Normal

_KEY = {"key": np.array([0, 7], np.uint32)}
_MAP = (Normal((2, 3, 2, 5)),)

CASES: tuple[Case, ...] = (
    Case("dropout", "rate 0.3", _MAP, {"rate": 0.3, **_KEY}),
    Case("dropout", "shared along two axes", _MAP, {"rate": 0.5, "broadcast_dims": (1, -2), **_KEY}),
    Case("dropout", "rate 1", (Normal((4, 3)),), {"rate": 1, **_KEY}),
    Case("spatial_dropout", "2-D", _MAP, {"rate": 0.4, **_KEY}),
    Case("spatial_dropout", "no batch axis", (Normal((3, 2, 5)),), {"rate": 0.5, "spatial_rank": 2, **_KEY}),
    Case("stochastic_depth", "rows", (Normal((5, 3, 2)),), {"rate": 0.4, "mode": "row", **_KEY}),
    Case("stochastic_depth", "two batch axes", _MAP, {"rate": 0.4, "mode": "row", "batch_rank": 2, **_KEY}),
    Case("stochastic_depth", "batch", (Normal((3, 2)),), {"rate": 0.1, "mode": "batch", **_KEY}),
)
