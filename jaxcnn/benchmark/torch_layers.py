"""The layers of the benchmark in PyTorch, under the names and with the shapes of `jaxcnn.ops`.

A tensor has the shape that the array has in JAX, and lies in memory as PyTorch wants it: a permutation of axes is a
view. PyTorch itself is imported by `torch_worker` alone, and handed in.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

from jaxcnn.ops._window import canonical_ints, canonical_padding, continuation, dilated_size

_PAD_MODES = {"edge": "replicate", "wrap": "circular"}  # PyTorch's names of those it calls otherwise


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
        self.sigmoid_binary_cross_entropy = self._of_each(self._f.binary_cross_entropy_with_logits)
        self.squared_error = self._of_each(self._f.mse_loss)
        self.absolute_error = self._of_each(self._f.l1_loss)
        self.huber_loss = self._of_each(self._f.huber_loss)
        self.cosine_similarity = functools.partial(self._f.cosine_similarity, dim=-1)
        self.hard_tanh = self._f.hardtanh
        self.hard_sigmoid = self._f.hardsigmoid
        self.hard_silu = self._f.hardswish
        self.elu = self._f.elu
        self.celu = self._f.celu
        self.selu = self._f.selu
        self.softplus = self._f.softplus
        self.log_sigmoid = self._f.logsigmoid
        self.silu = self._f.silu
        self.mish = self._f.mish
        self.glu = self._f.glu
        self.soft_sign = self._f.softsign

    @staticmethod
    def _of_each(loss: Any) -> Any:
        """Return a loss that gives one value an element."""
        return functools.partial(loss, reduction="none")

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
        mode = continuation(padding)
        if mode is None:
            x, pads = self._pad(x, pairs, 0.0)
        else:
            x, pads = self._f.pad(x, _flat(pairs), _PAD_MODES.get(mode, mode)), (0,) * rank
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

    def max_pool(
        self, x: Any, window_shape: Any, strides: Any = None, padding: Any = "VALID", window_dilation: Any = 1
    ) -> Any:
        """Take the maximum of every window."""
        x, window, strides, pads = self._window(x, window_shape, strides, padding, -math.inf, window_dilation)
        return _channels_last(self._f.max_pool2d(x, window, strides, pads, window_dilation))

    def max_unpool(self, x: Any, indices: Any, output_size: Any) -> Any:
        """Put every value to its place."""
        unpool, strides = self._f.max_unpool2d, [to // of for to, of in zip(output_size, x.shape[1:-1], strict=True)]
        return _channels_last(unpool(_channels_second(x), _channels_second(indices), strides, output_size=output_size))

    def avg_pool(self, x: Any, window_shape: Any, strides: Any = None, padding: Any = "VALID") -> Any:
        """Take the average of every window, padding included."""
        x, window, strides, pads = self._window(x, window_shape, strides, padding, 0.0)
        return _channels_last(self._f.avg_pool2d(x, window, strides, pads))

    def sum_pool(self, x: Any, window_shape: Any, strides: Any = None, padding: Any = "VALID") -> Any:
        """Take the sum of every window."""
        x, window, strides, pads = self._window(x, window_shape, strides, padding, 0.0)
        return _channels_last(self._f.avg_pool2d(x, window, strides, pads, divisor_override=1))

    def lp_pool(self, x: Any, norm: float, window_shape: Any, strides: Any = 1) -> Any:
        """Take the norm of every window; an even one, because PyTorch does not take magnitudes."""
        return _channels_last(self._f.lp_pool2d(_channels_second(x), norm, window_shape, strides))

    def adaptive_avg_pool(self, x: Any, output_size: Any) -> Any:
        """Average over bins."""
        return _channels_last(self._f.adaptive_avg_pool2d(_channels_second(x), output_size))

    def adaptive_max_pool(self, x: Any, output_size: Any) -> Any:
        """Take the maximum over bins."""
        return _channels_last(self._f.adaptive_max_pool2d(_channels_second(x), output_size))

    def global_max_pool(self, x: Any) -> Any:
        """Take the maximum over all positions."""
        return self._f.adaptive_max_pool2d(_channels_second(x), 1).flatten(1)

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

    def softmax_cross_entropy_with_integer_labels(self, logits: Any, labels: Any, label_smoothing: float = 0.0) -> Any:
        """Compute the cross entropy with class numbers."""
        return self._f.cross_entropy(logits, labels, reduction="none", label_smoothing=label_smoothing)

    def batch_norm(self, x: Any, scale: Any, bias: Any) -> Any:
        """Normalise every channel by the statistics of the batch."""
        return _channels_last(self._f.batch_norm(_channels_second(x), None, None, scale, bias, training=True))

    def layer_norm(self, x: Any, scale: Any, bias: Any) -> Any:
        """Normalise the channels of every position."""
        return self._f.layer_norm(x, x.shape[-1:], scale, bias, 1e-6)

    def gelu(self, x: Any, approximate: bool = True) -> Any:
        """Multiply by the normal distribution function of x, or by its approximation by tanh."""
        return self._f.gelu(x, approximate="tanh" if approximate else "none")

    def prelu(self, x: Any, negative_slope: Any) -> Any:
        """Scale negative elements by the slope of their channel."""
        return _channels_last(self._f.prelu(_channels_second(x), negative_slope))

    def sparse_sigmoid(self, x: Any) -> Any:
        """Map into [0, 1], linearly between -1 and 1; PyTorch has no call for it."""
        return x.add(1).clamp(0, 2) / 2

    def sparse_plus(self, x: Any) -> Any:
        """Take the integral of the sparse sigmoid; PyTorch has no call for it."""
        return self._torch.where(x >= 1, x, x.clamp(-1, 1).add(1).square() / 4)

    def squareplus(self, x: Any) -> Any:
        """Take the smooth form of relu; PyTorch has no call for it."""
        return (x + (x.square() + 4).sqrt()) / 2

    def pad(self, x: Any, padding: int, mode: str = "constant") -> Any:
        """Add elements before and after the spatial axes."""
        pads = [padding] * 2 * (x.ndim - 2)
        return _channels_last(self._f.pad(_channels_second(x), pads, _PAD_MODES.get(mode, mode)))

    def upsample_nearest(self, x: Any, scale_factor: Any) -> Any:
        """Resample by repetition."""
        return _channels_last(self._f.interpolate(_channels_second(x), None, scale_factor))

    def upsample_linear(self, x: Any, scale_factor: Any, align_corners: bool = False) -> Any:
        """Resample images by bilinear interpolation."""
        y = self._f.interpolate(_channels_second(x), None, scale_factor, "bilinear", align_corners)
        return _channels_last(y)

    def _window(
        self, x: Any, window_shape: Any, strides: Any, padding: Any, fill: float, dilation: Any = 1
    ) -> tuple[Any, Any, tuple[int, ...], tuple[int, ...]]:
        strides, _, _, _, pairs = _geometry(tuple(x.shape[1:-1]), window_shape, strides or 1, padding, 1, dilation)
        fits = all(2 * low <= size for (low, _), size in zip(pairs, window_shape, strict=True))  # PyTorch wants that
        x, pads = self._pad(_channels_second(x), pairs, fill, fits)
        return x, window_shape, strides, pads

    def _pad(
        self, x: Any, pairs: Sequence[tuple[int, int]], fill: float, left: bool = True
    ) -> tuple[Any, tuple[int, ...]]:
        """Return the input and the padding that is left to the layer: all of it if symmetric, and if it may be."""
        if left and all(low == high for low, high in pairs):
            return x, tuple(low for low, _ in pairs)
        return self._f.pad(x, _flat(pairs), value=fill), (0,) * len(pairs)


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
    dilated = tuple(map(dilated_size, sizes, input_dilation))
    pairs = canonical_padding(padding, dilated, windows, strides, continued=True)
    return strides, kernel_dilation, input_dilation, windows, pairs


def _flat(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return paddings as PyTorch wants them, the last axis first."""
    return [amount for pair in reversed(pairs) for amount in pair]


def _channels_second(x: Any) -> Any:
    return x.permute(0, x.ndim - 1, *range(1, x.ndim - 1))


def _channels_last(y: Any) -> Any:
    return y.permute(0, *range(2, y.ndim), 1)
