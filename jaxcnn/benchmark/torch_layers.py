"""The layers of the benchmark in PyTorch, under the names and with the shapes of `jaxcnn.ops`.

A tensor has the shape that the array has in JAX, and lies in memory as PyTorch wants it: a permutation of axes is a
view. PyTorch itself is imported by `torch_worker` alone, and handed in.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

from jaxcnn.ops._window import canonical_ints, canonical_padding, dilated_size


class TorchLayers:
    """The namespace of layers."""

    def __init__(self, torch: Any):
        self._torch = torch
        self._f = torch.nn.functional
        self.relu = self._f.relu
        self.relu6 = self._f.relu6
        self.sigmoid = torch.sigmoid
        self.tanh = torch.tanh
        self.leaky_relu = self._f.leaky_relu

    def conv(
        self,
        x: Any,
        kernel: Any,
        bias: Any = None,
        *,
        strides: Any = 1,
        padding: Any = "SAME",
        input_dilation: Any = 1,
        kernel_dilation: Any = 1,
        feature_group_count: int = 1,
    ) -> Any:
        """Convolve; where the input is dilated, with the kernel turned by 180 degrees, as `conv_transpose` does it."""
        rank = kernel.ndim - 2
        strides, dilation, input_dilation, windows, pairs = _geometry(
            tuple(x.shape[1:-1]), tuple(kernel.shape[:-2]), strides, padding, input_dilation, kernel_dilation
        )
        x = _channels_second(x)
        if max(input_dilation) > 1:
            return self._transposed(x, kernel, input_dilation, windows, pairs)
        x, pads = self._pad(x, pairs, 0.0)
        function = (self._f.conv1d, self._f.conv2d, self._f.conv3d)[rank - 1]
        weight = kernel.permute(rank + 1, rank, *range(rank))
        return _channels_last(function(x, weight, bias, strides, pads, dilation, feature_group_count))

    def _transposed(self, x: Any, kernel: Any, strides: Any, windows: Any, pairs: Any) -> Any:
        rank = kernel.ndim - 2
        function = (self._f.conv_transpose1d, self._f.conv_transpose2d, self._f.conv_transpose3d)[rank - 1]
        pads = tuple(window - 1 - low for window, (low, _) in zip(windows, pairs, strict=True))
        return _channels_last(function(x, kernel.permute(rank, rank + 1, *range(rank)), None, strides, pads))

    def conv_in_scan(self, x: Any, kernels: Any) -> Any:
        """Convolve with one kernel after the other."""
        for kernel in kernels:
            x = self.conv(x, kernel)
        return x

    def dense(self, x: Any, kernel: Any, bias: Any = None) -> Any:
        """Multiply by a kernel."""
        return self._f.linear(x, kernel.t(), bias)

    def bias_add(self, x: Any, bias: Any) -> Any:
        """Add one bias to every channel."""
        return x + bias

    def max_pool(self, x: Any, window_shape: Any, strides: Any = None, padding: Any = "VALID") -> Any:
        """Take the maximum of every window."""
        x, window, strides, pads = self._window(x, window_shape, strides, padding, -math.inf)
        return _channels_last(self._f.max_pool2d(x, window, strides, pads))

    def avg_pool(self, x: Any, window_shape: Any, strides: Any = None, padding: Any = "VALID") -> Any:
        """Take the average of every window, padding included."""
        x, window, strides, pads = self._window(x, window_shape, strides, padding, 0.0)
        return _channels_last(self._f.avg_pool2d(x, window, strides, pads))

    def global_avg_pool(self, x: Any) -> Any:
        """Average over all positions."""
        return x.mean(tuple(range(1, x.ndim - 1)))

    def flatten(self, x: Any) -> Any:
        """Merge all axes but the first."""
        return x.reshape(len(x), -1)

    def softmax(self, x: Any) -> Any:
        """Turn logits into probabilities."""
        return self._f.softmax(x, -1)

    def log_softmax(self, x: Any) -> Any:
        """Turn logits into log-probabilities."""
        return self._f.log_softmax(x, -1)

    def softmax_cross_entropy(self, logits: Any, labels: Any) -> Any:
        """Compute the cross entropy with label weights."""
        return self._f.cross_entropy(logits, labels, reduction="none")

    def softmax_cross_entropy_with_integer_labels(self, logits: Any, labels: Any) -> Any:
        """Compute the cross entropy with class numbers."""
        return self._f.cross_entropy(logits, labels, reduction="none")

    def squared_error(self, predictions: Any, targets: Any) -> Any:
        """Square the difference."""
        return self._f.mse_loss(predictions, targets, reduction="none")

    def batch_norm(self, x: Any, scale: Any, bias: Any) -> Any:
        """Normalise every channel by the statistics of the batch."""
        return _channels_last(self._f.batch_norm(_channels_second(x), None, None, scale, bias, training=True))

    def layer_norm(self, x: Any, scale: Any, bias: Any) -> Any:
        """Normalise the channels of every position."""
        return self._f.layer_norm(x, x.shape[-1:], scale, bias, 1e-6)

    def gelu(self, x: Any) -> Any:
        """Multiply by the normal distribution function of x, approximated by tanh."""
        return self._f.gelu(x, approximate="tanh")

    def _window(self, x: Any, window_shape: Any, strides: Any, padding: Any, fill: float) -> Any:
        strides, _, _, window, pairs = _geometry(tuple(x.shape[1:-1]), window_shape, strides or 1, padding, 1, 1)
        x, pads = self._pad(_channels_second(x), pairs, fill)
        return x, window, strides, pads

    def _pad(self, x: Any, pairs: Sequence[tuple[int, int]], fill: float) -> tuple[Any, tuple[int, ...]]:
        """Return the input and the symmetric padding that is left to the layer."""
        if all(low == high for low, high in pairs):
            return x, tuple(low for low, _ in pairs)
        flat = [amount for pair in reversed(pairs) for amount in pair]
        return self._f.pad(x, flat, value=fill), (0,) * len(pairs)


@functools.cache
def _geometry(
    sizes: tuple[int, ...],
    window: tuple[int, ...],
    strides: Any,
    padding: Any,
    input_dilation: Any,
    kernel_dilation: Any,
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Return strides, both dilations, the dilated windows and the paddings; kept, for this takes some microseconds."""
    strides, input_dilation, kernel_dilation = (
        canonical_ints("", value, len(window)) for value in (strides, input_dilation, kernel_dilation)
    )
    windows = tuple(map(dilated_size, window, kernel_dilation))
    pairs = canonical_padding(padding, tuple(map(dilated_size, sizes, input_dilation)), windows, strides)
    return strides, kernel_dilation, input_dilation, windows, pairs


def _channels_second(x: Any) -> Any:
    return x.permute(0, x.ndim - 1, *range(1, x.ndim - 1))


def _channels_last(y: Any) -> Any:
    return y.permute(0, *range(2, y.ndim), 1)
