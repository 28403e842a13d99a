"""The row of squeeze_excite."""

from jaxcnn.benchmark.cases._row import IMAGES, Input, Row, row

_PARAMETERS = {"kernel1": (64, 16), "bias1": (16,), "kernel2": (16, 64), "bias2": (64,)}

ROWS: tuple[Row, ...] = (
    row("squeeze_excite", "squeeze_excite", IMAGES, *(Input(name, shape) for name, shape in _PARAMETERS.items())),
)
