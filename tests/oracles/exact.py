"""The smooth activations and losses in mpmath, to any number of digits: the judge of float64.

A function takes one number, an mpf, and the options of its op, and returns an mpf; its derivatives are mpmath's.
"""

import mpmath
from mpmath import mpf

DIGITS = 400  # sigmoid(700) is 1 - 1e-304, whose derivative is a difference


def sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


def softplus(x):
    return mpmath.log1p(mpmath.exp(x))


def normal_distribution(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def gelu(x, approximate=True):
    if not approximate:
        return x * normal_distribution(x)
    return x * sigmoid(2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpf("0.044715") * x**3))


def exponential_unit(x, above, level, width):
    return above * x if x > 0 else level * mpmath.expm1(x / width)


def selu(x):
    scale, alpha = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")
    return exponential_unit(x, scale, scale * alpha, 1)


def squareplus(x, b=4):
    root = mpmath.sqrt(x * x + b)
    return (root + x) / 2 if x > 0 else b / (root - x) / 2


def focal(z, label, gamma=2):
    wrong = z if label == 0 else -z
    return sigmoid(wrong) ** gamma * softplus(wrong)


def log_cosh(e):
    return mpmath.log(mpmath.cosh(e))


ACTIVATIONS = {
    "sigmoid": sigmoid,
    "tanh": mpmath.tanh,
    "softplus": softplus,
    "log_sigmoid": lambda x: -softplus(-x),
    "soft_sign": lambda x: x / (1 + abs(x)),
    "squareplus": squareplus,
    "squareplus, b 0.1": lambda x: squareplus(x, mpf(0.1)),
    "elu": lambda x: exponential_unit(x, 1, 1, 1),
    "elu, alpha 0.7": lambda x: exponential_unit(x, 1, mpf(0.7), 1),
    "elu, alpha -0.5": lambda x: exponential_unit(x, 1, mpf(-0.5), 1),
    "celu": lambda x: exponential_unit(x, 1, 1, 1),
    "celu, alpha 0.7": lambda x: exponential_unit(x, 1, mpf(0.7), mpf(0.7)),
    "selu": selu,
    "silu": lambda x: x * sigmoid(x),
    "mish": lambda x: x * mpmath.tanh(softplus(x)),
    "gelu": gelu,
    "gelu, exact": lambda x: gelu(x, approximate=False),
}

# Of the first operand; the second is 0, and a label of 0 or 1.
LOSSES = {
    "log_cosh": log_cosh,
    "sigmoid_binary_cross_entropy, 0": softplus,
    "sigmoid_binary_cross_entropy, 1": lambda z: softplus(-z),
    "sigmoid_focal_loss, 0": lambda z: focal(z, 0),
    "sigmoid_focal_loss, 1": lambda z: focal(z, 1),
    "sigmoid_focal_loss, 0, gamma 1.5": lambda z: focal(z, 0, mpf(1.5)),
}


def derivatives(fn, x):
    """Return value, first and second derivative of a function at a float, as mpfs."""
    with mpmath.workdps(DIGITS):
        return [mpmath.diff(fn, mpf(float(x)), n) if n else fn(mpf(float(x))) for n in range(3)]
