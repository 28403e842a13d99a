"""Rows of upsampling."""

from jaxcnn.benchmark.cases._row import Row, row

_SMALL = (16, 32, 32, 64)

ROWS: tuple[Row, ...] = (
    row("upsample_nearest 2", "upsample_nearest", _SMALL, linear=True, scale_factor=2),
    row("upsample_nearest 1.5", "upsample_nearest", _SMALL, linear=True, scale_factor=1.5),
    row("upsample_linear 2", "upsample_linear", _SMALL, linear=True, scale_factor=2),
    row("upsample_linear 2, corners", "upsample_linear", _SMALL, linear=True, scale_factor=2, align_corners=True),
)
