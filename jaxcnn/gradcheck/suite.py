"""The run behind `scripts/compare_gradients.py`: every public op on its cases, and the models, in several dtypes."""

import functools
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcnn.ops
import jaxcnn.reference
from jaxcnn.gradcheck.cases import CASES, Case
from jaxcnn.gradcheck.comparison import compare
from jaxcnn.gradcheck.finite_differences import finite_difference_gradient, sample_indices
from jaxcnn.gradcheck.problem import take_apart
from jaxcnn.gradcheck.report import Report, Row
from jaxcnn.gradcheck.sides import Side
from jaxcnn.gradcheck.tolerances import FINITE_DIFFERENCE_RTOL
from jaxcnn.models import lenet, tutorial

DTYPES = ("float64", "float32", "bfloat16")
ELEMENTS = 16  # of each array, checked by finite differences

# Rounding to half precision turns some units of a network on or off and moves some maxima, so that the gradient of any
# half-precision program is far from that in float64: a network's may be this many times as far as plain autodiff's.
HALF_NETWORK_SLACK = 2.0


class Network(NamedTuple):
    """The losses of a model, one an example, as a function of its parameters and images."""

    name: str
    constructor: Callable[[ModuleType], Any]
    input_shape: tuple[int, int, int]
    batch: int
    argnums: tuple[int, ...] = (0, 1)

    @property
    def manual(self) -> Callable[..., jax.Array]:
        """The losses by the rules of `jaxcnn.ops`."""
        return functools.partial(self._losses, jaxcnn.ops)

    @property
    def auto(self) -> Callable[..., jax.Array]:
        """The losses by `jaxcnn.reference`."""
        return functools.partial(self._losses, jaxcnn.reference)

    def args(self, dtype: Any) -> tuple[Any, ...]:
        """Return parameters, images and labels."""
        params, _ = self.constructor(jaxcnn.ops).init(jax.random.key(0), self.input_shape, dtype)
        images = np.random.default_rng(0).standard_normal((self.batch, *self.input_shape))
        return params, jnp.asarray(images, dtype), jnp.arange(self.batch, dtype=jnp.int32) % 2

    def _losses(self, ops: ModuleType, params: Any, images: jax.Array, labels: jax.Array) -> jax.Array:
        logits, _ = self.constructor(ops).apply(params, {}, images, train=True, key=None)
        return ops.softmax_cross_entropy_with_integer_labels(logits, labels)


Subject = Case | Network

NETWORKS = (Network("lenet", lenet, (28, 28, 1), batch=4), Network("tutorial", tutorial, (4, 4, 1), batch=3))
SUBJECTS: tuple[Subject, ...] = (*CASES, *NETWORKS)
FIRST_SUBJECTS: tuple[Subject, ...] = (
    *(case for n, case in enumerate(CASES) if case.op not in {before.op for before in CASES[:n]}),
    *NETWORKS,
)  # the first case of every op


class Outcome(NamedTuple):
    """What was found about one subject in one dtype."""

    name: str
    dtype: str
    report: Report
    finite_differences: dict[str, float]  # path to the relative difference; float64 only

    @property
    def ok(self) -> bool:
        """Whether manual, judge and finite differences agree."""
        return self.report.ok and all(map(self.differences_ok, self.finite_differences))

    def differences_ok(self, path: str) -> bool:
        """Whether finite differences agree at `path`; they do where they were not taken."""
        return self.finite_differences.get(path, 0.0) <= FINITE_DIFFERENCE_RTOL

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome in types that JSON holds."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "ok": self.ok,
            "finite_differences": {path: str(v) if np.isnan(v) else v for path, v in self.finite_differences.items()},
            **{key: value for key, value in self.report.to_dict().items() if key != "ok"},
        }


def run(subjects: Sequence[Subject] = SUBJECTS, dtypes: Sequence[str] = DTYPES) -> Iterator[Outcome]:
    """Yield the outcome of every subject in every dtype."""
    for subject in subjects:
        manual, auto = subject.manual, subject.auto  # the same objects for all dtypes, which share compiled programs
        for dtype in dtypes:
            with jax.enable_x64(dtype == "float64"):
                args, exact = subject.args(dtype), dtype == "float64"
                report = compare(manual, auto, *args, argnums=subject.argnums, second_order=exact, jit=True)
                if isinstance(subject, Network) and dtype not in ("float64", "float32"):
                    report = report._replace(rows=tuple(map(_as_far_as_autodiff, report.rows)))
                differences = _finite_differences(manual, args, subject.argnums) if exact else {}
            yield Outcome(subject.name, dtype, report, differences)


def _as_far_as_autodiff(row: Row) -> Row:
    return row._replace(rtol=max(row.rtol, HALF_NETWORK_SLACK * (row.autodiff_rel or 0.0)))


def _finite_differences(manual: Callable[..., Any], args: tuple[Any, ...], argnums: Sequence[int]) -> dict[str, float]:
    """Return how far the manual gradient is from finite differences, at some elements of every argument."""
    problem = take_apart(manual, args, argnums)

    def of_primals(*primals: Any) -> Any:
        return manual(*problem.at(primals).args)

    cotangent = jax.tree.map(
        lambda y: np.random.default_rng(1).standard_normal(y.shape),  # not the numbers of the arguments
        jax.eval_shape(of_primals, *problem.primals),
    )
    pulled = Side(manual, jit=True).pulled(problem)
    gradients = pulled.pull([jnp.asarray(g) for g in jax.tree.leaves(cotangent)])
    found = {}
    for position, (path, gradient) in enumerate(zip(problem.paths, map(np.asarray, gradients), strict=True)):
        indices = sample_indices(gradient.shape, ELEMENTS)
        numeric = finite_difference_gradient(of_primals, problem.primals, position, cotangent, indices)
        exact = np.array([gradient[index] for index in indices])
        scale = float(np.max(np.abs(gradient), initial=np.finfo(np.float64).tiny))
        found[path] = float(np.max(np.abs(exact - numeric), initial=0.0)) / scale
    return found
