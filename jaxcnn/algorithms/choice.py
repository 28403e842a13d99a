"""Which algorithm computes a windowed op: one readable table on static shapes, by platform.

A choice maps a platform ("cpu", "cuda", "rocm", "tpu") to the name of an algorithm, and "default" to that of every
platform that is not named. It is made from the static configuration, the shapes and the dtype alone, never by asking
which device the process has, so that one traced function compiles for every platform; `run` resolves it when the
function is lowered.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax

from jaxcnn.algorithms import direct

if TYPE_CHECKING:
    from jaxcnn.ops._window import ConvConfig

ALGORITHMS = {"direct": direct}


def choose(config: "ConvConfig", shapes: tuple[tuple[int, ...], ...], dtype: Any) -> Mapping[str, str]:
    """Return {platform: algorithm} for a convolution of x and kernel with these `shapes`.

    `lax` itself ("direct") is the choice wherever no other algorithm was measured to be faster.
    """
    del config, shapes, dtype
    return {"default": "direct"}


def run(choice: Mapping[str, str], part: str, *operands: jax.Array, static: tuple[Any, ...]) -> jax.Array:
    """Run `part` ("forward", "dx" or "dkernel") of the algorithm that was chosen for the platform at hand.

    Args:
      choice: as `choose` returns it.
      part: the function's name in the algorithm's module.
      operands: its arrays.
      static: its arguments after the arrays.
    """

    def branch(name: str) -> Callable[..., jax.Array]:
        return lambda *arrays: getattr(ALGORITHMS[name], part)(*arrays, *static)

    if len(set(choice.values())) == 1:
        return branch(choice["default"])(*operands)
    return jax.lax.platform_dependent(*operands, **{platform: branch(name) for platform, name in choice.items()})
