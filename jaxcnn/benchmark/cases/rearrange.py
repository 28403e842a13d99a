"""Rows of layers that move elements: blocks, padding, windows."""

from jaxcnn.benchmark.cases._row import IMAGES, Row, row

ROWS: tuple[Row, ...] = (
    row("depth_to_space 2", "depth_to_space", (32, 32, 32, 128), linear=True, block_size=2),
    row("depth_to_space 2, CRD", "depth_to_space", (32, 32, 32, 128), linear=True, block_size=2, order="CRD"),
    row("space_to_depth 2", "space_to_depth", IMAGES, linear=True, block_size=2),
    row("pad 1 constant", "pad", IMAGES, linear=True, padding=1),
    row("pad 1 edge", "pad", IMAGES, linear=True, padding=1, mode="edge"),
    row("pad 1 reflect", "pad", IMAGES, linear=True, padding=1, mode="reflect"),
    row("pad 1 wrap", "pad", IMAGES, linear=True, padding=1, mode="wrap"),
    row("unfold 3x3", "unfold", (32, 32, 32, 16), linear=True, window_shape=(3, 3), padding="SAME"),
    row("fold 3x3", "fold", (256, 8, 8, 288), linear=True, output_size=(8, 8), window_shape=(3, 3), padding="SAME"),
)
