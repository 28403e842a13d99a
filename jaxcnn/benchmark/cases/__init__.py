"""What the commands `ops` and `scaling` measure: one layer of one shape a row, a file a family.

A new layer needs one line in its family's file: its name in `jaxcnn.ops` and `jaxcnn.reference`, the shapes of its
arrays by the names of its parameters, and its options. A column of PyTorch needs the same name in `torch_layers.py`.
"""

from jaxcnn.benchmark.cases import (
    activations,
    attention,
    convolution,
    linear,
    losses,
    norms,
    pooling,
    probabilities,
    rearrange,
    regularization,
    resampling,
)
from jaxcnn.benchmark.cases._row import Input as Input
from jaxcnn.benchmark.cases._row import Row as Row
from jaxcnn.benchmark.cases._row import conv_row as conv_row
from jaxcnn.benchmark.cases.scaling import SCALING as SCALING

ROWS: tuple[Row, ...] = (
    *convolution.ROWS,
    *pooling.ROWS,
    *linear.ROWS,
    *activations.ROWS,
    *norms.ROWS,
    *probabilities.ROWS,
    *losses.ROWS,
    *rearrange.ROWS,
    *resampling.ROWS,
    *regularization.ROWS,
    *attention.ROWS,
)
