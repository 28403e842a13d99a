"""A result that is computed once, where XLA's CPU compiler would compute it in everything that uses it."""

from collections.abc import Callable

import jax
from jax import lax

from jaxcnn.algorithms._mesh import zeros_of
from jaxcnn.algorithms._varying import varying_alike


def once(compute: Callable[..., jax.Array], *arrays: jax.Array) -> jax.Array:
    """Return compute(*arrays), written to memory by a loop of its own.

    XLA merges a loop over elements into every loop that reads its result, however much it computes for an element: a
    convolution written as a sum is computed again for each element of each window of a pool. It merges nothing into or
    out of a branch, and a predicate behind a barrier is one that it cannot know.

    Args:
      compute: from the arrays to one array.
      arrays: what it reads, all of it: it closes over no array.

    Returns:
      What compute returns, with its derivatives.
    """
    compute = jax.jit(compute)  # which is traced once for both of its calls
    result = jax.eval_shape(compute, *arrays)

    def never(*arrays: jax.Array) -> jax.Array:
        return varying_alike(zeros_of(result), *arrays)[0]

    with jax.named_scope("once"):
        return lax.cond(lax.optimization_barrier(True), compute, never, *arrays)
