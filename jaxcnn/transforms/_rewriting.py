"""From program to program: some equations are replaced, also in the programs that other equations hold.

A program is evaluated equation by equation, as JAX itself does. One that a rule replaces runs the replacement. One that
holds programs, such as a loop, is made again by the function that made it, with the new programs, where something in
them is replaced. Every other is evaluated as it stands, with all rules for its derivatives.
"""

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxcnn.transforms import _rebuilding
from jaxcnn.transforms._programs import is_variable, programs_of

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn

EQUATIONS_KEPT = 512  # those made again, so that a compiled function or a loop that is called again stays compiled
Compute = Callable[..., Sequence[Any]]
Definitions = Mapping[Any, "JaxprEqn"]


class Replacement(NamedTuple):
    """What is evaluated in the place of an equation.

    Attributes:
      by: the name of what replaces it.
      inputs: the variables that it reads.
      compute: from their values to those of the equation's outputs.
      inside: the programs in it, rewritten.
    """

    by: str
    inputs: Sequence[Any]
    compute: Compute
    inside: tuple["Rewritten", ...] = ()


class Decision(NamedTuple):
    """What became of an equation.

    Attributes:
      eqn: the equation.
      by: the name of what replaces it; None where it stays, or is made again.
      why: why it stays; empty where nothing was wanted of it.
      inside: the programs in it, rewritten.
    """

    eqn: "JaxprEqn"
    by: str | None
    why: str
    inside: tuple["Rewritten", ...]


class Rewritten(NamedTuple):
    """A program after the rewriting.

    Attributes:
      run: from the values of its constants and inputs to those of its outputs.
      changed: whether anything in it was replaced.
      decisions: one for each equation.
    """

    run: Compute
    changed: bool
    decisions: tuple[Decision, ...]


class Rewriter:
    """Rewrites programs by one rule.

    Args:
      rule: from an equation, and those that define the variables of its program, to what replaces it; or to the reason
        why it stays, which is empty where the rule has nothing to do with it.
      whole: from an equation that holds programs to the reason why it must stay as it is; None where it need not.
    """

    def __init__(
        self,
        rule: Callable[["JaxprEqn", Definitions], Replacement | str],
        whole: Callable[["JaxprEqn"], str | None],
    ) -> None:
        self._rule, self._whole = rule, whole
        self._rebuild = functools.lru_cache(EQUATIONS_KEPT)(self._rebuild_anew)

    def rewrite(self, jaxpr: "Jaxpr") -> Rewritten:
        """Rewrite a program without evaluating it."""
        definitions = {var: eqn for eqn in jaxpr.eqns for var in eqn.outvars}
        steps = [self._step(jaxpr, eqn, definitions) for eqn in jaxpr.eqns]
        decisions = tuple(decision for _, decision in steps)
        changed = any(d.by or any(program.changed for program in d.inside) for d in decisions)
        return Rewritten(_evaluator(jaxpr, [step for step, _ in steps]), changed, decisions)

    def _step(self, jaxpr: "Jaxpr", eqn: "JaxprEqn", definitions: Definitions) -> tuple["_Step", Decision]:
        found = self._rule(eqn, definitions)
        if isinstance(found, Replacement):
            step = _Step(found.inputs, in_context(eqn, found.compute), eqn.outvars, bool(eqn.effects))
            return step, Decision(eqn, found.by, "", found.inside)
        if next(programs_of(eqn), None) is None:
            return _alone(jaxpr, eqn), Decision(eqn, None, found, ())
        why = self._whole(eqn)
        if why is not None:
            return _alone(jaxpr, eqn), Decision(eqn, None, why, ())
        known = eqn.primitive.name in _rebuilding.MAKERS
        rebuilt = self._rebuild(eqn.primitive.name, tuple(eqn.params.items())) if known else None
        if rebuilt is None:
            return _alone(jaxpr, eqn), Decision(eqn, None, f"inside {eqn.primitive}, which cannot be made again", ())
        decision = Decision(eqn, None, "", rebuilt.inside)
        if not any(program.changed for program in rebuilt.inside):
            return _alone(jaxpr, eqn), decision
        return _Step(eqn.invars, in_context(eqn, rebuilt.compute), eqn.outvars, bool(eqn.effects)), decision

    def _rebuild_anew(self, primitive: str, params: tuple[tuple[str, Any], ...]) -> "_rebuilding.Rebuilt | None":
        return _rebuilding.rebuild(primitive, dict(params), self.rewrite)


class _Step(NamedTuple):
    inputs: Sequence[Any]
    compute: Compute
    outputs: Sequence[Any]
    has_effects: bool


def _evaluator(jaxpr: "Jaxpr", steps: Sequence[_Step]) -> Compute:
    """Return the function of constants and inputs that takes the steps.

    It leaves out steps whose outputs nothing reads any more, and forgets values after their last use.
    """
    needed = {var for var in jaxpr.outvars if is_variable(var)}
    taken: list[tuple[_Step, list[Any]]] = []
    for step in reversed(steps):
        if step.has_effects or any(var in needed for var in step.outputs):
            last_read = {var for var in step.inputs if is_variable(var) and var not in needed}
            taken.append((step, list(last_read)))
            needed |= last_read
    taken.reverse()

    def run(*inputs: Any) -> list[Any]:
        values = dict(zip((*jaxpr.constvars, *jaxpr.invars), inputs, strict=True))

        def read(atom: Any) -> Any:
            return values[atom] if is_variable(atom) else atom.val

        for step, over in taken:
            values.update(zip(step.outputs, step.compute(*map(read, step.inputs)), strict=True))
            for var in over:
                del values[var]
        return [read(atom) for atom in jaxpr.outvars]

    return run


def _alone(jaxpr: "Jaxpr", eqn: "JaxprEqn") -> _Step:
    """Return an equation of a program as it is, as a step: JAX evaluates the program that consists of it alone."""
    from jax.extend.core import ClosedJaxpr, jaxpr_as_fun  # here, because it imports Pallas

    inputs = list(dict.fromkeys(filter(is_variable, eqn.invars)))
    about = jaxpr.debug_info.with_unknown_names()
    alone = jaxpr.replace(
        constvars=[], invars=inputs, outvars=eqn.outvars, eqns=[eqn], effects=eqn.effects, debug_info=about
    )
    program = ClosedJaxpr(alone, ())
    return _Step(inputs, jaxpr_as_fun(program), eqn.outvars, bool(eqn.effects))


def in_context(eqn: "JaxprEqn", compute: Compute) -> Compute:
    """Return `compute` under the names, the place in the source and the settings that an equation was made under."""
    from jax.extend import source_info_util

    def run(*inputs: Any) -> Sequence[Any]:
        names = source_info_util.current_name_stack() + eqn.source_info.name_stack
        with contextlib.ExitStack() as stack:
            stack.enter_context(source_info_util.user_context(eqn.source_info.traceback, name_stack=names))
            stack.enter_context(eqn.ctx.manager)
            return compute(*inputs)

    return run
