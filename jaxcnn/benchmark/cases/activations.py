"""Rows of activations."""

from jaxcnn.benchmark.cases._row import IMAGES, Input, Row, row

ROWS: tuple[Row, ...] = (
    row("relu", "relu", IMAGES),
    row("relu6", "relu6", IMAGES),
    row("leaky_relu", "leaky_relu", IMAGES),
    row("prelu", "prelu", IMAGES, Input("negative_slope", IMAGES[-1:])),
    row("hard_tanh", "hard_tanh", IMAGES),
    row("hard_sigmoid", "hard_sigmoid", IMAGES),
    row("hard_silu", "hard_silu", IMAGES),
    row("sparse_sigmoid", "sparse_sigmoid", IMAGES),
    row("sparse_plus", "sparse_plus", IMAGES),
    row("elu", "elu", IMAGES),
    row("celu", "celu", IMAGES),
    row("selu", "selu", IMAGES),
    row("sigmoid", "sigmoid", IMAGES),
    row("tanh", "tanh", IMAGES),
    row("softplus", "softplus", IMAGES),
    row("log_sigmoid", "log_sigmoid", IMAGES),
    row("silu", "silu", IMAGES),
    row("mish", "mish", IMAGES),
    row("gelu", "gelu", IMAGES),
    row("gelu, exact", "gelu", IMAGES, approximate=False),
    row("glu", "glu", IMAGES),
    row("soft_sign", "soft_sign", IMAGES),
    row("squareplus", "squareplus", IMAGES),
)
