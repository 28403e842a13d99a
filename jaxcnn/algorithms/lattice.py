"""A convolution on a lattice of twice the spacing, which XLA's CPU compiler computes by its other routine.

Put the rows of x and those of the kernel two apart, and step by twice the stride:

    y[o] = sum_t x[o * stride + t * dilation - low] kernel[t]
         = sum_t X[2 o * stride + 2 t * dilation - 2 low] kernel[t],  X[2 i] = x[i], X[2 i + 1] = 0

No window ever looks at an odd row, so all numbers and their order stay what they were. XLA stores no zeros for it.

What changes is who computes it. XLA's CPU compiler has two routines for 2-D convolutions and prefers YNNPACK's, but
that one takes no dilated input; Eigen's does, and is faster unless a window reads few numbers or makes few.

Cost: the multiplications and the memory of `direct`; Eigen collects its windows one number at a time where the input
is dilated, which costs 2 to 6 % for 32 channels and more.
"""

from typing import TYPE_CHECKING

import jax

from jaxcnn.algorithms import canonical, direct

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig, Ints


def accepts(config: "ConvConfig", kernel_shape: "Ints") -> bool:
    """Return whether YNNPACK might take it: two dimensions, one group, no dilated input."""
    return len(kernel_shape) == 4 and config.feature_group_count == 1 and config.input_dilation == (1, 1)


def forward(x: jax.Array, kernel: jax.Array, config: "ConvConfig") -> jax.Array:
    """Return y `[N, *spatial_out, C_out]` for x `[N, *spatial, C_in]`."""
    return direct.forward(x, kernel, _on_lattice(config))


def dx(g: jax.Array, kernel: jax.Array, input_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of x `[N, *input_size, C_in]` for g `[N, *spatial_out, C_out]`."""
    return direct.dx(g, kernel, input_size, _on_lattice(config))


def dkernel(x: jax.Array, g: jax.Array, kernel_size: "Ints", config: "ConvConfig") -> jax.Array:
    """Return the cotangent of the kernel `[*kernel_size, C_in, C_out]`."""
    return canonical.dkernel(x, g, kernel_size, _on_lattice(config))


def _on_lattice(config: "ConvConfig") -> "ConvConfig":
    """Return the configuration with everything along the first spatial axis twice as far apart."""

    def spread(sizes: "Ints") -> "Ints":
        return (2 * sizes[0], *sizes[1:])

    (low, high), *others = config.padding
    return config._replace(
        strides=spread(config.strides),
        padding=((2 * low, 2 * high), *others),
        input_dilation=spread(config.input_dilation),
        kernel_dilation=spread(config.kernel_dilation),
    )
