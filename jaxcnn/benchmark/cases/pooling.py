"""Rows of pools."""

import math

from jaxcnn.benchmark.cases._row import IMAGES, Input, Row, row

ROWS: tuple[Row, ...] = (
    row("max-pool 2x2 s2", "max_pool", (128, 28, 28, 32), window_shape=(2, 2), strides=2),
    row("max-pool 3x3 s2", "max_pool", (32, 32, 32, 64), window_shape=(3, 3), strides=2, padding=1),
    row("max-pool 3x3 s1", "max_pool", (32, 16, 16, 64), window_shape=(3, 3), strides=1, padding="SAME"),
    row("avg-pool 2x2 s2", "avg_pool", (128, 28, 28, 32), linear=True, window_shape=(2, 2), strides=2),
    row("avg-pool 3x3 s2", "avg_pool", (32, 32, 32, 64), linear=True, window_shape=(3, 3), strides=2, padding="SAME"),
    row("max-pool 3x3 dilated", "max_pool", (32, 32, 32, 64), window_shape=(3, 3), padding=2, window_dilation=2),
    row("min-pool 3x3 s2", "min_pool", (32, 32, 32, 64), window_shape=(3, 3), strides=2, padding=1),
    row("max-pool 2x2 s2, indices", "max_pool_with_indices", (128, 28, 28, 32), window_shape=(2, 2), strides=2),
    row(
        "max-unpool 2x2 s2",
        "max_unpool",
        Input("x", (64, 8, 8, 128)),
        Input("indices", (64, 8, 8, 128), "classes"),
        linear=True,
        output_size=(16, 16),
    ),
    row("sum-pool 3x3 s2", "sum_pool", (32, 32, 32, 64), linear=True, window_shape=(3, 3), strides=2, padding="SAME"),
    row("lp-pool 2, 2x2 s2", "lp_pool", (128, 28, 28, 32), norm=2, window_shape=(2, 2), strides=2),
    row("lp-pool 4, 3x3 s1", "lp_pool", (32, 16, 16, 64), norm=4, window_shape=(3, 3)),
    row("lp-pool inf, 2x2 s2", "lp_pool", (128, 28, 28, 32), norm=math.inf, window_shape=(2, 2), strides=2),
    row("adaptive avg-pool 7x7", "adaptive_avg_pool", IMAGES, linear=True, output_size=(7, 7)),
    row("adaptive max-pool 7x7", "adaptive_max_pool", IMAGES, output_size=(7, 7)),
    row("adaptive max-pool 7x7, indices", "adaptive_max_pool_with_indices", IMAGES, output_size=(7, 7)),
    row("global max-pool", "global_max_pool", (32, 16, 16, 128)),
    row("global avg-pool", "global_avg_pool", (32, 16, 16, 128), linear=True),
)
