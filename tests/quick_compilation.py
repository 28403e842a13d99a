"""How XLA compiles in less time than users have it compile.

    python -m tests.quick_compilation COMMAND [ARGUMENT ...]

runs a command whose programs are compiled so.
"""

import os
import sys

import jax


def xla_flags():
    """Return XLA_FLAGS with which fused loops are compiled in the former way, in two thirds of the time."""
    has_older = jax.__version_info__ < (0, 11)  # later ones refuse the flag
    flags = [os.environ.get("XLA_FLAGS", ""), "--xla_cpu_use_fusion_emitters=false" * has_older]
    return " ".join(flags).strip()  # a blank alone would be taken for the name of a file


if __name__ == "__main__":
    os.environ |= {"JAX_DISABLE_MOST_OPTIMIZATIONS": "true", "XLA_FLAGS": xla_flags()}
    os.execvp(sys.argv[1], sys.argv[1:])
