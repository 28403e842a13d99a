"""A case: one op, the arrays to draw for it, and its options."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcnn
from jaxcnn import reference


class Normal(NamedTuple):
    """Normally distributed numbers."""

    shape: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in float64."""
        return rng.standard_normal(self.shape)


class Distinct(NamedTuple):
    """Numbers of which no two are close and none is near a multiple of `step`, where an activation has its kinks.

    They are the odd multiples of step / 2 around 0, exact in every dtype while there are at most 128 of one sign.
    """

    shape: tuple[int, ...]
    step: float = 1 / 64

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in float64."""
        size = int(np.prod(self.shape))
        return ((rng.permutation(size) - size // 2) + 0.5).reshape(self.shape) * self.step


class Weights(NamedTuple):
    """Positive numbers that sum to 1 along the last axis, a few of them 0."""

    shape: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in float64."""
        weights = np.maximum(rng.standard_normal(self.shape), 0) + 1e-3 * rng.random(self.shape)
        return weights / weights.sum(-1, keepdims=True)


class Uniform(NamedTuple):
    """Evenly distributed numbers from `low` to `high`."""

    shape: tuple[int, ...]
    low: float = 0.1
    high: float = 0.9

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in float64."""
        return rng.uniform(self.low, self.high, self.shape)


class Classes(NamedTuple):
    """Class numbers, int32."""

    shape: tuple[int, ...]
    classes: int

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in int32."""
        return rng.integers(0, self.classes, self.shape, np.int32)


class Places(NamedTuple):
    """Numbers of positions in an array of spatial shape `sizes`, int32: none twice in a channel of an example."""

    shape: tuple[int, ...]  # [*batch, *spatial, C], with no more positions than sizes
    sizes: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array in int32."""
        rank = len(self.sizes)
        batch, spatial, channels = self.shape[: -rank - 1], self.shape[-rank - 1 : -1], self.shape[-1]
        everywhere = np.arange(np.prod(self.sizes), dtype=np.int32)
        chosen = rng.permuted(np.tile(everywhere, (*batch, channels, 1)), axis=-1)[..., : np.prod(spatial)]
        return np.moveaxis(chosen.reshape(*batch, channels, *spatial), len(batch), -1)


class Mask(NamedTuple):
    """Bools, about three quarters of them True."""

    shape: tuple[int, ...]

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return an array of bool."""
        return rng.random(self.shape) < 0.75


@dataclasses.dataclass(frozen=True, eq=False)  # hashed as an object, for options are a dict
class Case:
    """One op, inputs to draw, and its static options.

    Attributes:
      op: its name.
      label: what is special about the case.
      inputs: what is drawn for each array.
      options: its other arguments.
      keywords: the names by which the last arrays are passed; those before are positional.
    """

    op: str
    label: str
    inputs: tuple[Any, ...]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    keywords: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The op and what is special about the case."""
        return f"{self.op} {self.label}"

    @property
    def manual(self) -> Callable[..., Any]:
        """The op with the hand rule, options bound, its integer results as floating ones."""
        return _in_floats(self.of_arrays(getattr(jaxcnn, self.op)))

    @property
    def auto(self) -> Callable[..., Any]:
        """Its autodiff twin, options bound, its integer results as floating ones."""
        return _in_floats(self.of_arrays(getattr(reference, self.op)))

    def of_arrays(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of the op's signature as a function of the arrays alone."""
        if not self.keywords:
            return functools.partial(fn, **self.options)
        split = len(self.inputs) - len(self.keywords)

        def of_arrays(*arrays: Any) -> Any:
            return fn(*arrays[:split], **dict(zip(self.keywords, arrays[split:], strict=True)), **self.options)

        return of_arrays

    @property
    def argnums(self) -> tuple[int, ...]:
        """The arguments that have a gradient."""
        return tuple(i for i, spec in enumerate(self.inputs) if not isinstance(spec, Classes | Mask | Places))

    def args(self, dtype: Any, seed: int = 0) -> tuple[jax.Array, ...]:
        """Return the arguments, floating ones in `dtype`."""
        rng = np.random.default_rng(seed)
        drawn = [spec.draw(rng) for spec in self.inputs]
        return tuple(jnp.asarray(a, dtype if a.dtype == np.float64 else a.dtype) for a in drawn)


def _in_floats(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return fn with its integer results, such as indices, in the dtype of its first argument, and a gradient of 0."""

    @functools.wraps(fn)
    def call(*args: Any) -> Any:
        dtype = jnp.result_type(args[0])
        return jax.tree.map(lambda y: y.astype(dtype) if jnp.issubdtype(y.dtype, jnp.integer) else y, fn(*args))

    return call
