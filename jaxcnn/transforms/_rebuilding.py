"""Equations that hold programs, made again by the public function that makes them, with other programs inside.

A compiled function is compiled again by `jax.jit`, a loop made by `jax.lax.scan` or `while_loop`, a choice by
`jax.lax.switch` or `platform_dependent`, a recomputed part by `jax.checkpoint`, a part that is mapped over devices by
`jax.shard_map`. An equation that none of these makes, or one with a setting that cannot be said to them, is not made
again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr

Params = Mapping[str, Any]
Rewrite = Callable[["Jaxpr"], Any]  # to a Rewritten


class Rebuilt(NamedTuple):
    """An equation that is made again: the function that does, and the programs in it, rewritten."""

    compute: Callable[..., Sequence[Any]]
    inside: tuple[Any, ...]


def rebuild(primitive: str, params: Params, rewrite: Rewrite) -> Rebuilt | None:
    """Make an equation of one of `MAKERS` again, the programs in it rewritten; None where that cannot be done."""
    return MAKERS[primitive](params, rewrite)


def _function(program: Any, rewritten: Any) -> Callable[..., tuple[Any, ...]]:
    """Return a rewritten program as a function of its inputs."""
    consts = getattr(program, "consts", ())  # JAX 0.10 has a class for programs without
    return lambda *inputs: tuple(rewritten.run(*consts, *inputs))


def _compiled(params: Params, rewrite: Rewrite) -> Rebuilt | None:
    program = params["jaxpr"]
    rewritten = rewrite(program.jaxpr)
    given = {side: tuple(map(_known_sharding, params[side])) for side in ("in_shardings", "out_shardings")}
    shardings: dict[str, Any] = {side: known for side, known in given.items() if any(s is not None for s in known)}
    if any(layout is not None for side in ("in_layouts", "out_layouts") for layout in params[side]):
        return None
    function = _function(program, rewritten)
    function.__name__ = function.__qualname__ = params["name"]
    compiled = jax.jit(
        function,
        donate_argnums=tuple(index for index, donated in enumerate(params["donated_invars"]) if donated),
        keep_unused=params["keep_unused"],
        inline=params["inline"],
        compiler_options=dict(params["compiler_options_kvs"]) or None,
        **shardings,
    )
    return Rebuilt(compiled, (rewritten,))


def _known_sharding(sharding: Any) -> Any:
    """Return a sharding, or None for JAX's mark that it is not specified."""
    return sharding if isinstance(sharding, jax.sharding.Sharding) else None


def _compiled_once(compute: Callable[..., Sequence[Any]]) -> Callable[..., Sequence[Any]]:
    """Return a function that is compiled once where it is called eagerly, and is part of its caller elsewhere."""
    return jax.jit(compute, inline=True)


def _scan(params: Params, rewrite: Rewrite) -> Rebuilt:
    rewritten = rewrite(params["jaxpr"].jaxpr)
    function = _function(params["jaxpr"], rewritten)
    first, carried = _consts_and_carry(params)

    def compute(*inputs: Any) -> Sequence[Any]:
        consts, init, xs = inputs[:first], inputs[first : first + carried], inputs[first + carried :]

        def body(carry: Any, x: Any) -> tuple[Any, Any]:
            outputs = function(*consts, *carry, *x)
            return outputs[:carried], outputs[carried:]

        carry, ys = jax.lax.scan(body, init, xs, params["length"], params["reverse"], params["unroll"])
        return [*carry, *ys]

    return Rebuilt(_compiled_once(compute), (rewritten,))


def _consts_and_carry(params: Params) -> tuple[int, int]:
    """Return how many inputs of a scan are constants and how many are carried; JAX 0.11 has trees of them instead."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()
    return len(list(consts)), len(list(carry))


def _while(params: Params, rewrite: Rewrite) -> Rebuilt:
    programs = (params["cond_jaxpr"], params["body_jaxpr"])
    rewritten = tuple(rewrite(program.jaxpr) for program in programs)
    goes_on, step = (_function(program, new) for program, new in zip(programs, rewritten, strict=True))
    of_cond, of_both = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]

    def compute(*inputs: Any) -> Sequence[Any]:
        cond_consts, body_consts, init = inputs[:of_cond], inputs[of_cond:of_both], inputs[of_both:]
        return jax.lax.while_loop(
            lambda values: goes_on(*cond_consts, *values)[0], lambda values: step(*body_consts, *values), init
        )

    return Rebuilt(_compiled_once(compute), rewritten)


def _cond(params: Params, rewrite: Rewrite) -> Rebuilt:
    programs = params["branches"]
    rewritten = tuple(rewrite(program.jaxpr) for program in programs)
    branches = [_function(program, new) for program, new in zip(programs, rewritten, strict=True)]
    of_platforms = params.get("branches_platforms")

    def compute(index: Any, *inputs: Any) -> Sequence[Any]:
        if of_platforms is None:
            return jax.lax.switch(index, branches, *inputs)
        named: dict[str, Any] = {}
        for platforms, branch in zip(of_platforms, branches, strict=True):
            named |= dict.fromkeys(("default",) if platforms is None else platforms, branch)
        return jax.lax.platform_dependent(*inputs, **named)

    return Rebuilt(_compiled_once(compute), rewritten)


def _checkpoint(params: Params, rewrite: Rewrite) -> Rebuilt:
    rewritten = rewrite(params["jaxpr"])
    prevent_cse, policy = params["prevent_cse"], params["policy"]
    recomputed = jax.checkpoint(_function(params["jaxpr"], rewritten), prevent_cse=prevent_cse, policy=policy)

    def compute(*inputs: Any) -> Sequence[Any]:
        if params["differentiated"]:  # it is the second computation, which must not be shared with the first
            inputs = _apart(inputs, prevent_cse)
        return recomputed(*inputs)

    return Rebuilt(compute, (rewritten,))


def _apart(inputs: Sequence[Any], chosen: bool | Sequence[bool]) -> tuple[Any, ...]:
    """Return the inputs, the chosen ones behind a barrier for common subexpressions."""
    flags = [chosen] * len(inputs) if isinstance(chosen, bool) else chosen
    behind = iter(jax.lax.optimization_barrier([x for x, flag in zip(inputs, flags, strict=True) if flag]))
    return tuple(next(behind) if flag else x for x, flag in zip(inputs, flags, strict=True))


def _shard_map(params: Params, rewrite: Rewrite) -> Rebuilt:
    rewritten = rewrite(params["jaxpr"])
    axes = params["newly_manual_axes"] if "newly_manual_axes" in params else params["manual_axes"]
    compute = jax.shard_map(
        _function(params["jaxpr"], rewritten),
        mesh=params["mesh"],
        in_specs=tuple(params["in_specs"]),
        out_specs=tuple(params["out_specs"]),
        axis_names=frozenset(axes),
        check_vma=params["check_vma"],
    )
    return Rebuilt(compute, (rewritten,))


MAKERS: dict[str, Callable[[Params, Rewrite], Rebuilt | None]] = {
    "jit": _compiled,
    "scan": _scan,
    "while": _while,
    "cond": _cond,
    "remat2": _checkpoint,
    "shard_map": _shard_map,
}
