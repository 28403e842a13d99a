"""Rows whose work grows, over batch and image."""

from jaxcnn.benchmark.cases._row import Row, conv_row, row


def _scaling() -> tuple[Row, ...]:
    sizes = [(batch, 32) for batch in (8, 16, 32, 64, 128, 256)] + [(8, side) for side in (16, 56, 112, 224)]
    rows = []
    for batch, side in sizes:
        x, where = (batch, side, side, 32), f"batch {batch}, image {side}"
        rows.append(conv_row(f"3x3, {where}", x, (3, 3, 32, 32)))
        rows.append(conv_row(f"depthwise 3x3, {where}", x, (3, 3, 1, 32)))
        rows.append(row(f"max-pool 2x2, {where}", "max_pool", x, window_shape=(2, 2), strides=2))
    return tuple(sorted(rows, key=lambda row: row.name.split(",")[0]))


SCALING = _scaling()
