"""Questions that a diagnosis puts to two pullbacks: random cotangents, and cotangents that are 1 at one output only."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Pull = Callable[[Sequence[jax.Array]], list[jax.Array]]
Index = tuple[int, ...]
MANY_OUTPUTS = 64  # single outputs that are asked about


class Response(NamedTuple):
    """What both pullbacks return for one cotangent."""

    output: Index
    mine: np.ndarray
    right: np.ndarray


class Probe:
    """Two pullbacks of one primal.

    Attributes:
      g: the cotangents that showed the difference, of all outputs.
      primal: the numbers of the primal.
      pairs: what both return for them, and for other random ones.
    """

    def __init__(self, mine: Pull, right: Pull, leaf: int, cotangents: Sequence[jax.Array], primal: Any):
        self._mine, self._right, self._leaf, self._dtypes = mine, right, leaf, [g.dtype for g in cotangents]
        self.primal = np.asarray(primal, np.float64)
        rng = np.random.default_rng(6)
        self.g = [np.asarray(g, np.float64) for g in cotangents]
        self.other = [self._rounded(rng.standard_normal(g.shape), n) for n, g in enumerate(self.g)]
        self.tolerance = 2e-2 if any(jnp.dtype(d).itemsize < 4 for d in self._dtypes) else 1e-4

    def mine(self, g: Sequence[np.ndarray]) -> np.ndarray:
        """Return what the rule on trial gives."""
        return self._ask(self._mine, g)

    def right(self, g: Sequence[np.ndarray]) -> np.ndarray:
        """Return what it must give."""
        return self._ask(self._right, g)

    @functools.cached_property
    def pairs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """What both return for two random cotangents; a name must hold for both."""
        return [(self.mine(g), self.right(g)) for g in (self.g, self.other)]

    def close(self, a: np.ndarray, b: np.ndarray) -> bool:
        """Return whether two arrays are one, of one shape and up to rounding, and not 0."""
        scale = np.max(np.abs(b), initial=0.0)
        return bool(a.shape == b.shape and scale > 0 and np.max(np.abs(a - b)) <= self.tolerance * scale)

    def always(self, relation: Callable[[np.ndarray, np.ndarray], np.ndarray | None]) -> bool:
        """Return whether mine is what `relation` makes of (right, g), and right itself is not, for both cotangents."""
        for (a, b), g in zip(self.pairs, (self.g, self.other), strict=True):
            made = relation(b, g[0])
            if made is None or not self.close(a, made) or self.close(a, b):
                return False
        return True

    @property
    def one_output(self) -> bool:
        """Whether there is one output array, with elements."""
        return len(self.g) == 1 and self.g[0].size > 0

    def response(self, output: Index) -> Response:
        """Return what both give for a cotangent that is 1 at one output."""
        g = np.zeros_like(self.g[0])
        g[output] = 1
        return Response(output, self.mine([g]), self.right([g]))

    @functools.cached_property
    def responses(self) -> list[Response]:
        """The responses to single outputs: all of them, or some that lie anywhere."""
        shape = self.g[0].shape
        chosen = np.random.default_rng(7).permutation(self.g[0].size)[:MANY_OUTPUTS]
        return [self.response(tuple(int(i) for i in np.unravel_index(c, shape))) for c in np.sort(chosen)]

    def _rounded(self, numbers: np.ndarray, output: int) -> np.ndarray:
        return np.asarray(numbers.astype(self._dtypes[output]), np.float64)

    def _ask(self, pull: Pull, g: Sequence[np.ndarray]) -> np.ndarray:
        given = [jnp.asarray(np.asarray(part).astype(d)) for part, d in zip(g, self._dtypes, strict=True)]
        return np.asarray(pull(given)[self._leaf], np.float64)
