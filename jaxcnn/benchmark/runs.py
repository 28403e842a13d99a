"""The commands of `scripts/benchmark.py`: which subjects each measures, in which order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import jaxcnn.ops
import jaxcnn.reference
from jaxcnn.benchmark import accelerated, parts
from jaxcnn.benchmark.cases import ROWS, SCALING, Row
from jaxcnn.benchmark.measure import Effort, Measurement, Subject, measure
from jaxcnn.benchmark.networks import NETWORKS, Network
from jaxcnn.benchmark.peers import PEERS, Peer
from jaxcnn.benchmark.torch_peer import PeerError, TorchPeer

Table = Literal["ops", "models", "scaling", "accelerate"]


class Item(NamedTuple):
    """One part of one row of a table."""

    table: Table
    row: Row | Network | Peer
    part: str


def items(table: Table, name: str = "", only: Sequence[str] = ()) -> list[Item]:
    """Return what a command measures.

    Args:
      table: the command.
      name: take only the rows whose name contains this text.
      only: take only these parts; none means every part.
    """
    if table == "models":
        found = [Item(table, net, part) for net in NETWORKS for part in network_parts(net)]
    elif table == "scaling":
        found = [Item(table, row, "all") for row in SCALING]
    elif table == "accelerate":
        found = [Item(table, network, "step") for network in PEERS]
    else:
        found = [Item(table, row, part) for row in ROWS for part in row.parts]
    return [item for item in found if name in item.row.name and (not only or item.part in only)]


def network_parts(network: Network) -> tuple[str, ...]:
    """Return what is timed of a network: a train step, and for the small one a product with the Hessian."""
    return ("step", "hvp") if network.name == "LeNet" else ("step",)


def subject_of(row: Row | Network, part: str, dtype: str = "float32") -> Subject:
    """Return the functions and the arrays of a part of a row.

    Args:
      row: the row.
      part: one of its parts.
      dtype: of the floating arrays of a layer; networks have float32.
    """
    if isinstance(row, Network):
        make, args = parts.NETWORK_PARTS[part], parts.network_args(row, part)
        manual, jax_grad = make(row, jaxcnn.ops), make(row, jaxcnn.reference)
        shapes = ",".join(map(str, args[2].shape))
        return Subject(row.name, part, shapes, int(args[2].size), manual, jax_grad, args, as_whole=True)
    manual, jax_grad = (parts.part_function(row, part, ops) for ops in (jaxcnn.ops, jaxcnn.reference))
    args: Any = parts.part_args(row, part, dtype)
    work = int(args[part != "forward"].size)
    return Subject(row.name, part, row.shapes, work, manual, jax_grad, args)


def run(
    chosen: Sequence[Item],
    effort: Effort,
    peer: TorchPeer | None,
    warn: Callable[[str], None],
    dtype: str = "float32",
) -> Iterator[Measurement]:
    """Measure items, one after the other.

    Args:
      chosen: what to measure.
      effort: how much time to spend on each.
      peer: PyTorch, or None; it knows no networks of other libraries.
      warn: is called with a line where PyTorch cannot do an item.
      dtype: of the floating arrays of layers.
    """
    for item in chosen:
        if isinstance(item.row, Peer):
            yield accelerated.measure_peer(item.row, effort)
            continue
        prepared = None
        if peer is not None:
            try:
                prepared = peer.prepare(item.table, item.row.name, item.part, dtype)
            except PeerError as error:
                warn(f"{item.row.name}, {item.part}: {error}")
        yield measure(subject_of(item.row, item.part, dtype), effort, prepared)
