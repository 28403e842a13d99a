"""Rows whose work grows: over batch and image, and over windows, bins and groups, doubled up to 4,096."""

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


def _long() -> tuple[Row, ...]:
    signal, rows = (2, 8192, 8), []
    for size in (2**k for k in range(3, 13)):
        window = {"window_shape": (size,), "padding": "SAME"}
        rows += [
            row(f"max-pool window, {size}", "max_pool", signal, **window),
            row(f"avg-pool window, {size}", "avg_pool", signal, linear=True, **window),
            row(f"adaptive max-pool bins, {size}", "adaptive_max_pool", (2, 8191, 8), output_size=(size,)),
            row(f"adaptive avg-pool bins, {size}", "adaptive_avg_pool", (2, 8191, 8), linear=True, output_size=(size,)),
            conv_row(f"depthwise taps, {size}", (2, 4096, 16), (size, 1, 16)),
            conv_row(f"groups of 2, {size}", (1, 7, 7, 2 * size), (3, 3, 2, 2 * size)),
        ]
    rows += [
        conv_row(f"depthwise square, {k}x{k}", (2, 64, 64, 16), (k, k, 1, 16)) for k in (3, 5, 7, 9, 11, 15, 21, 31, 63)
    ]
    return tuple(sorted(rows, key=lambda row: row.name.split(",")[0]))


SCALING = (*_scaling(), *_long())
