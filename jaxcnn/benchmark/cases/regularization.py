"""Rows of layers that drop at random."""

import numpy as np

from jaxcnn.benchmark.cases._row import IMAGES, Row, row

_KEY = np.array([0, 7], np.uint32)

ROWS: tuple[Row, ...] = (
    row("dropout", "dropout", IMAGES, linear=True, rate=0.5, key=_KEY),
    row("spatial_dropout", "spatial_dropout", IMAGES, linear=True, rate=0.5, key=_KEY),
    row("stochastic_depth", "stochastic_depth", IMAGES, linear=True, rate=0.5, mode="row", key=_KEY),
)
