"""Products with a sparse matrix along an axis: every output is a weighted sum of a few inputs.

Padding, resampling and windows are y[o] = sum_i A[o, i] x[i] along each spatial axis, with few elements in a row of A.
The matrix is static, and stored as the elements of its rows, all rows filled up to the longest: element t of row o
stands in column columns[t, o] and is weights[t, o]. So the product is

    y[o] = sum_t weights[t, o] x[columns[t, o]]

where x is gathered once for each t. The adjoint is the product with the transposed matrix, in the same form, gathered
too: the transpose that JAX has of a gather is a scatter, which a CPU adds element by element. XLA makes one loop of the
products along all axes, which reads and writes nothing in between.

An element of weight 0 takes no part, so that no product of 0 and an infinity makes a nan.

Cost: T multiplications and additions an output along each axis, for rows of T elements. No temporaries.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

LONGEST = 16  # of rows whose sum is written out; one of more elements is a loop, which is short to compile


class Rows(NamedTuple):
    """The rows of a sparse matrix: [element, row]."""

    columns: np.ndarray
    weights: np.ndarray  # 0 where a row has fewer elements


def selection(columns: Sequence[int] | np.ndarray, present: Sequence[bool] | np.ndarray | None = None) -> Rows:
    """Return the matrix that takes one element for each row, or none where not `present`."""
    columns = np.asarray(columns, np.int64)[None]
    return Rows(columns, np.ones(columns.shape) if present is None else np.asarray(present, np.float64)[None])


def transposed(rows: Rows, count: int) -> Rows:
    """Return the rows of the transposed matrix, of which there are `count`."""
    columns, weights = rows.columns.T.ravel(), rows.weights.T.ravel()
    present = np.flatnonzero(weights)
    present = present[np.argsort(columns[present], kind="stable")]
    column, row = columns[present], present // max(len(rows.columns), 1)
    sizes = np.bincount(column, minlength=count)
    width = max(1, int(sizes.max(initial=0)))
    element = np.arange(len(present)) - (np.cumsum(sizes) - sizes)[column]
    last = np.zeros(count, np.int64)
    last[column] = row  # the last of several stays
    elements, values = np.repeat(last[None], width, 0), np.zeros((width, count))
    elements[element, column], values[element, column] = row, weights[present]
    return Rows(elements, values)


def product(rows: Rows, x: jax.Array, axis: int) -> jax.Array:
    """Return the product of the matrix with x along `axis`, in the dtype of x."""
    width, count = rows.columns.shape
    if np.array_equal(rows.columns, np.arange(x.shape[axis])[None]) and np.all(rows.weights == 1):
        return x  # the identity
    if width > LONGEST:
        all_rows = Rows(rows.columns.T.reshape(1, -1), rows.weights.T.reshape(1, -1))
        terms = product(all_rows, x, axis).reshape(*x.shape[:axis], count, width, *x.shape[axis + 1 :])
        return jnp.sum(terms, axis + 1, dtype=x.dtype)
    shape = [1] * x.ndim
    shape[axis] = count
    terms = []
    for columns, weights in zip(rows.columns, rows.weights, strict=True):
        term = _take(x, columns.astype(np.int32), axis)
        if not np.all((weights == 0) | (weights == 1)):
            term = term * weights.astype(x.dtype).reshape(shape)
        if not np.all(weights):
            term = jnp.where((weights != 0).reshape(shape), term, jnp.zeros_like(term))
        terms.append(term)
    return functools.reduce(jnp.add, terms)


def products(matrices: Sequence[Rows], x: jax.Array) -> jax.Array:
    """Return the products along the spatial axes of x `[*batch, *spatial, C]`, one matrix for each."""
    first = x.ndim - len(matrices) - 1
    for axis in reversed(range(len(matrices))):
        x = product(matrices[axis], x, first + axis)
    return x


def _take(x: jax.Array, columns: np.ndarray, axis: int) -> jax.Array:
    """Return the given columns; equal distances are a slice, and repetitions a broadcast, cheaper than a gather."""
    size, steps = x.shape[axis], np.diff(columns)
    if len(steps) and steps[0] > 0 and np.all(steps == steps[0]):
        return lax.slice_in_dim(x, int(columns[0]), int(columns[-1]) + 1, int(steps[0]), axis)
    times = len(columns) // size
    if times > 1 and np.array_equal(columns, np.repeat(np.arange(size), times)):
        repeated = jnp.broadcast_to(jnp.expand_dims(x, axis + 1), (*x.shape[: axis + 1], times, *x.shape[axis + 1 :]))
        return repeated.reshape(*x.shape[:axis], size * times, *x.shape[axis + 1 :])
    return jnp.take(x, columns, axis, mode="clip")
