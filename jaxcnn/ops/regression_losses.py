"""Losses of an error e = predictions - targets, one value an element: L = f(e).

Derivation. de/dpredictions = 1 and de/dtargets = -1, so dpredictions = g f'(e) and dtargets = -dpredictions.

    squared_error   f = e^2                              f' = 2 e                           keeps e
    l2_loss         f = e^2 / 2                          f' = e                             keeps e
    absolute_error  f = |e|                              f' = sign e                        keeps sign e, one byte
    huber_loss      f = e^2 / 2 where |e| <= delta,      f' = q, e clipped to               keeps q
                    delta (|e| - delta / 2) beyond            -delta and delta
    log_cosh        f = log cosh e                       f' = tanh e                        keeps tanh e

With q = e or +-delta, Huber's loss is q (e - q / 2) on either side, and e^2 / 2 where delta is infinite. cosh e is
1 + (e^2 / 2! + e^4 / 4! + ...), and exp(|e|) (1 + exp(-2 |e|)) / 2, so that log cosh e is log1p of the series, which
keeps its digits where |e| is below 1, and |e| - log 2 + log1p(exp(-2 |e|)), which keeps them beyond. All have f(0) = 0:
what is masked is an error of 0.

Kinks: |e| has the slope 0 at 0, and at NaN. Huber's slope has the derivative 1 where |e| = delta.

Everything is computed in float32 or wider and cast once.

References: Goodfellow, Bengio and Courville 2016, "Deep learning", section 5.5; Huber 1964, "Robust estimation of a
location parameter"; Chen et al. 2019, "Log hyperbolic cosine loss improves variational auto-encoder".
"""

import math

import jax
import jax.numpy as jnp

from jaxcnn.ops._dtypes import accumulation_dtype, as_static_number
from jaxcnn.ops._error_loss import error_loss, operands
from jaxcnn.ops._exponentials import log_of_cosh, tanh


def squared_error(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Square the difference between predictions and targets, element by element.

    For regression, without the factor 1/2 of `l2_loss`; with reduction="mean" the mean squared error.

    Math:
      L = (predictions - targets)^2. VJP: dpredictions = 2 g (predictions - targets), dtargets = -dpredictions.

    Args:
      predictions: floating, any shape.
      targets: of the shape and dtype of predictions; None is 0.
      where: bool, broadcastable to predictions; elements where it is False take no part.
      reduction: "none", "sum", or "mean", which divides by the number of elements that take part.

    Returns:
      An array of the shape of predictions, or one number; in the dtype of predictions.

    Gradient:
      Smooth.

    Raises:
      TypeError: predictions are not floating, the dtypes differ, or where is not bool.
      ValueError: the shapes do not fit, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.squared_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])))
      [1. 4.]

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 5.5.
    """
    return _squared_error(*operands(predictions, targets, where, reduction))


_squared_error = error_loss("squared_error", lambda e: e * e, residual=lambda e: e, cotangent=lambda e, g: 2 * g * e)


def l2_loss(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take half the square of the difference between predictions and targets, element by element.

    `squared_error` without the factor 2 in its gradient.

    Math:
      L = (predictions - targets)^2 / 2. VJP: dpredictions = g (predictions - targets), dtargets = -dpredictions.

    Args:
      predictions: floating, any shape.
      targets: of the shape and dtype of predictions; None is 0.
      where: bool, broadcastable to predictions; elements where it is False take no part.
      reduction: "none", "sum", or "mean", which divides by the number of elements that take part.

    Returns:
      An array of the shape of predictions, or one number; in the dtype of predictions.

    Gradient:
      Smooth.

    Raises:
      TypeError: predictions are not floating, the dtypes differ, or where is not bool.
      ValueError: the shapes do not fit, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.l2_loss(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0])))
      [0.5 2. ]

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 5.5.
    """
    return _l2_loss(*operands(predictions, targets, where, reduction))


_l2_loss = error_loss(
    "l2_loss",
    lambda error: error / 2 * error,
    residual=lambda error: error,
    # To clamp between the infinities changes nothing, and XLA's loop on a CPU is faster with it: 0.2 ms instead of 0.3.
    cotangent=lambda error, g: jax.lax.clamp(-jnp.inf, g, jnp.inf) * error,
)


