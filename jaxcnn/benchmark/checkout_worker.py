"""The process that runs the layers of a checkout: it reads requests from stdin and answers on stdout.

    {"checkout": folder, "dtype": "float64"}  -> {"jax": its version}, first
    {"row": "1x1", "part": "all"}             -> {"program": a digest of what it lowers to}
    {"compile": true}                         -> {"seconds": of compilation}, ready to be timed
    {"calls": 10}                             -> {"seconds": of one call}

What goes wrong is answered by {"error": ...}. It is run as a file, with the checkout on the path, so that `jaxcnn` is
that one's. The rows and the code that times are those beside this file: both sides do the same.
"""

import importlib
import json
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever is printed must not mix with the answers
    answer: Callable[[dict[str, Any]], dict[str, Any]] = _start
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
            if answer is _start:
                answer = importlib.import_module("jaxcnn.benchmark.against").Lowered(reply["dtype"]).answer
        except Exception as error:  # whatever it is, the other side shows it in one line
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")


def _start(request: dict[str, Any]) -> dict[str, Any]:
    """Import the checkout's package, and this one's benchmark as a part of it."""
    start = time.perf_counter()
    package = importlib.import_module("jaxcnn")
    found = Path(package.__file__ or "").resolve()
    if Path(request["checkout"]).resolve() not in found.parents:
        raise ImportError(f"jaxcnn is {found}, and not that of the checkout")
    benchmark = types.ModuleType("jaxcnn.benchmark")
    benchmark.__path__ = [str(Path(__file__).parent)]
    sys.modules["jaxcnn.benchmark"] = benchmark
    jax = importlib.import_module("jax")
    if request["dtype"] == "float64":
        jax.config.update("jax_enable_x64", True)
    return {"jax": jax.__version__, "dtype": request["dtype"], "seconds": time.perf_counter() - start}


if __name__ == "__main__":
    main()
