"""The process that runs PyTorch: it reads requests from stdin and answers on stdout, one JSON object a line.

    {"device": "cpu"}                                  -> {"version": ..., "threads": ...}, first
    {"table": "ops", "row": "1x1", "part": "all"}      -> {"format": ..., "seconds": ...}, ready to be timed
    {"calls": 10}                                      -> {"seconds": of one call}
    {}                                                 -> the end

What goes wrong is answered by {"error": ...}. It lives as long as the benchmark does, and waits between its turns: in
one process, the threads of JAX and PyTorch slow each other down.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from jaxcnn.benchmark.cases import ROWS, SCALING, Row
from jaxcnn.benchmark.networks import NETWORKS, Network
from jaxcnn.benchmark.torch_layers import TorchLayers

FORMATS = ("channels_last", "contiguous")


def row_call(
    torch: Any, row: Row, part: str, layout: str, device: str = "cpu", dtype: str = "float32"
) -> Callable[[], Any]:
    """Return a part of a row as a function without arguments.

    A cotangent of a linear layer needs no forward pass and is timed without; all others with.

    Args:
      torch: the module.
      row: the layer.
      part: one of `row.parts`.
      layout: one of `FORMATS`.
      device: "cpu" or "cuda".
      dtype: of the floating arrays.
    """
    function, wanted = row.function(TorchLayers(torch)), row.wanted(part)
    tensors = [
        _lay_out(torch.from_numpy(array).to(device), given.name, layout, "input_dilation" in row.options)
        for given, array in zip(row.inputs, row.arrays(), strict=True)
    ]
    tensors = [t.to(getattr(torch, dtype)) if t.is_floating_point() else t for t in tensors]
    tensors = [t.long() if given.kind == "classes" else t for given, t in zip(row.inputs, tensors, strict=True)]
    if part == "forward":

        def forward() -> Any:
            with torch.no_grad():
                return function(*tensors)

        return forward
    leaves = [tensors[i].requires_grad_() for i in wanted]
    y = function(*tensors)
    torch.manual_seed(1)
    g = torch.randn_like(y)
    if row.linear and part != "all":
        return lambda: torch.autograd.grad(y, leaves, g, retain_graph=True)

    def gradient() -> Any:
        y = function(*tensors)
        grads = torch.autograd.grad(y, leaves, g)
        return (y, grads) if part == "all" else grads

    return gradient


def network_call(torch: Any, network: Network, part: str, layout: str, device: str = "cpu") -> Callable[[], Any]:
    """Return a train step of a network, or the product of its Hessian with a vector, as a function without arguments.

    Args:
      torch: the module.
      network: the network.
      part: "step" or "hvp".
      layout: one of `FORMATS`.
      device: "cpu" or "cuda".
    """
    torch.manual_seed(0)
    layers = TorchLayers(torch)
    leaves: list[Any] = []
    params = _parameters(torch, network.shapes(), layout, device, leaves)
    images = _lay_out(torch.randn(network.batch, *network.image, device=device), "x", layout)
    labels = torch.randint(10, (network.batch,), device=device)
    apply = lenet if network.name == "LeNet" else network.apply

    def loss() -> Any:
        return torch.nn.functional.cross_entropy(apply(layers, params, images), labels)

    if part == "hvp":
        tangents = [torch.randn_like(leaf) for leaf in leaves]

        def hvp() -> Any:
            grads = torch.autograd.grad(loss(), leaves, create_graph=True)
            directional = sum((grad * tangent).sum() for grad, tangent in zip(grads, tangents, strict=True))
            return torch.autograd.grad(directional, leaves)

        return hvp
    optimizer = torch.optim.SGD(leaves, lr=0.05, momentum=0.9)

    def step() -> Any:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        return value

    return step


def lenet(layers: TorchLayers, params: Any, x: Any) -> Any:
    """Apply the network of `jaxcnn.models.lenet`, which itself takes arrays of JAX."""
    x = layers.max_pool(layers.relu(layers.conv(x, **params["conv1"])), (2, 2), 2)
    x = layers.max_pool(layers.relu(layers.conv(x, **params["conv2"])), (2, 2), 2)
    x = layers.relu(layers.dense(layers.flatten(x), **params["dense1"]))
    return layers.dense(x, **params["dense2"])


def _parameters(torch: Any, shapes: Any, layout: str, device: str, leaves: list[Any], name: str = "") -> Any:
    """Return random parameters as a tree of the shapes, and add each to the leaves."""
    if isinstance(shapes, dict):
        return {key: _parameters(torch, shapes[key], layout, device, leaves, key) for key in shapes}
    if isinstance(shapes, list):
        return [_parameters(torch, inner, layout, device, leaves) for inner in shapes]
    fan_in = max(1.0, torch.Size(shapes[:-1]).numel())
    value = torch.randn(shapes, device=device) * (2 / fan_in) ** 0.5 if name == "kernel" else torch.ones(shapes)
    leaves.append(_lay_out(value.to(device), name, layout).requires_grad_())
    return leaves[-1]


def _lay_out(tensor: Any, name: str, layout: str, transposed: bool = False) -> Any:
    """Return a tensor of the same shape whose memory is ordered as a memory format of PyTorch has it."""
    axes = list(range(tensor.ndim))
    if name in ("kernel", "kernels"):
        lead, window, (c_in, c_out) = axes[: name == "kernels"], axes[name == "kernels" : -2], axes[-2:]
        first, second = (c_in, c_out) if transposed else (c_out, c_in)
        middle = [second, *window] if layout == "contiguous" else [*window, second]
        order = [*lead, first, *middle]
    elif tensor.ndim > 2 and layout == "contiguous":
        order = [0, axes[-1], *axes[1:-1]]
    else:
        return tensor
    return tensor.permute(order).contiguous().permute([order.index(axis) for axis in axes])


class _Worker:
    """The state between requests: the function that is set up."""

    def __init__(self, torch: Any, device: str):
        self._torch, self._device = torch, device
        self._call: Callable[[], Any] = lambda: None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if "calls" in request:
            return {"seconds": self._time(self._call, request["calls"])}
        self._call = lambda: None  # frees the memory of the one before
        timed = {}
        for layout in FORMATS:
            call = self._make(request, layout)
            self._time(call, 2)
            timed[layout] = (min(self._time(call, 1) for _ in range(5)), call)
        layout = min(timed, key=lambda name: timed[name][0])
        seconds, self._call = timed[layout]
        return {"format": layout, "seconds": seconds}

    def _make(self, request: dict[str, Any], layout: str) -> Callable[[], Any]:
        if request["table"] == "models":
            (network,) = (network for network in NETWORKS if network.name == request["row"])
            return network_call(self._torch, network, request["part"], layout, self._device)
        (row,) = (row for row in ROWS + SCALING if row.name == request["row"])
        return row_call(self._torch, row, request["part"], layout, self._device, request.get("dtype", "float32"))

    def _time(self, call: Callable[[], Any], calls: int) -> float:
        if calls > 1:
            call()
        start = time.perf_counter()
        for _ in range(calls):
            call()
        if self._device != "cpu":
            self._torch.cuda.synchronize()
        return (time.perf_counter() - start) / calls


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever PyTorch prints must not mix with the answers
    first = json.loads(sys.stdin.readline())
    try:
        torch = importlib.import_module("torch")
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        torch.set_num_threads(threads)
        torch.zeros(1, device=first["device"])
    except Exception as error:  # whatever it is, the benchmark says it in one line
        answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")
        return
    answers.write(json.dumps({"version": torch.__version__, "threads": threads}) + "\n")
    worker = _Worker(torch, first["device"])
    for line in sys.stdin:
        request = json.loads(line)
        if not request:
            return
        try:
            answer = worker.answer(request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
