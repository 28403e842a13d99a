"""The cases of `jaxcnn.gradcheck.cases` that have a batch, with a batch of any size, to the second order."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.gradcheck.cases import CASES
from tests.ops.batches import batch_axis, with_batch

# One layer an algorithm, or a kind of rule.
FIRST = (
    "conv 2-D", "conv stride does not divide", "conv groups", "conv pointwise", "conv 3-D", "conv circular",
    "depthwise_conv three a channel", "conv_transpose same", "conv_local 2-D", "max_pool overlapping", "avg_pool same",
    "adaptive_max_pool 2-D", "global_max_pool 2-D", "dense with bias", "batch_norm 2-D, scale and bias",
    "group_norm two batch axes", "gelu tanh", "softmax two axes", "softmax_cross_entropy first axis",
    "softmax_cross_entropy_with_integer_labels weights, smoothed, a class ignored, mean", "fold 2-D",
    "upsample_linear by 1.7 and 0.6", "dropout rate 0.3", "max_unpool 2-D", "depth_to_space 2-D",
    "cosine_distance masked mean over axis 0",
)  # fmt: skip


BATCHED = tuple(case for case in CASES if batch_axis(case) is not None)


class Numbers:
    """What is drawn for a case, floating numbers in a dtype.

    Attributes:
      arrays: those that have a gradient.
      others: the others.
      weights: one for each result, by which it is multiplied and added up to one number.
      vectors: one for each array, of the product with the second derivatives.
      axes: where the examples stand in all of these, group by group; None: nowhere.
    """

    def __init__(self, case, dtype=np.float32):
        args = case.args(dtype)
        rng = np.random.default_rng(1)
        self.arrays = [args[n] for n in case.argnums]
        self.others = [a for n, a in enumerate(args) if n not in case.argnums]
        results = jax.eval_shape(functools.partial(outputs, case), self.arrays, self.others)
        self.weights = [np.asarray(rng.standard_normal(y.shape), dtype) for y in results]
        self.vectors = [np.asarray(rng.standard_normal(a.shape), dtype) for a in self.arrays]

    def operands(self):
        return [self.arrays, self.others, self.weights, self.vectors]


def operand_axes(case):
    """Return where the examples stand in each operand of a case, group by group; None: nowhere."""
    few, many = (Numbers(with_batch(case, size, 1)).operands() for size in (4, 8))
    return [
        [_other_axis(np.shape(a), np.shape(b)) for a, b in zip(*groups, strict=True)]
        for groups in zip(few, many, strict=True)
    ]


def _other_axis(shape, other):
    return next((axis for axis, (n, m) in enumerate(zip(shape, other, strict=True)) if n != m), None)


def outputs(case, arrays, others):
    """Return the results of a case, a list, for its arrays with a gradient and its others."""
    given, others = dict(zip(case.argnums, arrays, strict=True)), iter(others)
    args = [given[n] if n in given else next(others) for n in range(len(case.inputs))]
    result = case.manual(*args)
    return list(result) if isinstance(result, tuple) else [result]


def total(pairs):
    """Return the sum of all products of two arrays each."""
    return functools.reduce(jnp.add, [jnp.sum(a * b) for a, b in pairs])


def first_order(case, arrays, others, weights, summed=lambda x: x):
    """Return the results and the gradients of their weighted sum; `summed` adds that up over devices."""

    def objective(*arrays):
        found = outputs(case, arrays, others)
        return summed(total(zip(found, weights, strict=True))), found

    gradients, found = jax.grad(objective, range(len(arrays)), has_aux=True)(*arrays)
    return found, list(gradients)


def second_order(case, arrays, others, weights, vectors, summed=lambda x: x):
    """Return the same, and the second derivatives of the weighted sum times the vectors."""

    def along(*arrays):
        found, gradients = first_order(case, arrays, others, weights, summed)
        terms = [summed(jnp.sum(a * v)) for a, v in zip(gradients, vectors, strict=True)]
        return functools.reduce(jnp.add, terms), (found, gradients)

    second, (found, gradients) = jax.grad(along, range(len(arrays)), has_aux=True)(*arrays)
    return found, gradients, list(second)


def difference(found, right):
    """Return the largest difference of several arrays, by the largest number among them; what is nan must be nan."""
    pairs = [(np.asarray(a, np.float64), np.asarray(b, np.float64)) for a, b in zip(found, right, strict=True)]
    largest = max([np.max(np.abs(b[np.isfinite(b)]), initial=0) for _, b in pairs] + [1e-3])
    apart = [0.0]
    for a, b in pairs:
        different = ~((a == b) | (np.isnan(a) & np.isnan(b)))
        apart.append(np.max(np.abs(a[different] - b[different]), initial=0))
    return float(np.max(apart) / largest)
