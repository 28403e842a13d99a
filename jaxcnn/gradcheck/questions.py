"""What is asked about two functions at one point: values, gradients, linearity in the cotangent, second derivatives."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.gradcheck.diagnosis import diagnose, not_linear
from jaxcnn.gradcheck.differences import derivative
from jaxcnn.gradcheck.draws import halves, magnitudes, scaled
from jaxcnn.gradcheck.evidence import (
    Evidence,
    NoFloat64Error,
    curvature_in_float64,
    in_float64_at,
    roundings_of_curvature,
)
from jaxcnn.gradcheck.finite_differences import sample_indices
from jaxcnn.gradcheck.judging import Tolerance, Truth, is_noise, tolerance_of
from jaxcnn.gradcheck.probing import Probe
from jaxcnn.gradcheck.problem import Problem
from jaxcnn.gradcheck.report import Row
from jaxcnn.gradcheck.rows import Question, rounded, row_of
from jaxcnn.gradcheck.sides import Arrays, Pulled, Side, in_float64, upcast
from jaxcnn.gradcheck.terms import Roundings
from jaxcnn.gradcheck.tolerances import largest_finite

DIFFERENCES = 16  # elements of each gradient, where finite differences judge
FINITE = "finite differences"
UNCERTAIN = 4.0  # how many uncertainties of a finite difference a gradient may be away from it


class Comparison(NamedTuple):
    """Two functions, and what all questions about them share."""

    manual: Side
    auto: Side
    cotangents: list[jax.Array]
    names: tuple[str, ...]  # of the outputs
    rtol: float | None
    roundings: tuple[list[Roundings], list[Roundings]]  # behind each output and each gradient

    def at(self, problem: Problem) -> "Point":
        """Return the same two functions at these numbers."""
        return Point(self, problem)


class Point:
    """Two functions at one point."""

    def __init__(self, comparison: Comparison, problem: Problem):
        self.comparison, self.problem = comparison, problem
        self.why = ""  # there is no float64
        try:
            self.evidence = in_float64_at(comparison.auto, problem, comparison.cotangents)
        except NoFloat64Error as error:
            self.why = str(error)
            plain = [*self.theirs.outputs, *self.theirs.pull(comparison.cotangents)]
            known = [Truth(rounded(a, a.dtype), np.zeros(a.shape)) for a in plain]
            self.evidence = Evidence(known[: len(comparison.names)], known[len(comparison.names) :])

    @functools.cached_property
    def mine(self) -> Pulled:
        """The function on trial."""
        return self.comparison.manual.pulled(self.problem)

    @functools.cached_property
    def theirs(self) -> Pulled:
        """Its twin in the dtype of the arguments."""
        return self.comparison.auto.pulled(self.problem)

    @functools.cached_property
    def gradient(self) -> list[jax.Array]:
        """What the rules on trial give."""
        return self.mine.pull(self.comparison.cotangents)

    @functools.cached_property
    def _plain(self) -> list[jax.Array]:
        return self.theirs.pull(self.comparison.cotangents)

    @property
    def _roundings(self) -> tuple[list[Roundings], list[Roundings]]:
        return self.comparison.roundings

    def notes(self) -> list[str]:
        """Return who judged, and what was tried on the cotangents."""
        judge = "the judge is auto in float64"
        if self.why:
            judge = f"the judges of gradients are {FINITE}, since {self.why}"
        large, small = magnitudes(self.comparison.cotangents)
        return [judge, f"cotangents: normal, times {large:g} and {small:g}, and sums of two"]

    def values(self, kind: str, found: Arrays) -> list[Row]:
        """Return a row for each output."""
        rows = []
        for n, (name, truth) in enumerate(zip(self.comparison.names, self.evidence.outputs, strict=True)):
            question = self._question(kind, name, truth, found[n].dtype, self._roundings[0][n])
            rows.append(self._row(question, found[n], self.theirs.outputs[n]))
        return rows

    def gradients(self, kind: str) -> list[Row]:
        """Return a row for each gradient, with the name of the mistake where it is off."""
        rows, g = [], self.comparison.cotangents
        for leaf, path in enumerate(self.problem.paths):
            row = self._gradient(kind, leaf, path)
            primal = self.problem.primals[leaf].dtype
            if row.dtype != primal.name:
                why = f"it is {row.dtype}, and its primal {primal.name}: a cotangent has its primal's dtype"
                row = row._replace(max_rel=np.inf, odd="manual", diagnosis=why)
            elif not row.ok:
                row = row._replace(diagnosis=diagnose(self.mine.pull, self._right, leaf, g, self.problem.primals[leaf]))
            rows.append(row)
        return rows

    def linearity(self) -> list[Row]:
        """Return a row for each gradient that is not linear in the cotangent, with the name of the mistake."""
        g, rows = self.comparison.cotangents, []
        first, second = halves(g)
        parts = [self.mine.pull(first), self.mine.pull(second)]
        found = {"a sum of two cotangents": [self._sum(*pair) for pair in zip(*parts, strict=True)]}
        for factor in magnitudes(g):
            found[f"{factor:g} times the cotangent"] = [
                np.asarray(a, np.float64) / factor for a in self.mine.pull(scaled(g, factor))
            ]
        for how, results in found.items():
            for n, (path, a, b) in enumerate(zip(self.problem.paths, self.gradient, results, strict=True)):
                truth = Truth(rounded(a, a.dtype), self.evidence.gradients[n].noise)
                tolerance = tolerance_of(a.dtype, self._roundings[1][n])
                loose = Tolerance(2 * tolerance.widest, 2 * tolerance.widest)
                question = Question("linear in g", path, truth, loose, "manual itself", self.comparison.rtol)
                row = row_of(question, b, dtype=a.dtype, by_slice=not self.why)
                if not row.ok and path not in {known.path for known in rows}:
                    hints = not_linear(Probe(self.mine.pull, self._right, n, g, self.problem.primals[n]))
                    rows.append(row._replace(diagnosis=next(hints, f"{how} does not give what it must")))
        return rows

    def at_ties(self) -> list[Row]:
        """Return the rows of values and gradients at numbers that tie."""
        return self.values("value at ties", self.mine.outputs) + [
            row if row.ok else row._replace(diagnosis=f"where numbers tie, are 0 or at a kink: {row.diagnosis}")
            for row in self.gradients("gradient at ties")
        ]

    def curvature(self) -> tuple[list[Row], list[str]]:
        """Return a row for each second derivative, and why there is none."""
        c = self.comparison
        rng = np.random.default_rng(4)
        vectors = []
        for p, truth in zip(self.problem.primals, self.evidence.gradients, strict=True):
            size = largest_finite(truth.noise if is_noise(truth) else truth.numbers) or 1.0
            vectors.append(jnp.asarray(rng.standard_normal(p.shape) / size, p.dtype))
        try:
            if self.why:
                found = c.auto.curvature(self.problem, c.cotangents, vectors)
                judged = [Truth(rounded(a, a.dtype), np.zeros(a.shape)) for a in found]
            else:
                judged = curvature_in_float64(c.auto, self.problem, c.cotangents, vectors)
            found = c.manual.curvature(self.problem, c.cotangents, vectors)
        except Exception as error:  # whatever JAX raises where a rule has no derivative
            return [], [f"second order not compared: {type(error).__name__}: {str(error).splitlines()[0]}"]
        counted = roundings_of_curvature(c.auto, self.problem, c.cotangents, vectors)
        paths = [*self.problem.paths, *(f"g of {name}" for name in c.names)]
        rows = []
        for path, a, truth, behind in zip(paths, found, judged, counted, strict=True):
            tolerance = tolerance_of(a.dtype, behind)
            widest = Tolerance(tolerance.widest, tolerance.widest)
            question = Question("second order", path, truth, widest, self._judge, c.rtol)
            row = row_of(question, a, by_slice=not self.why)
            if not row.ok and not np.any(a):
                row = row._replace(diagnosis="the gradient does not depend on it: a stop_gradient in the backward rule")
            rows.append(row)
        return rows, []

    @property
    def _judge(self) -> str:
        return "auto" if self.why else "auto in float64"

    def _question(self, kind: str, path: str, truth: Truth, dtype: Any, behind: Roundings) -> Question:
        tolerance = tolerance_of(dtype, behind)
        if self.why:  # both round, and neither is the truth
            tolerance = Tolerance(2 * tolerance.widest, 2 * tolerance.widest)
        return Question(kind, path, truth, tolerance, self._judge, self.comparison.rtol)

    def _row(self, question: Question, found: jax.Array, plain: jax.Array) -> Row:
        narrower = found.dtype != jnp.float64 and not self.why
        return row_of(question, found, plain if narrower else None, by_slice=not self.why)

    def _gradient(self, kind: str, leaf: int, path: str) -> Row:
        found, truth = self.gradient[leaf], self.evidence.gradients[leaf]
        row = self._row(
            self._question(kind, path, truth, found.dtype, self._roundings[1][leaf]), found, self._plain[leaf]
        )
        return row if not self.why or "ties" in kind else self._by_differences(row, leaf)

    def _by_differences(self, row: Row, leaf: int) -> Row:
        """Return the row as finite differences judge it, at some elements and where the two sides differ most."""
        a = np.asarray(self.gradient[leaf], np.float64)
        if not a.size:
            return row
        right = {
            index: derivative(self.comparison.auto, self.problem, self.comparison.cotangents, leaf, index)
            for index in {row.position, *sample_indices(a.shape, DIFFERENCES)}
        }
        right = {index: d for index, d in right.items() if np.isfinite(d.uncertainty)}
        if not right:
            return row
        scale = max(abs(d.value) for d in right.values()) or 1.0
        off = {index: abs(float(a[index]) - d.value) - UNCERTAIN * d.uncertainty for index, d in right.items()}
        worst = max(off, key=lambda index: off[index])
        allowed = row.rtol + UNCERTAIN * right[worst].uncertainty / scale
        difference = abs(float(a[worst]) - right[worst].value) / scale
        return row._replace(
            max_rel=difference,
            scale=scale,
            position=worst,
            manual_at=float(a[worst]),
            judge_at=right[worst].value,
            rtol=allowed if self.comparison.rtol is None else self.comparison.rtol,
            least_cosine=-1.0,
            judge=FINITE,
            odd="" if difference <= allowed else "manual",
        )

    def _right(self, cotangents: Arrays) -> list[jax.Array]:
        """Return the right gradients: those in float64 where it can be had."""
        if self.why:
            return self.theirs.pull(cotangents)
        with jax.enable_x64(True):
            return self._exact.pull([upcast(g) for g in cotangents])

    @functools.cached_property
    def _exact(self) -> Pulled:
        """The twin in float64."""
        with jax.enable_x64(True):
            return self.comparison.auto.pulled(in_float64(self.problem))

    @staticmethod
    def _sum(a: jax.Array, b: jax.Array) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # of opposite infinities
            return np.asarray(a, np.float64) + np.asarray(b, np.float64)
