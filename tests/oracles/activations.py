"""Activations and their derivatives by definition, in float64, with all digits at both ends of half precision's range."""

import functools
import math

import numpy as np


def oracle(case):
    """Return the NumPy function that says what the value of a case is."""
    return functools.partial(VALUES[case.op], **case.options)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_slope(x):
    return 1 / ((1 + np.exp(-x)) * (1 + np.exp(x)))


def normal_distribution(x):
    return np.vectorize(lambda v: math.erfc(-v / math.sqrt(2)) / 2)(x)


def normal_density(x):
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def gelu_argument(x):
    """Return twice the number of which gelu takes tanh: (1 + tanh(h)) / 2 is the sigmoid of 2 h."""
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def gelu(x, approximate=True):
    return x * (sigmoid(gelu_argument(x)) if approximate else normal_distribution(x))


def gelu_slope(x, approximate=True):
    if not approximate:
        return normal_distribution(x) + x * normal_density(x)
    twice_slope = 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return sigmoid(gelu_argument(x)) + x * twice_slope * sigmoid_slope(gelu_argument(x))


def mish_slope(x):
    softplus = np.logaddexp(0, x)
    return np.tanh(softplus) + x * sigmoid(x) / np.cosh(softplus) ** 2


def sigmoid_curvature(x):
    return -np.tanh(x / 2) * sigmoid_slope(x)  # 1 - 2 p is -tanh(x / 2)


def gelu_curvature(x, approximate=True):
    if not approximate:
        return normal_density(x) * (2 - x * x)
    z, c = gelu_argument(x), 2 * math.sqrt(2 / math.pi)
    z1, z2 = c * (1 + 3 * 0.044715 * x**2), c * 6 * 0.044715 * x
    return sigmoid_slope(z) * (2 * z1 + x * z2) + x * z1**2 * sigmoid_curvature(z)


def mish_curvature(x):
    softplus, p = np.logaddexp(0, x), sigmoid(x)
    slope = p / np.cosh(softplus) ** 2  # of tanh(softplus)
    return 2 * slope + x * (slope * (1 - p - 2 * p * np.tanh(softplus)))


def leaky(x, negative_slope=0.01):
    return np.where(x >= 0, x, negative_slope * x)


def squareplus(x, b=4):
    root = np.sqrt(x * x + b)
    return np.where(x < 0, b / (root + np.abs(x)), root + x) / 2


def squareplus_slope(x, b=4):
    root = np.sqrt(x * x + b)
    return np.where(x < 0, b / (root + np.abs(x)), root + x) / (2 * root)


def below(x):
    return np.minimum(x, 0)


def glu(x, axis=-1):
    a, b = np.split(x, 2, axis)
    return a * sigmoid(b)


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

VALUES = {
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": leaky,
    "prelu": leaky,
    "hard_tanh": lambda x, min_val=-1, max_val=1: np.clip(x, min_val, max_val),
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hard_silu": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "sparse_sigmoid": lambda x: np.clip(x + 1, 0, 2) / 2,
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
    "elu": lambda x, alpha=1: np.where(x > 0, x, alpha * np.expm1(below(x))),
    "celu": lambda x, alpha=1: np.where(x > 0, x, alpha * np.expm1(below(x) / alpha)),
    "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(below(x))),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(0, x),
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "soft_sign": lambda x: x / (1 + np.abs(x)),
    "squareplus": squareplus,
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "gelu": gelu,
    "glu": glu,
}

SLOPES = {
    "relu": lambda x: x > 0,
    "relu6": lambda x: (x > 0) & (x < 6),
    "leaky_relu": lambda x, negative_slope=0.01: np.where(x >= 0, 1, negative_slope),
    "hard_tanh": lambda x: np.abs(x) <= 1,
    "hard_sigmoid": lambda x: (np.abs(x) < 3) / 6,
    "hard_silu": lambda x: np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6)),
    "sparse_sigmoid": lambda x: np.where(np.abs(x) < 1, 0.5, np.where(np.abs(x) == 1, 0.25, 0)),
    "sparse_plus": lambda x: np.clip(x + 1, 0, 2) / 2,
    "elu": lambda x, alpha=1: np.where(x > 0, 1, alpha * np.exp(below(x))),
    "celu": lambda x, alpha=1: np.where(x > 0, 1, np.exp(below(x) / alpha)),
    "selu": lambda x: SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(below(x))),
    "sigmoid": sigmoid_slope,
    "tanh": lambda x: 1 / np.cosh(x) ** 2,
    "softplus": sigmoid,
    "log_sigmoid": lambda x: sigmoid(-x),
    "soft_sign": lambda x: 1 / (1 + np.abs(x)) ** 2,
    "squareplus": squareplus_slope,
    "silu": lambda x: sigmoid(x) + x * sigmoid_slope(x),
    "mish": mish_slope,
    "gelu": gelu_slope,
}

CURVATURES = {
    "relu": lambda x: 0 * x,
    "relu6": lambda x: 0 * x,
    "leaky_relu": lambda x, negative_slope=0.01: 0 * x,
    "hard_tanh": lambda x: 0 * x,
    "hard_sigmoid": lambda x: 0 * x,
    "hard_silu": lambda x: (np.abs(x) < 3) / 3,
    "sparse_sigmoid": lambda x: 0 * x,
    "sparse_plus": lambda x: (np.abs(x) < 1) / 2,
    "elu": lambda x, alpha=1: np.where(x > 0, 0, alpha * np.exp(below(x))),
    "celu": lambda x, alpha=1: np.where(x > 0, 0, np.exp(below(x) / alpha) / alpha),
    "selu": lambda x: np.where(x > 0, 0, SELU_SCALE * SELU_ALPHA * np.exp(below(x))),
    "sigmoid": sigmoid_curvature,
    "tanh": lambda x: -2 * np.tanh(x) / np.cosh(x) ** 2,
    "softplus": sigmoid_slope,
    "log_sigmoid": lambda x: -sigmoid_slope(x),
    "soft_sign": lambda x: -2 * np.sign(x) / (1 + np.abs(x)) ** 3,
    "squareplus": lambda x, b=4: b / 2 / np.sqrt(x * x + b) ** 3,
    "silu": lambda x: 2 * sigmoid_slope(x) + x * sigmoid_curvature(x),
    "mish": mish_curvature,
    "gelu": gelu_curvature,
}
