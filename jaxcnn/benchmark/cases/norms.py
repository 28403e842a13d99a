"""Rows of norms."""

from jaxcnn.benchmark.cases._row import IMAGES, Input, Row, row

_SCALE, _BIAS = Input("scale", IMAGES[-1:]), Input("bias", IMAGES[-1:])

ROWS: tuple[Row, ...] = (
    row("batch_norm", "batch_norm", (32, 32, 32, 64), _SCALE, _BIAS),
    row("layer_norm", "layer_norm", IMAGES, _SCALE, _BIAS),
    row("rms_norm", "rms_norm", IMAGES, _SCALE),
    row("group_norm", "group_norm", IMAGES, _SCALE, _BIAS, num_groups=16),
    row("instance_norm", "instance_norm", IMAGES, _SCALE, _BIAS),
    row("local_response_norm", "local_response_norm", (32, 32, 32, 64), size=5),
    row(
        "running_statistics",
        "running_statistics",
        Input("running_mean", (2048,)),
        Input("running_variance", (2048,)),
        Input("mean", (64, 2048)),
        Input("variance", (64, 2048)),
        count=49,
    ),
    row("weight_standardization", "weight_standardization", Input("kernel", (3, 3, 256, 256))),
)
