"""Arrays on meshes whose axes are Explicit, where the type of an array says over which axes it is split.

There JAX decides nothing itself: what a rule makes anew must be split as what it meets, a sum of products over a split
axis must say how its result is split, and so must a reshape of more than one axis. Everywhere else, without a mesh, on
one with Auto axes, and inside `shard_map`, every function here is the plain operation of JAX.

A sum of products over a split axis is whole on every device: it takes an all-reduce. No other function here moves
anything between devices.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

Spec = tuple[Any, ...]  # for each axis of an array the name of an axis of the mesh, or several, or None


def spec_of(x: jax.Array) -> Spec:
    """Return over which Explicit axes of a mesh each axis of x is split, None where it is whole."""
    return tuple(jax.typeof(x).sharding.spec)


def is_split(x: jax.Array) -> bool:
    """Return whether an axis of x is split over Explicit axes of a mesh."""
    return any(names is not None for names in spec_of(x))


def sharding(x: jax.Array, spec: Sequence[Any]) -> NamedSharding:
    """Return the sharding on the mesh of x of an array whose axes are split as `spec` says."""
    return NamedSharding(jax.typeof(x).sharding.mesh, PartitionSpec(*spec))


def split_like(x: jax.Array, like: jax.Array) -> jax.Array:
    """Return x, which is whole and has the rank of `like`, split as that is, but for its axes of one element."""
    if not is_split(like):
        return x
    names = [of_axis if size > 1 else None for size, of_axis in zip(x.shape, spec_of(like), strict=True)]
    return jax.sharding.reshard(x, sharding(like, names))


def zeros(shape: Sequence[int], dtype: Any, like: jax.Array) -> jax.Array:
    """Return zeros whose first axis is split as that of `like`."""
    if not is_split(like):
        return jnp.zeros(shape, dtype)
    return jnp.zeros(shape, dtype, out_sharding=sharding(like, spec_of(like)[:1]))


def zeros_of(result: jax.ShapeDtypeStruct) -> jax.Array:
    """Return zeros of a shape and dtype, split as what `jax.eval_shape` has returned."""
    split = getattr(result.sharding, "spec", ())
    if all(names is None for names in split):
        return jnp.zeros(result.shape, result.dtype)
    return jnp.zeros(result.shape, result.dtype, out_sharding=result.sharding)


def product_sharding(a: jax.Array, b: jax.Array, dimensions: Any) -> NamedSharding | None:
    """Return the sharding of `lax.dot_general(a, b, dimensions)`, of which every device has the whole sum.

    None where no axis that is summed over is split, for JAX knows it then.
    """
    of_a, of_b = spec_of(a), spec_of(b)
    (summed_a, summed_b), (batch_a, batch_b) = (tuple(map(tuple, pair)) for pair in dimensions)
    if all(of_a[axis] is None for axis in summed_a) and all(of_b[axis] is None for axis in summed_b):
        return None
    stay = [of_a[axis] for axis in batch_a]
    stay += [names for axis, names in enumerate(of_a) if axis not in summed_a + batch_a]
    stay += [names for axis, names in enumerate(of_b) if axis not in summed_b + batch_b]
    return sharding(a if is_split(a) else b, stay)


def replicated(rank: int, *operands: jax.Array) -> NamedSharding | None:
    """Return the sharding of a result of some rank that every device has whole; None where all operands are whole."""
    split = [x for x in operands if is_split(x)]
    return sharding(split[0], (None,) * rank) if split else None


def take_clipped(numbers: jax.Array, places: jax.Array) -> jax.Array:
    """Return `jnp.take(numbers, places, mode="clip")` of numbers `[P]`, split as the places are."""
    if not is_split(places):
        return jnp.take(numbers, places, mode="clip")
    inside = jnp.clip(places, 0, numbers.shape[0] - 1)
    return numbers.at[inside].get(mode="clip", out_sharding=sharding(places, spec_of(places)))


def reshape(x: jax.Array, shape: Sequence[int]) -> jax.Array:
    """Return x in another shape, of which any number of axes are merged or split.

    A split axis stays split, and must be the first of those that become one, or the only one. Of those that it becomes
    the first is split.
    """
    if not is_split(x):
        return x.reshape(tuple(shape))
    rest = -math.prod(shape)
    sizes = [x.size // rest if size < 0 else size for size in shape]
    spec: list[Any] = [None] * len(sizes)
    for axis, names in enumerate(spec_of(x)):
        if names is not None:
            before = math.prod(x.shape[:axis])
            spec[next(n for n, size in enumerate(sizes) if size != 1 and math.prod(sizes[:n]) == before)] = names
    return lax.reshape(x, sizes, out_sharding=sharding(x, spec))


def merge_axes(x: jax.Array, count: int) -> jax.Array:
    """Return x with its first axes, `count` of them, as one.

    Where some are split, the elements that a device has stay there: their order is another one then.
    """
    sizes, others = x.shape[:count], x.shape[count:]
    if not any(spec_of(x)[:count]):
        return x.reshape(math.prod(sizes), *others)
    names, rest = spec_of(x)[:count], spec_of(x)[count:]
    pairs = [n for size, parts in zip(sizes, _parts(x, count), strict=True) for n in (parts, size // parts)]
    pairs_spec = [name for of_axis in names for name in (of_axis, None)]
    apart = lax.reshape(x, (*pairs, *others), out_sharding=sharding(x, (*pairs_spec, *rest)))
    moved = apart.transpose(*range(0, 2 * count, 2), *range(1, 2 * count, 2), *range(2 * count, apart.ndim))
    merged = tuple(name for of_axis in names for name in _as_tuple(of_axis))
    return lax.reshape(moved, (math.prod(sizes), *others), out_sharding=sharding(x, (merged, *rest)))


def unmerge_axes(y: jax.Array, like: jax.Array, count: int) -> jax.Array:
    """Return y, whose first axis is what `merge_axes` made of those of `like`, with these in its place."""
    sizes, others = like.shape[:count], y.shape[1:]
    if not any(spec_of(like)[:count]):
        return y.reshape(*sizes, *others)
    names, rest = spec_of(like)[:count], spec_of(y)[1:]
    parts = _parts(like, count)
    local = [size // n for size, n in zip(sizes, parts, strict=True)]
    apart_spec = (*names, *[None] * count, *rest)
    apart = lax.reshape(y, (*parts, *local, *others), out_sharding=sharding(like, apart_spec))
    pairs = [axis for n in range(count) for axis in (n, n + count)]
    moved = apart.transpose(*pairs, *range(2 * count, apart.ndim))
    return lax.reshape(moved, (*sizes, *others), out_sharding=sharding(like, (*names, *rest)))


def _parts(x: jax.Array, count: int) -> tuple[int, ...]:
    """Return into how many parts each of the first axes is split."""
    devices = jax.typeof(x).sharding.mesh.shape
    return tuple(math.prod(devices[name] for name in _as_tuple(names)) for names in spec_of(x)[:count])


def _as_tuple(names: Any) -> tuple[Any, ...]:
    return () if names is None else names if isinstance(names, tuple) else (names,)
