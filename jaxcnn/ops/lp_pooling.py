"""The p-norm of every window, between its sum (p = 1) and its maximum (p = inf).

Forward, with the magnitudes |x| of the elements of window o that are not padding:

    y[n, o, c] = (sum_t |x[n, o * stride + t * dilation - low, c]|^p)^(1/p),    max_t |x| for p = inf

Derivation. An element x of the window changes the sum s = y^p by p |x|^(p-1) sign(x), and s changes y by
(1/p) s^(1/p-1) = y^(1-p) / p, so for x at position i

    dx[n, i, c] = |x|^(p-1) sign(x) (sum of g[n, o, c] y[n, o, c]^(1-p) over the windows o that hold i)

which is one sum over windows, of numbers that belong to outputs. For p = inf, y is the magnitude of one element, the
winner of `max_pool` over |x|, and dx = sign(x) times the sum of the g whose winner it is.

Kinks. |x| at 0, for p = 1 and p = inf, has the subgradient 0. So has a window of zeros, y = 0, where y^(1-p) would be
infinite: 0 is in the subdifferential of a norm at the origin, and the rule and its derivatives stay finite.

A norm is homogeneous: that of k x is k y. For p = 2 every window has its own k, see `jaxcnn.ops._lengths`. For other p,
where the largest |x|^p of all
leaves the middle, k is the power of two that takes the largest |x| to 1 or a little less; it is a constant to
differentiation, and dx, which has k in neither or both of its powers, is the same for every k.

Residuals: x, the input itself, y (k y) in float32 or wider and, where there is one, k, one number. For p = inf x and
the winning taps, one byte an element.

References: Sermanet, Chintala and LeCun 2012, "Convolutional neural networks applied to house numbers digit
classification", arXiv:1204.3968; Gulcehre, Cho, Pascanu and Bengio 2014, "Learned-norm pooling", arXiv:1311.1780.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.algorithms import windows
from jaxcnn.algorithms._once import once
from jaxcnn.ops._dtypes import as_floating, as_static_number, widen
from jaxcnn.ops._lengths import length_dx, lengths
from jaxcnn.ops._pools import run_pool
from jaxcnn.ops._rule import compiled
from jaxcnn.ops._window import PaddingLike, PoolConfig

MOST_PRODUCTS = 32  # the largest power that is a product


def lp_pool(
    x: jax.Array,
    norm: float,
    window_shape: Any,
    strides: Any = None,
    padding: PaddingLike = "VALID",
    *,
    window_dilation: Any = 1,
    ceil_mode: bool = False,
    dimension_numbers: str | None = None,
) -> jax.Array:
    """Take the p-norm of every window.

    Between `sum_pool` and `max_pool`: the larger the norm, the more the largest elements count.

    Math:
      y[n, o, c] = (sum_t |x[n, o * strides + t * window_dilation - low, c]|^norm)^(1 / norm).
      VJP: dx[n, i, c] = |x|^(norm - 1) sign(x) times the sum of g[n, o, c] y[n, o, c]^(1 - norm) over the windows o
      that hold i; for norm = inf, sign(x) times the sum of g[n, o, c] over those whose first largest |x| is at i.

    Args:
      x: `[*batch, *spatial, C]`, floating, with any number of leading batch axes, none included.
      norm: a Python number of at least 1, `math.inf` included; it is static.
      window_shape: one size for each spatial axis, which gives the spatial rank.
      strides: an int, or one for each spatial axis; None is 1, as in flax.
      padding: as in `max_pool`; it adds nothing to the norm.
      window_dilation: how far the taps of a window lie apart, an int or one for each spatial axis.
      ceil_mode: whether windows that reach over the end of the padded input count too, as in `max_pool`.
      dimension_numbers: where the axes of x and of the result stand, such as "NCHW", with one batch axis; None is as
        written here.

    Returns:
      `[*batch, *spatial_out, C]` in the dtype of x, spatial_out as in `max_pool`. As in ONNX it is a norm; PyTorch sums
      x^norm without magnitudes, which is the same for even norms, and scales up what ceil_mode cuts off. For norm = 2,
      float32 is right where the result is between 4e-31 and 1e34. For a norm that is neither 1, 2 nor infinite, a
      window whose elements are so much smaller than the largest of all of x that the norm-th power of the ratio leaves
      the range of float32 (float64 for that) counts as 0: for norm = 3 from 1e-12 on.

    Gradient:
      0 at x = 0 and in a window of zeros, also where it has a kink there. For norm = inf the first of the largest
      magnitudes takes the whole cotangent.

    Raises:
      TypeError: the dtype of x or an argument's type is wrong.
      ValueError: norm is below 1, or shapes and arguments do not fit.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.lp_pool(jnp.array([[3.0], [-4.0], [0.0]]), 2, (2,)).ravel())
      [5. 4.]

    References:
      Sermanet, Chintala and LeCun 2012, arXiv:1204.3968; Gulcehre et al. 2014, arXiv:1311.1780.
    """
    x = as_floating("x", x)
    p = as_static_number("norm", norm)
    if not p >= 1:
        raise ValueError(f"norm (={norm!r}) must be at least 1")
    pool = _compiled_lp_pool if math.isfinite(p) else _compiled_l_inf_pool
    static = (p,) if math.isfinite(p) else ()
    return run_pool(pool, x, window_shape, strides, padding, window_dilation, ceil_mode, dimension_numbers, *static)


def _lp_pool_impl(x: jax.Array, config: PoolConfig, p: float) -> jax.Array:
    return _norms(x, config, p)[0].astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _lp_pool(x: jax.Array, config: PoolConfig, p: float) -> jax.Array:
    return _lp_pool_impl(x, config, p)


def _lp_pool_fwd(
    x: jax.Array, config: PoolConfig, p: float
) -> tuple[jax.Array, tuple[jax.Array, jax.Array | None, jax.Array]]:
    y, scale, scaled = _norms(x, config, p)
    # x: the input itself. The scale, one number, and the norms by it, in half precision as they were before rounding.
    return y.astype(x.dtype), (x, scale, scaled)


def _lp_pool_bwd(
    config: PoolConfig, p: float, residuals: tuple[jax.Array, jax.Array | None, jax.Array], g: jax.Array
) -> tuple[jax.Array]:
    x, scale, y = residuals
    if p == 2:
        return (length_dx(widen(x), y, widen(g), config).astype(x.dtype),)
    # Otherwise the compiler would compute it at every element of each window.
    of_windows = once(lambda g, y: widen(g) * _power(y, 1 - p), g, y)
    of_sums = windows.sum_dx(of_windows, config)
    wide = widen(x) if scale is None else widen(x) * scale
    return ((_signed_power(wide, p - 1) * of_sums).astype(x.dtype),)


def _norms(x: jax.Array, config: PoolConfig, p: float) -> tuple[jax.Array, jax.Array | None, jax.Array]:
    """Return the norms, and a power of two and the norms of x times it, None for 1; in float32 or wider."""
    wide = widen(x)
    if p == 1:
        y = windows.sum_forward(jnp.abs(wide), config)
        return y, None, y
    if p == 2:
        y = lengths(wide, config)
        return y, None, y
    scale = _scale(wide, p)
    scaled = wide * scale
    y = _power(windows.sum_forward(scaled * _signed_power(scaled, p - 1), config), 1 / p)
    return y / scale, scale, y


def _scale(x: jax.Array, p: float) -> jax.Array:
    """Return 1 where the p-th power of the largest |x| is far from both ends of the range, else what takes it to 1."""
    largest = lax.stop_gradient(jnp.max(jnp.abs(x), initial=0))
    exponent = float(jnp.finfo(x.dtype).maxexp)
    low, high = 2.0 ** (-0.5 * exponent / p), 2.0 ** (0.75 * exponent / p)
    beyond = ((largest < low) & (largest > 0)) | ((largest > high) & jnp.isfinite(largest))
    # Not a power of two beside it, of which a high power leaves the range; nor a subnormal number, which is 0.
    scale = jnp.maximum(1 / largest, float(jnp.finfo(x.dtype).tiny))
    return jnp.where(beyond, scale, jnp.ones_like(largest))


def _signed_power(x: jax.Array, exponent: float) -> jax.Array:
    """Return sign(x) |x|^exponent, whose derivative at 0 is 0 where it would be infinite."""
    if exponent < 1:
        return jnp.sign(x) * _power(jnp.abs(x), exponent)
    return x * _power(jnp.abs(x), exponent - 1)


def _power(x: jax.Array, exponent: float) -> jax.Array:
    """Return x^exponent for x >= 0; at 0, where it or a derivative would be infinite, 0 with all derivatives."""
    if exponent == 0:
        return jnp.ones_like(x)
    whole = float(exponent).is_integer() and abs(exponent) <= MOST_PRODUCTS
    if whole and exponent > 0:
        return lax.integer_pow(x, int(exponent))
    zero = x == 0
    positive = jnp.where(zero, jnp.ones_like(x), x)
    if whole:
        raised = lax.integer_pow(positive, int(exponent))
    else:
        raised = jnp.sqrt(positive) if exponent == 0.5 else lax.pow(positive, jnp.full_like(positive, exponent))
    return jnp.where(zero, jnp.zeros_like(raised), raised)


_lp_pool.defvjp(_lp_pool_fwd, _lp_pool_bwd)
_compiled_lp_pool = compiled(_lp_pool, "lp_pool", static_argnums=(1, 2))


def _l_inf_pool_impl(x: jax.Array, config: PoolConfig) -> jax.Array:
    return _largest_magnitudes(x, config)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _l_inf_pool(x: jax.Array, config: PoolConfig) -> jax.Array:
    return _l_inf_pool_impl(x, config)


def _l_inf_pool_fwd(x: jax.Array, config: PoolConfig) -> tuple[jax.Array, tuple[jax.Array, tuple[jax.Array, ...]]]:
    y, taps = _largest_magnitudes(x, config)
    # x, for its signs: the input itself. The winning taps, one byte an element of each axis' result.
    return y, (x, taps)


def _l_inf_pool_bwd(
    config: PoolConfig, residuals: tuple[jax.Array, tuple[jax.Array, ...]], g: jax.Array
) -> tuple[jax.Array]:
    x, taps = residuals
    return (_with_sign_of(x, windows.max_dx(widen(g), taps, config)).astype(x.dtype),)


def _largest_magnitudes(x: jax.Array, config: PoolConfig) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """Return the largest |x| of every window, 0 for one that holds nothing but padding, and the winning taps."""
    y, taps = windows.max_forward(_with_sign_of(x, x), config)
    empty = windows.window_counts(config) == 0
    return (jnp.where(empty, jnp.zeros_like(y), y) if empty.any() else y), taps


def _with_sign_of(x: jax.Array, value: jax.Array) -> jax.Array:
    """Return sign(x) * value; a NaN counts as positive, so that it takes its cotangent, and 0 gives 0."""
    return jnp.where(x < 0, -value, jnp.where(x == 0, jnp.zeros_like(value), value))


_l_inf_pool.defvjp(_l_inf_pool_fwd, _l_inf_pool_bwd)
_compiled_l_inf_pool = compiled(_l_inf_pool, "lp_pool", static_argnums=(1,))
