"""The twins in PyTorch compute what the layers of JAX compute. Where PyTorch is not installed, there is no column."""

import importlib.util
import io
import json
import math

import jax
import numpy as np
import pytest

import jaxcnn
from jaxcnn.benchmark import networks, parts, plain, torch_layers, torch_worker
from jaxcnn.benchmark.cases import ROWS, Input
from jaxcnn.benchmark.measure import relative_error
from jaxcnn.benchmark.torch_peer import PeerError, TorchPeer

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")


@pytest.fixture
def torch():
    return importlib.import_module("torch")


def numpy(tree):
    return [leaf.detach().numpy() for leaf in jax.tree.leaves(tree)]


@needs_torch
@pytest.mark.parametrize("layout", torch_worker.FORMATS)
def test_a_tensor_keeps_its_shape_and_lies_as_the_format_says(torch, layout):
    image = torch_worker._lay_out(torch.zeros(2, 4, 5, 3), "x", layout)
    kernel = torch_worker._lay_out(torch.zeros(3, 3, 4, 6), "kernel", layout)
    assert (image.shape, kernel.shape) == ((2, 4, 5, 3), (3, 3, 4, 6))
    memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    assert image.permute(0, 3, 1, 2).is_contiguous(memory_format=memory_format)
    assert kernel.permute(3, 2, 0, 1).is_contiguous(memory_format=memory_format)
    assert torch_worker._lay_out(torch.zeros(4, 6), "kernel", layout).t().is_contiguous()


@needs_torch
@pytest.mark.parametrize("row", [row for row in ROWS if "input_dilation" not in row.options], ids=lambda row: row.name)
def test_the_value_of_every_row_is_that_of_the_reference(torch, row):
    if not hasattr(torch_layers.TorchLayers(torch), row.op):
        pytest.skip("PyTorch has no such layer as one call, or a random one")
    row = row.shrunk()
    arrays = row.arrays()
    expected = row.function(plain.row_layers(jaxcnn.reference))(*arrays)
    for layout in torch_worker.FORMATS:
        y = torch_worker.row_call(torch, row, "forward", layout)()
        assert tuple(y.shape) == expected.shape
        assert relative_error(numpy(y), [expected]) <= 1e-5


@needs_torch
def test_a_transposed_convolution_has_the_kernel_turned(torch):
    row = next(row for row in ROWS if "input_dilation" in row.options).shrunk()
    x, kernel = row.arrays()
    expected = row.function(plain.row_layers(jaxcnn.reference))(x, kernel[::-1, ::-1])
    assert relative_error(numpy(torch_worker.row_call(torch, row, "forward", "contiguous")()), [expected]) <= 1e-5


@needs_torch
@pytest.mark.parametrize("name", ["stride 2", "depthwise x2 stride 2", "max-pool 3x3 s2", "softmax", "dense"])
def test_the_cotangents_are_those_of_the_reference(torch, name):
    row = next(row for row in ROWS if row.name == name).shrunk()
    y, grads = torch_worker.row_call(torch, row, "all", "channels_last")()
    torch.manual_seed(1)
    g = torch.randn_like(y).numpy()
    expected = parts.part_function(row, "all", jaxcnn.reference)(g, *row.arrays())
    assert relative_error(numpy([y, *grads]), list(expected)) <= 1e-5
    for part, dx in zip(row.parts[1:-1], grads, strict=True):
        (alone,) = torch_worker.row_call(torch, row, part, "channels_last")()
        assert alone.shape == dx.shape
        assert bool((alone == dx).all() if not row.linear else (alone - dx).abs().max() <= 1e-5 * dx.abs().max())


@needs_torch
@pytest.mark.parametrize("network", networks.NETWORKS, ids=lambda network: network.name)
def test_a_network_has_the_same_parameters_and_shapes(torch, network):
    leaves = []
    params = torch_worker._parameters(torch, network.shapes(), "channels_last", "cpu", leaves)
    assert sum(leaf.numel() for leaf in leaves) == network.count()
    layers = torch_layers.TorchLayers(torch)
    apply = torch_worker.lenet if network.name == "LeNet" else network.apply
    images = torch.randn(2, *network.image)
    with torch.no_grad():
        assert apply(layers, params, images).shape == (2, 10)


@needs_torch
def test_lenet_is_that_of_jax(torch):
    network = networks.NETWORKS[0]
    params, _, images, _ = parts.network_args(network, "step", batch=2)
    expected = jax.jit(lambda p, x: network.apply(plain.network_layers(jaxcnn.reference), p, x))(params, images)
    tensors = jax.tree.map(lambda leaf: torch.from_numpy(np.array(leaf)), params)
    logits = torch_worker.lenet(torch_layers.TorchLayers(torch), tensors, torch.from_numpy(np.array(images)))
    assert relative_error(numpy(logits), [expected]) <= 1e-5


@needs_torch
def test_norms_are_those_of_jax(torch):
    inputs = [Input("x", (2, 4, 4, 6)), Input("scale", (6,)), Input("bias", (6,))]
    arrays = [given.make(np.random.default_rng(0)) for given in inputs]
    layers = torch_layers.TorchLayers(torch)
    for name in ("batch_norm", "layer_norm"):
        y = getattr(layers, name)(*map(torch.from_numpy, arrays))
        assert relative_error(numpy(y), [getattr(plain, name)(*arrays)]) <= 1e-5
    x = arrays[0]
    for name in ("gelu", "relu6"):
        y = getattr(layers, name)(torch.from_numpy(x))
        assert relative_error(numpy(y), [getattr(jaxcnn.reference, name)(x)]) <= 1e-5


@needs_torch
def test_steps_and_products_run(torch):
    network = networks.NETWORKS[0]
    step = torch_worker.network_call(torch, network, "step", "channels_last")
    losses = [step().item() for _ in range(2)]
    assert all(map(math.isfinite, losses))
    assert losses[0] != losses[1]
    products = torch_worker.network_call(torch, network, "hvp", "contiguous")()
    assert sum(leaf.numel() for leaf in products) == network.count()


@needs_torch
def test_the_process_answers_in_turns():
    with TorchPeer() as peer:
        assert set(peer.about) == {"version", "threads"}
        sample, layout = peer.prepare("ops", "softmax_cross_entropy, int", "all")
        assert layout in torch_worker.FORMATS
        assert sample(2) > 0
        with pytest.raises(PeerError, match=r"^torch: ValueError"):
            peer.prepare("ops", "no such row", "all")
        assert peer.prepare("ops", "squared_error", "forward")[0](1) > 0
    with pytest.raises(PeerError, match="the process of torch ended"):
        sample(1)


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PeerError, match=r"^torch must be installed for this: pip install torch$"):
        TorchPeer()


def test_a_worker_without_torch_answers_with_an_error(monkeypatch):
    answers = io.StringIO()
    monkeypatch.setattr(torch_worker.os, "dup", lambda fd: fd)
    monkeypatch.setattr(torch_worker.os, "dup2", lambda *_: None)
    monkeypatch.setattr(torch_worker.os, "fdopen", lambda *_, **__: answers)
    monkeypatch.setattr(torch_worker.sys, "stdin", io.StringIO('{"device": "cpu"}\n'))
    monkeypatch.setitem(torch_worker.sys.modules, "torch", None)
    torch_worker.main()
    assert json.loads(answers.getvalue())["error"].startswith("ModuleNotFoundError: ")
