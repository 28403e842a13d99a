"""`accelerate`: the rules and algorithms of this package for networks written with other libraries.

A function is traced to a program of JAX, and evaluated again with the equations that `_patterns.TABLE` knows replaced
by the layers of this package. What it computes stays the same up to rounding; its gradients are those of the rules.
"""

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jaxcnn.ops._rule import NotTransposableError
from jaxcnn.transforms import _patterns
from jaxcnn.transforms._findings import Report as Report
from jaxcnn.transforms._findings import report_of
from jaxcnn.transforms._forward_mode import forbids_forward_mode
from jaxcnn.transforms._programs import RULES, own_algorithm
from jaxcnn.transforms._rewriting import Rewriter
from jaxcnn.transforms._tracing import name_of, trace

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

Function = TypeVar("Function", bound=Callable[..., Any])


def accelerate(fn: Function, *, report: bool | Callable[[Report], Any] = False) -> Function:
    """Give a function the rules and algorithms of this package, whatever library it is written with.

    One line for a network in flax, haiku, equinox, keras or plain lax: put it around the function that is
    differentiated or compiled, `jax.jit(jax.grad(jaxcnn.accelerate(loss)))`. Around a function that already computes
    gradients, such as a whole train step, it replaces the convolutions and pools of their backward passes too; the
    first is better, because the hand rules then say what is computed at all. `without_custom_rules` is the opposite.

    Replaced are convolutions (of every layout, stride, dilation and grouping), maxima, minima and sums over windows,
    their gradients where they stand in the program, dense layers, the exact `jax.nn.gelu`, `jax.nn.log_softmax`, and in
    half precision sums whose gradient or value JAX sums in half precision: biases that are added by broadcasting, and
    `lax.reduce_sum`. They are found inside `jax.jit`, `scan`, `while_loop`, `cond`, `switch`, `checkpoint` and
    `shard_map` too. Everything else stays as it is:
    functions with a custom_jvp or custom_vjp rule with that rule, integers and complex numbers, pools with a dilated
    input, and equations that hold programs in another way, such as Pallas kernels.

    The function is traced at every call, so put `jax.jit` around it. As under `jax.jit`, Python code runs when it is
    traced, and what it writes to variables outside is lost.

    Args:
      fn: any function that JAX can trace, jitted or not, of any pytrees. Arrays among its arguments are traced;
        everything else, such as numbers, strings and functions, is passed as it is.
      report: whether to print, at each call, what was replaced, where in the source it is, what stays and why, and the
        share of the floating-point operations of convolutions and pools that is replaced; or a function that is called
        with the `Report`.

    Returns:
      A function with the arguments and the result of `fn`.

    Gradient:
      By the hand rules, any number of times, so `jax.grad`, `jax.vjp` and `jax.hessian` work. Forward mode, `jax.jvp`
      and `jax.jacfwd`, cannot work with them: use `fn` itself, or `without_custom_rules`.

    Raises:
      TypeError: fn is not callable; when called, fn cannot be traced, or forward mode is asked for.
      NotImplementedError: when called, by `jax.linear_transpose`.
      ValueError: when called, fn changes its arguments.

    Example:
      >>> import jax, jax.numpy as jnp, jaxcnn
      >>> layer = jax.lax.conv_general_dilated
      >>> fast = jaxcnn.accelerate(lambda x, k: layer(x, k, (1, 1), "SAME"), report=lambda r: print(r.share))
      >>> print(fast(jnp.ones((1, 3, 8, 8)), jnp.ones((4, 3, 3, 3))).shape)
      1.0
      (1, 4, 8, 8)
    """
    if not callable(fn):
        raise TypeError(f"fn (={fn!r}) must be a function")
    rewriter = Rewriter(_patterns.match, _whole)

    @functools.wraps(fn)
    def accelerated(*args: Any, **kwargs: Any) -> Any:
        traced = trace(fn, args, kwargs)
        program = rewriter.rewrite(traced.program.jaxpr)
        if report:
            _tell(report_of(program), report)
        values = (*traced.program.consts, *traced.arrays)
        if forbids_forward_mode(program.run, values):
            raise _forward_mode_error(fn)
        try:
            return traced.result(program.run(*values))
        except TypeError as error:  # where JAX has other tracers than `forbids_forward_mode` knows
            if "custom_vjp" not in str(error):
                raise
            raise _forward_mode_error(fn) from error
        except NotTransposableError as error:
            raise NotTransposableError(
                f"an accelerated function (={name_of(fn)}) must not be given to jax.linear_transpose: use the function "
                "itself there, or jax.vjp"
            ) from error

    return cast("Function", accelerated)


def _forward_mode_error(fn: Callable[..., Any]) -> TypeError:
    return TypeError(
        f"an accelerated function (={name_of(fn)}) must not be differentiated in forward mode, by jax.jvp or "
        "jax.jacfwd: use the function itself there, or jaxcnn.without_custom_rules(fn)"
    )


def _tell(found: Report, report: bool | Callable[[Report], Any]) -> None:
    if callable(report):
        report(found)
    else:
        sys.stdout.write(f"{found}\n")


def _whole(eqn: "JaxprEqn") -> str | None:
    if eqn.primitive.name in RULES["all"]:
        return f"inside {eqn.primitive}, whose own rule stands"
    return "computed by jaxcnn" if own_algorithm(eqn) is not None else None
