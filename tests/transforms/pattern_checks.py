"""What the tests of the table of `accelerate` share: programs before and after it."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.transforms import accelerate


def arrays(*shapes, dtype=np.float64):
    rng = np.random.default_rng(len(shapes))
    return [jnp.asarray(rng.standard_normal(shape), dtype) for shape in shapes]


def reported(fn, *args):
    """Return the result of the accelerated function, and what replaced what in it."""
    reports = []
    result = accelerate(fn, report=reports.append)(*args)
    return result, reports[0]


def replaced(report):
    return sorted((one.primitive, one.by) for one in report.findings if one.by)


def close(found, right, rtol=1e-12):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * max(np.max(np.abs(b), initial=0.0), 1e-300))


def value_and_gradients(fn, *args):
    """Return the value, the gradients, and the gradients of their squares, all for a nonlinear sum."""
    every = tuple(range(len(args)))

    def total(*args):
        return jnp.sum(jnp.sin(fn(*args)))

    def squares(*args):
        return sum(jnp.sum(g**2) for g in jax.grad(total, every)(*args))

    return jax.jit(lambda *args: (fn(*args), jax.grad(total, every)(*args), jax.grad(squares, every)(*args)))(*args)


def distance(found, right):
    """Return the norm of a difference of two trees over the norm of the second."""

    def norm(tree):
        return float(jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree))))

    return norm(jax.tree.map(jnp.subtract, found, right)) / norm(right)
