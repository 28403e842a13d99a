"""What every model is, and what their `init` functions share."""

import functools
import importlib
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.nn.initializers import Initializer


class Model(NamedTuple):
    """A network as two pure functions; its parameters are a plain nested dict that the caller keeps.

    It can be copied and pickled. A pickle holds the names of its functions and of the module of its layers, not their
    code: where it is read, the same modules must be there.

    Attributes:
      init: `params, state = init(key, input_shape, dtype=jnp.float32)`. `key` is a PRNG key, `input_shape` the shape
        of one example, `[H, W, C]`, without a batch axis. `params` is `{layer: {"kernel": ..., "bias": ...}}`, with
        every array in `dtype`; `state` is what a network carries from step to step besides parameters, an empty dict
        where it carries nothing. The same key gives the same parameters, bit for bit.
      apply: `logits, state = apply(params, state, x, *, train, key=None)`. `x` is `[*batch, H, W, C]`, floating, with
        any number of leading batch axes, and is cast to the dtype of the parameters, in which all is computed; `train`
        says whether layers that differ in training do so, and `key` is what they draw from. `logits` is
        `[*batch, num_classes]`; the softmax belongs to the loss.
    """

    init: Callable[..., tuple[dict[str, Any], dict[str, Any]]]
    apply: Callable[..., tuple[jax.Array, dict[str, Any]]]


class WithLayers(functools.partial):
    """A function whose first argument is a namespace of layers, with this argument given.

    Python cannot pickle a module; here it is pickled, and copied, by its name.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how the function is made again."""
        (ops,) = self.args
        return (
            (_with_module, (self.func, ops.__name__)) if isinstance(ops, ModuleType) else (WithLayers, (self.func, ops))
        )


def _with_module(function: Callable[..., Any], name: str) -> WithLayers:
    return WithLayers(function, importlib.import_module(name))


def init_layer(key: jax.Array, kernel_shape: Sequence[int], dtype: Any, initializer: Initializer) -> dict[str, Any]:
    """Return the parameters of one convolution or dense layer: a random kernel, and biases of 0.

    Args:
      key: a PRNG key.
      kernel_shape: `[*window, C_in, C_out]`; the fan-in is the product of all but the last.
      dtype: of kernel and bias.
      initializer: one of `jax.nn.initializers`.
    """
    return {"kernel": initializer(key, kernel_shape, dtype), "bias": jnp.zeros(kernel_shape[-1:], dtype)}


def check_dtype(dtype: Any) -> Any:
    """Return `dtype` as a dtype that parameters can have.

    Raises:
      ValueError: it is not a floating dtype, or it is float64 while JAX has 64-bit types switched off.
    """
    dtype = jnp.dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(f"dtype (={dtype}) must be a floating dtype")
    if jax.dtypes.canonicalize_dtype(dtype) != dtype:
        raise ValueError(f'dtype (={dtype}) must be switched on first: jax.config.update("jax_enable_x64", True)')
    return dtype


def check_input_shape(input_shape: Sequence[int], smallest: int) -> tuple[int, int, int]:
    """Return `input_shape` as the sizes `(H, W, C)` of one image.

    Args:
      input_shape: what the caller gave.
      smallest: the least height and width that leave something after the network's windows.

    Raises:
      ValueError: there are not three sizes, or H or W is less than `smallest`, or C less than 1.
    """
    sizes = tuple(input_shape)
    if len(sizes) != 3 or min(sizes[:2]) < smallest or sizes[2] < 1:
        raise ValueError(
            f"input_shape (={sizes}) must be the [H, W, C] of one image, without a batch axis, "
            f"with H and W at least {smallest} and C at least 1"
        )
    return sizes


def check_num_classes(num_classes: int) -> None:
    """Check the width of a network's last layer.

    Raises:
      ValueError: it is less than 1.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes (={num_classes}) must be at least 1")


def cast_input(x: Any, params: dict[str, dict[str, jax.Array]]) -> jax.Array:
    """Return `x` in the dtype of the parameters.

    Raises:
      TypeError: `x` is not floating: whole numbers, such as the bytes of an image, are not rescaled by themselves.
    """
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"x dtype (={x.dtype}) must be a floating dtype; bytes from 0 to 255 can be divided by 255.0")
    return x.astype(jnp.result_type(jax.tree.leaves(params)[0]))
