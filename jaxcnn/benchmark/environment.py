"""Where a measurement was made: what its file must say for it to mean something later."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import jax

import jaxcnn.benchmark.programs


def describe() -> dict[str, Any]:
    """Return date, processor, device, versions, flags, and the compiler options that were tried."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "vectors": vector_extension(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "platform": platform_name(),
        "device": jax.devices()[0].device_kind,
        "system": platform.platform(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "compiler_options": dict(jaxcnn.benchmark.programs.candidates()),
    }


def platform_name() -> str:
    """Return the name of the platform that JAX runs on: "cpu", "gpu" or "tpu"."""
    return jax.default_backend()


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the processor.

    Args:
      cpuinfo: where Linux describes it; elsewhere Python's own name is used.
    """
    return _described(cpuinfo, "model name") or platform.processor() or platform.machine()


def vector_extension(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return "AVX-512" or "AVX2" if the processor has it, else "": the name of a processor does not tell.

    Args:
      cpuinfo: where Linux describes it; elsewhere nothing is known.
    """
    flags = _described(cpuinfo, "flags").split()
    return "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else ""


def _described(cpuinfo: Path, name: str) -> str:
    """Return what the first processor has under a name, or "" where there is nothing."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
