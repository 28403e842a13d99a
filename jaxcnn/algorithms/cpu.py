"""Which algorithm computes a convolution and its gradients on a CPU.

Nothing can be asked about the processor that a function will run on. So a line stands in the table only for what was
measured to win on both kinds that were tried, an AMD EPYC with AVX2 and an Intel Xeon with AVX-512, in the dtypes that
it names and at the sizes that it asks for: what is ahead on one of them may be behind on the other.
"""

import math

from jaxcnn.algorithms._lines import PARTS, Part, Rule
from jaxcnn.algorithms._sizes import at_least, at_most

ALL = PARTS
BACK: tuple[Part, ...] = ("dx", "dkernel")
SINGLE, WIDE, HALF = ("float32",), ("float32", "float64"), ("bfloat16", "float16")
# The first line that fits is taken. The numbers are ms of lax and of the algorithm, 2 cores, float32, default flags.
TABLE = (
    Rule(
        "depthwise",
        ALL,
        lambda layer: layer.config.feature_group_count > 1,
        "x 16,32,32,64, kernel 3x3: forward 27/0.7, dx 27/0.8, dkernel 13/1.5; at stride 2, two a "
        "channel: dx 68/1.0, dkernel 1230/1.7",
        WIDE,
    ),
    Rule(
        "grouped",
        ALL,
        lambda _: True,
        "x 16,32,32,64, 4 groups: forward 32/6, dx 32/3.7, dkernel 420/6; 32 groups of 4: 81/7, 81/7, 5000/10",
        SINGLE,
    ),
    Rule(
        "pointwise",
        ALL,
        lambda layer: set(layer.config.strides) == {1},
        "x 32,32,32,64 to 256 channels: forward 30/14, dx 28/6, dkernel 54/9",
        WIDE,
    ),
    Rule(
        "pointwise",
        BACK,
        lambda _: True,
        "x 32,32,32,64 to 128 channels at stride 2: dx 1.7/1.0, dkernel 5.3/1.5; forward: see lattice",
        WIDE,
    ),
    Rule(
        "patches",
        BACK,
        lambda _: True,
        "x 8,224,224,3, window 16x16: dx 89/5, dkernel 6.6/5.2; forward: lax",
        WIDE,
    ),
    Rule(
        "input_dilated",
        ("dkernel",),
        lambda layer: max(layer.config.input_dilation) > 1,
        "x 8,16,16,64 dilated by 2, window 4x4: 34/1.3; forward and dx are as fast in lax",
        WIDE,
    ),
    Rule(
        "columns",
        ("forward",),
        lambda layer: layer.positions[1] > layer.positions[0] and at_most(layer.columns, 2**26),
        "x 16,2,2,512, kernel 3x3: 136/2.2; x 16,4,4,128, kernel 5x5: 20/1.5; x 16,2,2,16, kernel 3x3: 0.12/0.05; "
        "lax has a fast routine for as many positions of x as of the kernel",
        WIDE,
    ),
    Rule(
        "col2im",
        ("dx",),
        lambda layer: layer.positions[1] > layer.positions[2] and at_most(layer.columns, 2**26),
        "x 16,2,2,512, kernel 3x3: 143/2.1; x 16,4,4,256 to 512 at stride 2: 37/1.0; lax as above, of positions of g",
        WIDE,
    ),
    Rule(
        "planes",
        ALL,
        lambda layer: layer.kernel_shape[0] <= 16,
        "x 2,16,32,32,16, kernel 3x3x3: forward 28/11, dx 50/11, dkernel 45/11",
        WIDE,
    ),
    Rule(
        "col2im",
        ("dx",),
        lambda layer: (
            layer.channels[0] <= 4
            and layer.channels[1] >= 32
            and set(layer.config.strides) == {1}
            and (layer.channels[0] == 1 or at_least(layer.columns, 2**20))
            and at_most(layer.columns, 2**23)
        ),
        "x 128,28,28,1, kernel 5x5: 11/2.0, x 4,28,28,1: 0.6/0.25; x 64,32,32,3, kernel 3x3: 6.8/2.3, x 2,32,32,3: "
        "0.23/0.27; slower at stride 2; columns past 32 MB cost page faults",
        WIDE,
    ),
    Rule(
        "outer_products",
        ("forward",),
        lambda layer: (
            math.prod(layer.kernel_shape[:-2]) > 1
            and set(layer.config.strides) == {1}
            and layer.channels[1] >= 32
            and at_least(layer.output_elements, 3_200_000)
        ),
        "x 64,32,32,3, kernel 3x3, to 64 channels: 4.4/3.0; x 128,28,28,1, kernel 5x5, to 32: 2.7/2.6; smaller on the "
        "Xeon: not measured, and in float64 0.6/1.1; with a stride lax is as fast",
        SINGLE,
    ),
    Rule(
        "lattice",
        ("forward",),
        lambda layer: layer.is_wide and layer.channels[1] >= 32 and at_least(layer.output_elements, 320_000),
        "x 32,32,32,64, kernel 3x3, to 64 channels: 42/20, at stride 2 18/8; x 32,8,8,256: 22/16; x 16,14,14,32, "
        "kernel 5x5, to 64: 4.3/2.8, but on the Xeon 2.5/5.5; with options that already give it to Eigen 14.7/15.4; "
        "in float64 XLA has no fast routine for it",
        SINGLE,
    ),
    Rule(
        "lattice",
        ("dx",),
        lambda layer: (
            layer.is_wide
            and layer.channels[0] >= 32
            and set(layer.config.strides) == {1}
            and at_least(math.prod(layer.x_shape), 520_000)
        ),
        "x 32,32,32,64, kernel 3x3: 37/19; x 128,14,14,32, kernel 5x5, to 64: 39/22; x 32,8,8,256: 20/16; with a "
        "stride lax's is Eigen's",
        SINGLE,
    ),
    Rule(
        "lattice",
        ("dkernel",),
        lambda layer: (
            layer.is_wide
            and layer.channels[1] >= 32
            and at_least(layer.images, 8 if math.prod(layer.channels) >= 2048 else 64)
            and at_least(layer.products, 300_000_000)
        ),
        "x 32,32,32,64, kernel 3x3: 497/25; x 128,14,14,32, kernel 5x5, to 64 channels: 69/20; x 8,32,32,64: 27/14, "
        "4 images 3.5/5.2; to 32 channels x 128,14,14,32: 10.7/6.7, x 16,32,32,32: 3.8/4.2",
        SINGLE,
    ),
    Rule(
        "lattice",
        ("dkernel",),
        lambda layer: at_least(layer.images, 16) and layer.channels[0] <= 4 and at_least(layer.products, 80_000_000),
        "x 128,28,28,1, kernel 5x5: 18/4.5; x 64,32,32,3, kernel 3x3: 21/5.6; x 16,64,64,3, 7x7 at stride 2: 18/4.6",
        SINGLE,
    ),
    Rule(
        "canonical",
        ("dkernel",),
        lambda _: True,
        "in a scan, x 16,16,16,64, kernel 3x3: 287/8.5; x 8,64,16, kernel 5: 0.9/0.1; elsewhere it is lax's program",
        (*HALF, *WIDE),
    ),
)
