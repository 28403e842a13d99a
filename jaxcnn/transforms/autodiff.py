"""`without_custom_rules`: the twin of a function that JAX differentiates by itself."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from jaxcnn.transforms._programs import RULES, calls, programs_of
from jaxcnn.transforms._rewriting import Definitions, Replacement, Rewriter, Rewritten
from jaxcnn.transforms._tracing import trace

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

Function = TypeVar("Function", bound=Callable[..., Any])


def without_custom_rules(fn: Function, which: Literal["vjp", "all"] = "vjp") -> Function:
    """Return the same function without its custom rules, so that JAX differentiates it by itself.

    To compare anybody's rule with automatic differentiation, by `gradcheck.compare(fn, without_custom_rules(fn), x)`,
    and for forward mode, which functions with a custom_vjp rule do not have. `accelerate` is the opposite.

    Calls of functions that have a rule are replaced by what these functions compute, through every nesting, also inside
    `jax.jit`, `scan`, `while_loop`, `cond`, `switch`, `checkpoint` and `shard_map`. The function is traced at every
    call, as under `jax.jit`.

    Args:
      fn: any function that JAX can trace, of any pytrees. Arrays among its arguments are traced; everything else is
        passed as it is.
      which: "vjp" takes out the rules of `jax.custom_vjp`; "all" those of `jax.custom_jvp` too, with which jax.nn.relu
        and others choose what their derivative is at a kink.

    Returns:
      A function with the arguments and the result of `fn`.

    Gradient:
      That of the plain operations, in reverse and in forward mode, of every order; where a rule says another thing than
      they do, at kinks or where they overflow, it is lost.

    Raises:
      TypeError: fn is not callable; when called, fn cannot be traced.
      ValueError: which is neither of the two; when called, fn changes its arguments, or has a rule inside an operation
        that cannot be made again, such as a Pallas kernel.

    Example:
      >>> import jax, jax.numpy as jnp, jaxcnn
      >>> print(jax.jvp(jaxcnn.without_custom_rules(jaxcnn.relu), (jnp.array([-1.0, 2.0]),), (jnp.ones(2),))[1])
      [0. 1.]
    """
    if not callable(fn):
        raise TypeError(f"fn (={fn!r}) must be a function")
    if which not in RULES:
        raise ValueError(f"which (={which!r}) must be one of {', '.join(map(repr, RULES))}")
    taken_out = RULES[which]

    def rule(eqn: "JaxprEqn", definitions: Definitions) -> Replacement | str:
        del definitions
        if eqn.primitive.name not in taken_out:
            return ""
        program: Any = eqn.params["call_jaxpr"]
        body = rewriter.rewrite(program.jaxpr)
        return Replacement("its body", eqn.invars, functools.partial(body.run, *program.consts), (body,))

    def whole(eqn: "JaxprEqn") -> str | None:
        return "its own rule stands" if eqn.primitive.name in RULES["all"] else None

    rewriter = Rewriter(rule, whole)

    @functools.wraps(fn)
    def plain(*args: Any, **kwargs: Any) -> Any:
        traced = trace(fn, args, kwargs)
        program = rewriter.rewrite(traced.program.jaxpr)
        for primitive in _holding_rules(program, taken_out):
            raise ValueError(f"fn has a custom rule inside {primitive}, which cannot be made again without it")
        return traced.result(program.run(*traced.program.consts, *traced.arrays))

    return cast("Function", plain)


def _holding_rules(rewritten: Rewritten, taken_out: Sequence[str]) -> Iterator[str]:
    """Yield the names of the primitives that had to stay as they are, with a rule inside."""
    for eqn, by, _, inside in rewritten.decisions:
        for program in inside:
            yield from _holding_rules(program, taken_out)
        stays = by is None and not inside and eqn.primitive.name not in RULES["all"]
        if stays and any(calls(program, taken_out) for program in programs_of(eqn)):
            yield eqn.primitive.name
