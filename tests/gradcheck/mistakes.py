"""Realistic mistakes in backward rules: each a function with a wrong rule, its right twin, and the name of the mistake.

The wrong rules are written out here, from the right pullback of the twin, and share no code with the layers. `named`
is what the diagnosis must say, as a regular expression; None where the numbers alone do not tell: it must then say
nothing that is wrong.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import jaxcnn.reference as ref


class Mistake(NamedTuple):
    """A wrong backward rule."""

    name: str
    value: Callable[..., Any]  # the right function
    backward: Callable[..., tuple[Any, ...]]  # (g, *args, right) to wrong cotangents; right(g) are the right ones
    args: tuple[Any, ...]
    off: tuple[int, ...]  # the arguments whose gradient is wrong
    named: str | None

    @property
    def wrong(self) -> Callable[..., Any]:
        """The function with the wrong rule."""

        def value(*args: Any) -> Any:
            return self.value(*args)

        fn = jax.custom_vjp(value)

        def back(args: tuple[Any, ...], g: Any) -> tuple[Any, ...]:
            return self.backward(g, *args, right=jax.vjp(self.value, *args)[1])

        fn.defvjp(lambda *args: (value(*args), args), back)
        return fn

    @property
    def argnums(self) -> tuple[int, ...]:
        """All arguments."""
        return tuple(range(len(self.args)))


def normal(*shape: int, seed: int = 0) -> jax.Array:
    """Return normally distributed numbers in float32."""
    return jnp.asarray(np.random.default_rng([seed, *shape]).standard_normal(shape), jnp.float32)


def _conv(**options: Any) -> Callable[..., Any]:
    return lambda x, kernel: ref.conv(x, kernel, **options)


def _dense(x: Any, kernel: Any) -> Any:
    return ref.dense(x, kernel)


def _same(x: Any, kernel: Any) -> Any:
    return ref.conv(x, kernel)


def _of_first(change: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """Return a backward rule that changes the first cotangent."""

    def backward(g: Any, *args: Any, right: Any) -> tuple[Any, ...]:
        first, *rest = right(g)
        return (change(first, g, *args), *rest)

    return backward


def _of_last(change: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    def backward(g: Any, *args: Any, right: Any) -> tuple[Any, ...]:
        *rest, last = right(g)
        return (*rest, change(last, g, *args))

    return backward


def _by(fn: Callable[..., Any], which: int = 0) -> Callable[..., tuple[Any, ...]]:
    """Return a backward rule that takes one cotangent from another function."""

    def backward(g: Any, *args: Any, right: Any) -> tuple[Any, ...]:
        found = list(right(g))
        found[which] = jax.vjp(fn, *args)[1](g)[which]
        return tuple(found)

    return backward


def _without_zeros(g: Any, x: Any, kernel: Any, right: Any) -> tuple[Any, ...]:
    read = x[:, : g.shape[1] + kernel.shape[0] - 1, : g.shape[2] + kernel.shape[1] - 1]
    dx = jax.vjp(_conv(padding="VALID"), read, kernel)[1](g)[0]
    rest = [(0, a - b) for a, b in zip(x.shape, dx.shape, strict=True)]
    return jnp.pad(dx, rest), right(g)[1]


def _edge(dx: Any, g: Any, x: Any, kernel: Any) -> Any:
    read = (g.shape[1] - 1) * 3 + kernel.shape[0]
    return jnp.pad(dx[:, :read], [(0, 0), (0, x.shape[1] - read), (0, 0), (0, 0)], mode="edge")


def _shifted(dx: Any, *_: Any) -> Any:
    return jnp.pad(dx, [(0, 0), (1, 0), (0, 0), (0, 0)])[:, :-1]


def _patches(x: Any, size: int, strides: int) -> list[tuple[tuple[Any, ...], Any]]:
    """Return each element of the windows: where it lies in x, and its numbers for all windows."""
    h, w = ((n - size) // strides + 1 for n in x.shape[1:3])
    found = []
    for i in range(size):
        for j in range(size):
            where = (
                slice(None),
                slice(i, i + (h - 1) * strides + 1, strides),
                slice(j, j + (w - 1) * strides + 1, strides),
            )
            found.append((where, x[where]))
    return found


def _max_overwrites(g: Any, x: Any, right: Any) -> tuple[Any, ...]:
    dx, y = jnp.zeros_like(x), ref.max_pool(x, (3, 3))
    for where, numbers in _patches(x, 3, 1):
        dx = dx.at[where].set(jnp.where(numbers == y, g, dx[where]))
    return (dx,)


def _average_overwrites(g: Any, x: Any, right: Any) -> tuple[Any, ...]:
    dx = jnp.zeros_like(x)
    for where, _ in _patches(x, 3, 1):
        dx = dx.at[where].set(g / 9)
    return (dx,)


def _max_to_all(size: int, strides: int) -> Callable[..., Any]:
    def backward(g: Any, x: Any, right: Any) -> tuple[Any, ...]:
        dx, y = jnp.zeros_like(x), ref.max_pool(x, (size, size), strides)
        for where, numbers in _patches(x, size, strides):
            dx = dx.at[where].add(jnp.where(numbers == y, g, 0))
        return (dx,)

    return backward


def _max_to_last(g: Any, x: Any, right: Any) -> tuple[Any, ...]:
    def turned(x: Any) -> Any:
        return jnp.flip(ref.max_pool(jnp.flip(x, (1, 2)), (2, 2), 2), (1, 2))

    return jax.vjp(turned, x)[1](g)


def _max_without_mask(g: Any, x: Any, right: Any) -> tuple[Any, ...]:
    return (jnp.repeat(jnp.repeat(g, 2, 1), 2, 2),)


def _softmax_over_batch(g: Any, x: Any, right: Any) -> tuple[Any, ...]:
    p = jax.nn.softmax(x)
    return (p * (g - (p * g).sum(0, keepdims=True)),)


def _softmax_diagonal(g: Any, x: Any, right: Any) -> tuple[Any, ...]:
    p = jax.nn.softmax(x)
    return (p * (1 - p) * g,)


def _layer_norm(part: str) -> Callable[..., Any]:
    def backward(g: Any, x: Any, right: Any) -> tuple[Any, ...]:
        centred = x - x.mean(-1, keepdims=True)
        rstd = lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-6)
        hat = centred * rstd
        mean = 0 if part == "mean" else g.mean(-1, keepdims=True)
        variance = 0 if part == "variance" else hat * (g * hat).mean(-1, keepdims=True)
        return (rstd * (g - mean - variance),)

    return backward


def _layer(x: Any) -> Any:
    return ref.layer_norm(x, epsilon=1e-6)


def _batch_norm(x: Any, scale: Any, bias: Any) -> Any:
    return ref.batch_norm(x, scale, bias, epsilon=1e-5)[0]


def _batch_without_variance(g: Any, x: Any, scale: Any, bias: Any, right: Any) -> tuple[Any, ...]:
    rstd = lax.rsqrt(x.var((0, 1, 2)) + 1e-5)
    return (scale * rstd * (g - g.mean((0, 1, 2))), *right(g)[1:])


MASK = jnp.asarray(np.random.default_rng(9).random((4, 5)) < 0.6)
LABELS = jnp.array([0, 2, 1, 4])


def _dropout(x: Any) -> Any:
    return jnp.where(MASK, x / 0.6, 0)


def _cross_entropy(logits: Any) -> Any:
    return ref.softmax_cross_entropy_with_integer_labels(logits, LABELS)


def _block(x: Any) -> Any:
    return x + jnp.tanh(x @ normal(5, 5))


def _bias(x: Any, bias: Any) -> Any:
    return x + bias.reshape((1,) * (x.ndim - 1) + (-1,))


def _times(x: Any, s: Any) -> Any:
    return x * s.reshape((1,) * (x.ndim - 1) + (-1,))


def _upsampled(x: Any) -> Any:
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)


def _pool(size: int, strides: int) -> Callable[..., Any]:
    return lambda x: ref.max_pool(x, (size, size), strides)


def _average(x: Any) -> Any:
    return ref.avg_pool(x, (3, 3))


def _only(index: int, change: Callable[[Any], Any]) -> Callable[..., tuple[Any, ...]]:
    def backward(g: Any, *args: Any, right: Any) -> tuple[Any, ...]:
        found = list(right(g))
        found[index] = change(found[index])
        return tuple(found)

    return backward


def _at(change: Callable[[Any], Any]) -> Callable[..., tuple[Any, ...]]:
    """Return a backward rule that gets another cotangent than it is given."""
    return lambda g, *args, right: tuple(right(change(g)))


OBLONG, KERNEL, SQUARE = normal(2, 7, 6, 3), normal(3, 2, 3, 4), normal(3, 3, 3, 3)
IMAGE = normal(2, 7, 6, 2)
TIED = jnp.asarray(np.random.default_rng(3).integers(0, 3, (2, 6, 6, 2)), jnp.float32)
SMALL = jnp.array([1.0, 1e-7])

MISTAKES = (
    # Convolutions
    Mistake("kernel not turned for dx", _same, _by(lambda x, k: _same(x, k[::-1, ::-1])), (OBLONG, KERNEL), (0,), "180 degrees"),
    Mistake("channels not swapped for dx", _same, _by(lambda x, k: _same(x, jnp.swapaxes(k, 2, 3))), (OBLONG, SQUARE), (0,), "input and output channels"),
    Mistake("stride without zeros", _conv(strides=2, padding="VALID"), _without_zeros, (OBLONG, KERNEL), (0,), "zeros between"),
    Mistake("padding of the cotangent", _same, _of_first(_shifted), (OBLONG, KERNEL), (0,), r"shifted by \(0, 1, 0, 0\)"),
    Mistake("rows that no window reads", _conv(strides=3, padding="VALID"), _of_first(_edge), (normal(2, 8, 6, 3), SQUARE), (0,), "no window reads"),
    Mistake("dkernel reversed", _same, _of_last(lambda dk, *_: dk[::-1, ::-1]), (OBLONG, KERNEL), (1,), "reversed along axes .0, 1."),
    Mistake("dkernel with channels swapped", _same, _of_last(lambda dk, *_: jnp.swapaxes(dk, 2, 3)), (OBLONG, SQUARE), (1,), "axes .2, 3. exchanged"),
    Mistake("dkernel a mean over the batch", _same, _of_last(lambda dk, *_: dk / 2), (OBLONG, KERNEL), (1,), "0.5 times"),
    Mistake("dkernel of the first example", _same, lambda g, x, k, right: (right(g)[0], jax.vjp(_same, x[:1], k)[1](g[:1])[1]), (OBLONG, KERNEL), (1,), "axis 0 of the cotangent"),
    Mistake("cotangent turned for dkernel", _same, lambda g, x, k, right: (right(g)[0], right(g[:, ::-1, ::-1])[1]), (OBLONG, KERNEL), (1,), "the cotangent is turned"),
    Mistake("dilation forgotten in dx", _conv(kernel_dilation=2), _by(_same), (OBLONG, SQUARE), (0,), None),
    # Biases, dense
    Mistake("bias gradient of the first example", _bias, _of_last(lambda db, g, *_: g[0].sum((0, 1))), (normal(3, 5, 4, 2), normal(2)), (1,), r"not summed over axes \(0,\)"),
    Mistake("bias gradient a mean", _bias, _of_last(lambda db, g, *_: g.mean((0, 1, 2))), (normal(3, 5, 4, 2), normal(2)), (1,), "0.01667 times"),
    Mistake("dense kernel gradient transposed", _dense, _of_last(lambda dk, *_: dk.T), (normal(4, 3), normal(3, 3)), (1,), "axes .0, 1. exchanged"),
    Mistake("dense dx by the kernel, not its transpose", _dense, _of_first(lambda dx, g, x, k: g @ k), (normal(4, 3), normal(3, 3)), (0,), "transposed"),
    # Pools
    Mistake("overlapping maxima overwrite", _pool(3, 1), _max_overwrites, (IMAGE,), (0,), "instead of adding"),
    Mistake("overlapping averages overwrite", _average, _average_overwrites, (IMAGE,), (0,), "instead of adding"),
    Mistake("ties to every maximum", _pool(2, 2), _max_to_all(2, 2), (TIED,), (0,), "ties go to every"),
    Mistake("ties to every maximum, where none was drawn", _pool(2, 2), _max_to_all(2, 2), (normal(2, 6, 6, 2),), (0,), "ties go to every"),
    Mistake("overlapping ties to every maximum", _pool(3, 1), _max_to_all(3, 1), (IMAGE,), (0,), "ties go to every"),
    Mistake("ties to the last maximum", _pool(2, 2), _max_to_last, (normal(2, 6, 6, 2),), (0,), "tie goes to another"),
    Mistake("the whole window of a maximum", _pool(2, 2), _max_without_mask, (normal(2, 6, 6, 2),), (0,), "more elements than it must"),
    Mistake("average without 1/N", _average, _only(0, lambda dx: 9 * dx), (IMAGE,), (0,), "9 times"),
    Mistake("repeated rows averaged", _upsampled, _only(0, lambda dx: dx / 4), (normal(2, 3, 4, 2),), (0,), "0.25 times"),
    Mistake("repeated rows of the first copy", _upsampled, lambda g, x, right: (g[:, ::2, ::2],), (normal(2, 3, 4, 2),), (0,), "instead of adding"),
    # Activations
    Mistake("relu mask from the cotangent", ref.relu, lambda g, x, right: (jnp.where(g > 0, g, 0),), (normal(4, 5),), (0,), "mask .* cotangent"),
    Mistake("relu'(0) = 1", ref.relu, lambda g, x, right: (jnp.where(x >= 0, g, 0),), (normal(4, 5),), (0,), "only where x is 0"),
    Mistake("leaky relu without its slope", lambda x: jnp.where(x > 0, x, 0.1 * x), lambda g, x, right: (jnp.where(x > 0, g, 0),), (normal(4, 5),), (0,), "slope"),
    Mistake("sigmoid' of x instead of y", jax.nn.sigmoid, lambda g, x, right: (g * x * (1 - x),), (normal(4, 5),), (0,), "slope"),
    Mistake("tanh' = 1 - y", jnp.tanh, lambda g, x, right: (g * (1 - jnp.tanh(x)),), (normal(4, 5),), (0,), "slope"),
    # Softmax, losses
    Mistake("softmax sums over the batch", jax.nn.softmax, _softmax_over_batch, (normal(4, 5),), (0,), "along axis 0"),
    Mistake("softmax without its sum", jax.nn.softmax, _softmax_diagonal, (normal(4, 5),), (0,), "along axis 1"),
    Mistake("one-hot minus p", _cross_entropy, _only(0, lambda d: -d), (normal(4, 5),), (0,), "wrong sign"),
    Mistake("p, not p minus one-hot", _cross_entropy, lambda g, x, right: (g[:, None] * jax.nn.softmax(x),), (normal(4, 5),), (0,), None),
    Mistake("squared error without its 2", jnp.square, _only(0, lambda d: d / 2), (normal(4, 5),), (0,), "0.5 times"),
    # Norms, dropout, blocks
    Mistake("layer norm, variance forgotten", _layer, _layer_norm("variance"), (normal(4, 9),), (0,), "variance"),
    Mistake("layer norm, mean forgotten", _layer, _layer_norm("mean"), (normal(4, 9),), (0,), "constant cotangent"),
    Mistake("batch norm, variance forgotten", _batch_norm, _batch_without_variance, (normal(3, 5, 4, 2), normal(2), normal(2)), (0,), "variance"),
    Mistake("batch norm without its scale", _batch_norm, _of_first(lambda dx, g, x, scale, bias: dx / scale), (normal(3, 5, 4, 3), normal(3), normal(3)), (0,), "factor .* along axis 3"),
    Mistake("dropout mask not applied", _dropout, lambda g, x, right: (g / 0.6,), (normal(4, 5),), (0,), "must be 0"),
    Mistake("dropout not divided by the rate", _dropout, _only(0, lambda d: 0.6 * d), (normal(4, 5),), (0,), "0.6 times"),
    Mistake("residual branch forgotten", _block, lambda g, x, right: (right(g)[0] - g,), (normal(4, 5),), (0,), "the cotangent itself is missing"),
    # Any rule
    Mistake("stop_gradient in the rule", jnp.tanh, lambda g, x, right: (lax.stop_gradient(1 - jnp.tanh(x) ** 2) * g,), (normal(4, 5),), (), "stop_gradient"),
    Mistake("cotangent clipped at 5", jnp.tanh, _at(lambda g: jnp.clip(g, -5, 5)), (normal(4, 5),), (0,), "clipped"),
    Mistake("|g|", jnp.tanh, _at(jnp.abs), (normal(4, 5),), (0,), "sign of the cotangent"),
    Mistake("g normalised", jnp.tanh, _at(lambda g: g / jnp.linalg.norm(g)), (normal(4, 5),), (0,), "normalised"),
    # Small beside large
    Mistake("small channel 0", _times, _only(0, lambda d: d.at[..., 1].set(0)), (normal(6, 2), SMALL), (0,), "factor .* along axis 1"),
    Mistake("small channel of the wrong sign", _times, _only(0, lambda d: d.at[..., 1].multiply(-1)), (normal(6, 2), SMALL), (0,), "factor .* along axis 1"),
    Mistake("dx 0 beside a large dkernel", _same, _only(0, jnp.zeros_like), (255 * jnp.abs(OBLONG), 1e-4 * KERNEL), (0,), "0 everywhere"),
    Mistake("dx of the wrong sign beside a large dkernel", _same, _only(0, jnp.negative), (255 * jnp.abs(OBLONG), 1e-4 * KERNEL), (0,), "wrong sign"),
)  # fmt: skip