def absolute_error(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take the absolute difference between predictions and targets, element by element: the l1 loss.

    Outliers weigh less than in `squared_error`; `huber_loss` is the one that is smooth at 0.

    Math:
      L = |predictions - targets|. VJP: dpredictions = g sign(predictions - targets), dtargets = -dpredictions.

    Args:
      predictions: floating, any shape.
      targets: of the shape and dtype of predictions; None is 0.
      where: bool, broadcastable to predictions; elements where it is False take no part.
      reduction: "none", "sum", or "mean", which divides by the number of elements that take part.

    Returns:
      An array of the shape of predictions, or one number; in the dtype of predictions.

    Gradient:
      0 where predictions equal targets, and where either is NaN.

    Raises:
      TypeError: predictions are not floating, the dtypes differ, or where is not bool.
      ValueError: the shapes do not fit, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.absolute_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 4.0]), reduction="mean"))
      1.5

    References:
      Goodfellow, Bengio and Courville 2016, "Deep learning", section 5.5.
    """
    return _absolute_error(*operands(predictions, targets, where, reduction))


_absolute_error = error_loss(
    "absolute_error",
    jnp.abs,
    residual=lambda error: (error > 0).astype(jnp.int8) - (error < 0).astype(jnp.int8),
    cotangent=lambda sign, g: g * sign.astype(g.dtype),
)


def huber_loss(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    delta: float = 1.0,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take half the squared difference up to delta, and beyond it the straight line that goes on.

    `l2_loss` with its gradient clipped to delta, so that no outlier dominates.

    Math:
      e = predictions - targets; L = e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2).
      VJP: dpredictions = g min(max(e, -delta), delta), dtargets = -dpredictions.

    Args:
      predictions: floating, any shape.
      targets: of the shape and dtype of predictions; None is 0.
      delta: a positive Python number; it is static.
      where: bool, broadcastable to predictions; elements where it is False take no part.
      reduction: "none", "sum", or "mean", which divides by the number of elements that take part.

    Returns:
      An array of the shape of predictions, or one number; in the dtype of predictions.

    Gradient:
      Continuous; its derivative is 1 at |e| = delta.

    Raises:
      TypeError: predictions are not floating, the dtypes differ, where is not bool, or delta is no static number.
      ValueError: the shapes do not fit, delta is not above 0, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(jaxcnn.huber_loss(jnp.array([0.5, -3.0])))
      [0.125 2.5  ]

    References:
      Huber 1964, "Robust estimation of a location parameter".
    """
    predictions, targets, where, reduction = operands(predictions, targets, where, reduction)
    number = as_static_number("delta", delta, predictions.dtype)
    if not number > 0:
        raise ValueError(f"delta (={delta!r}) must be above 0")
    largest = float(jnp.finfo(accumulation_dtype(predictions.dtype)).max)
    return _huber_loss(predictions, targets, where, reduction, number if number <= largest else math.inf)


def _clipped(error: jax.Array, delta: float) -> jax.Array:
    high = jnp.full_like(error, delta)
    return jnp.where(error > delta, high, jnp.where(error < -delta, -high, error))


def _huber_impl(error: jax.Array, delta: float) -> jax.Array:
    if math.isinf(delta):
        return error * error / 2  # an infinite error, too, where q (e - q / 2) is inf - inf
    q = _clipped(error, delta)
    return q * (error - q / 2)


_huber_loss = error_loss(
    "huber_loss",
    _huber_impl,
    residual=_clipped,
    cotangent=lambda q, g: g * q,
    static=1,
)


def log_cosh(
    predictions: jax.Array,
    targets: jax.Array | None = None,
    *,
    where: jax.Array | None = None,
    reduction: str = "none",
) -> jax.Array:
    """Take the logarithm of the hyperbolic cosine of the difference, element by element.

    Close to e^2 / 2 where the difference e is small, to |e| - log 2 where it is large: a smooth `huber_loss`.

    Math:
      e = predictions - targets; L = log cosh e. VJP: dpredictions = g tanh e, dtargets = -dpredictions.

    Args:
      predictions: floating, any shape.
      targets: of the shape and dtype of predictions; None is 0.
      where: bool, broadcastable to predictions; elements where it is False take no part.
      reduction: "none", "sum", or "mean", which divides by the number of elements that take part.

    Returns:
      An array of the shape of predictions, or one number; in the dtype of predictions.

    Gradient:
      Smooth.

    Raises:
      TypeError: predictions are not floating, the dtypes differ, or where is not bool.
      ValueError: the shapes do not fit, or there is no such reduction.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> print(f"{jaxcnn.log_cosh(jnp.array(-1.0)):.3f}")
      0.434

    References:
      Chen et al. 2019, "Log hyperbolic cosine loss improves variational auto-encoder".
    """
    return _log_cosh(*operands(predictions, targets, where, reduction))


_log_cosh = error_loss("log_cosh", log_of_cosh, residual=tanh, cotangent=lambda t, g: g * t)
