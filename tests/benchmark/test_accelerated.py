import weakref

import jax
import jax.numpy as jnp
import pytest

from jaxcnn.benchmark import accelerated, runs
from jaxcnn.benchmark.measure import Effort, relative_error
from jaxcnn.benchmark.peers import PEERS, Peer

QUICK = Effort(repeats=1, seconds=0.0, best=False, eager=False)
(NNX,) = (peer for peer in PEERS if peer.name == "flax nnx CNN")


class Layer:
    """Of a network that is a convolution and a mean; it knows itself, as those of keras do."""

    def __init__(self):
        self.itself = self

    def __call__(self, kernel, images):
        return jnp.mean(jnp.cos(jax.lax.conv(images, kernel, (1, 1), "SAME")), (2, 3))


def test_the_rows_are_the_networks_of_other_libraries():
    items = runs.items("accelerate")
    assert [(item.row, item.part) for item in items] == [(peer, "step") for peer in PEERS]
    assert [item.row.name for item in runs.items("accelerate", "nnx CNN")] == ["flax nnx CNN"]
    assert runs.items("accelerate", "keras", ("hvp",)) == []


def test_both_sides_agree_on_a_network():
    pytest.importorskip("flax.nnx")
    subject, share = accelerated.subject_of(NNX, batch=2, side=8)
    assert (subject.row, subject.part, subject.shapes, subject.work) == ("flax nnx CNN", "step", "2,8,8,3", 384)
    assert share == 1
    manual, jax_grad = (jax.jit(side)(*subject.args) for side in (subject.manual, subject.jax_grad))
    assert relative_error(manual, jax_grad, as_whole=True) <= 4e-6
    assert 0.1 < float(manual[2]) < 10


def test_a_network_is_measured_and_forgotten():
    layers = []

    def make(key, images):
        del key
        layer = Layer()
        layers.append(weakref.ref(layer))
        return jnp.ones((10, 3, 3, 3)), lambda kernel, images: layer(kernel, images.transpose(0, 3, 1, 2))

    measured = [accelerated.measure_peer(Peer(name, make, is_small=True), QUICK, batch=2, side=4) for name in "ab"]
    assert [m.row for m in measured] == ["a", "b"]
    assert layers[0]() is None
    assert measured[0].relative_error <= 4e-6
    row = measured[0].to_dict()
    assert row["flops_replaced"] == 1
    assert min(row["tracing_seconds"][side] for side in ("manual", "jax_grad")) > 0
    more = row["tracing_seconds"]["manual"] - row["tracing_seconds"]["jax_grad"]
    assert row["tracing_share"] == pytest.approx(more / row["compile_seconds"]["manual"])
    assert row["default"]["manual"]["samples"] == 1


def test_a_run_measures_networks_without_the_peer(monkeypatch):
    monkeypatch.setattr(accelerated, "measure_peer", lambda row, effort: (row.name, effort))
    assert list(runs.run(runs.items("accelerate", "haiku"), QUICK, None, print)) == [
        ("haiku ResNet18", QUICK),
        ("haiku MobileNetV1", QUICK),
    ]
