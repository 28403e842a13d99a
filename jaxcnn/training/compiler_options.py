"""Compiler options under which networks train faster, as an explicit choice of whoever compiles.

XLA on a CPU hands some kinds of operations to the library YNNPACK and computes the others itself or with Eigen. By
default it hands over dense 2-D convolutions too, which Eigen computes faster; reductions and matrix products gain.
Importing `jaxcnn` changes no setting: options apply to the one `jax.jit` to which they are given.
"""

import functools

import jax
import jax.numpy as jnp

_OPTION = "xla_cpu_experimental_ynn_fusion_type"


def recommended_compiler_options() -> dict[str, str]:
    """Return what to pass as `compiler_options` to the outermost `jax.jit` of a network.

    For `make_train_step` and `make_evaluate`, and for any `jax.jit(function, compiler_options=...)` of your own. JAX
    refuses compiler options in a jit that is called inside another one. They change no result beyond rounding.

    Returns:
      A new dict of options. On a CPU it says that XLA hands reductions and single matrix products to YNNPACK, and
      keeps convolutions. It is empty on every other platform, and where XLA does not know the option, which is tried
      once in a process by compiling an addition.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from jaxcnn.training import recommended_compiler_options
      >>> print(jax.jit(jnp.sum, compiler_options=recommended_compiler_options())(jnp.ones(3)))
      3.0
    """
    return ynnpack_options("REDUCE", "INDIVIDUAL_DOT")


def ynnpack_options(*kinds: str) -> dict[str, str]:
    """Return the options under which XLA hands these kinds of operations to YNNPACK, and no others.

    Args:
      kinds: names of XLA's `LibraryFusionType` without its prefix.

    Returns:
      A new dict, empty on every platform but a CPU and where XLA does not know the option or one of the kinds.
    """
    value = ",".join(f"LIBRARY_FUSION_TYPE_{kind}" for kind in kinds)
    return {_OPTION: value} if jax.default_backend() == "cpu" and _is_known(value) else {}


@functools.cache
def _is_known(value: str) -> bool:
    """Return whether XLA compiles under the option; one that it does not know is an error then, and not before."""
    lowered = jax.jit(lambda x: x + 1).lower(jax.ShapeDtypeStruct((1,), jnp.float32))
    try:
        lowered.compile(compiler_options={_OPTION: value})
    except (RuntimeError, ValueError):
        return False
    return True
