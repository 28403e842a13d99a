"""Rows of pools."""

from jaxcnn.benchmark.cases._row import Row, row

ROWS: tuple[Row, ...] = (
    row("max-pool 2x2 s2", "max_pool", (128, 28, 28, 32), window_shape=(2, 2), strides=2),
    row("max-pool 3x3 s2", "max_pool", (32, 32, 32, 64), window_shape=(3, 3), strides=2, padding=1),
    row("max-pool 3x3 s1", "max_pool", (32, 16, 16, 64), window_shape=(3, 3), strides=1, padding="SAME"),
    row("avg-pool 2x2 s2", "avg_pool", (128, 28, 28, 32), linear=True, window_shape=(2, 2), strides=2),
    row("avg-pool 3x3 s2", "avg_pool", (32, 32, 32, 64), linear=True, window_shape=(3, 3), strides=2, padding="SAME"),
    row("global avg-pool", "global_avg_pool", (32, 16, 16, 128), linear=True),
)
