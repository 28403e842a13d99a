"""Train steps of other libraries' networks, before and after `jaxcnn.accelerate`.

The side "manual" is the step of the accelerated loss, "jax_grad" that of the loss as it is written. The relative error
of the two is reported and not judged: batch norms in training magnify the rounding of float32, to 4e-3 in the
MobileNetV2 of keras.
"""

import dataclasses
import gc

import jax

from jaxcnn.benchmark import parts, programs
from jaxcnn.benchmark.measure import Effort, Measurement, Subject, measure
from jaxcnn.benchmark.peers import Peer, loss_of
from jaxcnn.transforms import Report, accelerate

BATCH, SIDE = 16, 64  # how many images, and of how many pixels a side


@dataclasses.dataclass(frozen=True)
class Acceleration(Measurement):
    """A measurement before and after `accelerate`, and what only that has.

    Attributes:
      flops_replaced: the share of the floating-point operations of convolutions and pools, forward, that is replaced.
      tracing_seconds: how long JAX traces the step from cold caches, by side.
      tracing_share: how much longer it traces the accelerated step, as a part of all the time to compile that.
    """

    flops_replaced: float
    tracing_seconds: dict[str, float]
    tracing_share: float


def subject_of(peer: Peer, batch: int = BATCH, side: int = SIDE) -> tuple[Subject, float]:
    """Build a network and return the functions and the arrays to measure, and the share of its FLOPs replaced.

    Args:
      peer: the network.
      batch: the number of images.
      side: their height and width.
    """
    images, labels = parts.examples(batch, (side, side, 3))
    params, apply = peer.make(jax.random.key(0), images)
    loss = loss_of(apply)
    reports: list[Report] = []
    jax.eval_shape(accelerate(loss, report=reports.append), params, images, labels)
    args = (params, parts.OPTIMIZER.init(params), images, labels)
    manual, jax_grad = parts.step_of(accelerate(loss)), parts.step_of(loss)
    shapes = ",".join(map(str, images.shape))
    subject = Subject(peer.name, "step", shapes, int(images.size), manual, jax_grad, args, as_whole=True)
    return subject, reports[0].share


def measure_peer(peer: Peer, effort: Effort, batch: int = BATCH, side: int = SIDE) -> Acceleration:
    """Build a network, measure its step before and after `accelerate`, and forget it.

    Args:
      peer: the network.
      effort: how much time to spend on the step.
      batch: the number of images.
      side: their height and width.
    """
    jax.clear_caches()
    gc.collect()  # the network before this one: its layers know one another
    subject, share = subject_of(peer, batch, side)
    measured = measure(subject, effort)
    tracing = programs.tracing_seconds({"manual": subject.manual, "jax_grad": subject.jax_grad}, subject.args)
    more = tracing["manual"] - tracing["jax_grad"]
    return Acceleration(
        **vars(measured),
        flops_replaced=share,
        tracing_seconds=tracing,
        tracing_share=more / measured.compile_seconds["manual"],
    )
