"""A line of the table of algorithms, and what it asks of a convolution."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from jaxcnn.ops._window import conv_output_size

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints

Part = Literal["forward", "dx", "dkernel"]
PARTS: tuple[Part, ...] = ("forward", "dx", "dkernel")


class Layer(NamedTuple):
    """What is static about a convolution."""

    config: "ConvConfig"
    x_shape: "Ints"
    kernel_shape: "Ints"

    @property
    def columns(self) -> int:
        """The number of elements that all taps of all windows of the input read."""
        return math.prod(self.x_shape) * math.prod(self.kernel_shape[:-2])

    @property
    def positions(self) -> tuple[int, int, int]:
        """The numbers of positions of the input, of the kernel, and of the output."""
        inputs, windows = self.x_shape[1:-1], self.kernel_shape[:-2]
        return math.prod(inputs), math.prod(windows), math.prod(conv_output_size(inputs, windows, self.config))

    @property
    def images(self) -> int:
        """The number of images."""
        return self.x_shape[0]

    @property
    def channels(self) -> tuple[int, int]:
        """The numbers of input channels and of output channels."""
        c_in, c_out = self.kernel_shape[-2:]
        return c_in, c_out

    @property
    def output_elements(self) -> int:
        """The number of elements of the output."""
        return self.images * self.positions[2] * self.channels[1]

    @property
    def products(self) -> int:
        """The number of products of which the output, or the cotangent of the kernel, is the sums."""
        return self.output_elements * math.prod(self.kernel_shape[:-1])

    @property
    def is_wide(self) -> bool:
        """Whether it has 16 channels or more on both sides, 1024 pairs, and 64 numbers in a window."""
        many_channels = min(self.channels) >= 16 and math.prod(self.channels) >= 1024
        return many_channels and math.prod(self.kernel_shape[:-1]) >= 64


class Rule(NamedTuple):
    """A line of the table: these parts of such layers take this algorithm on this platform, for this reason.

    Attributes:
      algorithm: its name.
      parts: what it computes.
      when: whether it was measured to win for such a layer.
      why: what was measured.
      dtypes: in which it was measured to win.
      platform: where it is taken.
    """

    algorithm: str
    parts: tuple[Part, ...]
    when: Callable[[Layer], bool]
    why: str
    dtypes: tuple[str, ...]
    platform: str = "cpu"
