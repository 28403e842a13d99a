"""What `accelerate` replaces: a table of primitives, of when an equation of one fits, and of what computes it then."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcnn.ops.gated_activations import gelu
from jaxcnn.ops.linear import dense
from jaxcnn.transforms import _activations, _convolutions, _pools, _sums
from jaxcnn.transforms._programs import dtype_of, shape_of
from jaxcnn.transforms._rewriting import Compute, Definitions, Replacement, in_context

if TYPE_CHECKING:
    from jax.extend.core import JaxprEqn

UNRELATED = ""  # the reason of an equation of which nothing was wanted


class Pattern(NamedTuple):
    """A line of the table.

    Attributes:
      primitive: its name.
      by: the name of what computes it.
      refusal: from an equation, and those that define its inputs, to why it does not fit; None where it does.
      replacement: from the same to what computes it: the variables that this reads, and a function of their values.
    """

    primitive: str
    by: str
    refusal: Callable[["JaxprEqn", Definitions], str | None]
    replacement: Callable[["JaxprEqn", Definitions], tuple[Sequence[Any], Compute]]


def match(eqn: "JaxprEqn", definitions: Definitions) -> Replacement | str:
    """Return what replaces an equation, or why it stays."""
    why = UNRELATED
    for pattern in TABLE:
        if pattern.primitive != eqn.primitive.name:
            continue
        refused = pattern.refusal(eqn, definitions)
        if refused is None:
            inputs, compute = pattern.replacement(eqn, definitions)
            refused = _refused_by_layer(eqn, inputs, compute)
            if refused is None:
                return Replacement(pattern.by, inputs, compute)
        why = refused or why
    return why


def _refused_by_layer(eqn: "JaxprEqn", inputs: Sequence[Any], compute: Compute) -> str | None:
    """Return the error in which a layer ends for arrays of these shapes; None where it gives what the equation does.

    It is traced in the context in which it will be evaluated, and so not traced again then.
    """
    given = [jax.ShapeDtypeStruct(shape_of(var), dtype_of(var)) for var in inputs]
    try:
        results = jax.eval_shape(in_context(eqn, compute), *given)
    except (TypeError, ValueError) as error:
        return str(error).splitlines()[0]
    found = [f"{result.dtype}{list(result.shape)}" for result in results]
    wanted = [f"{dtype_of(var)}{list(shape_of(var))}" for var in eqn.outvars]
    return None if found == wanted else f"the layer gives {', '.join(found)} for {', '.join(wanted)}"


def _alone(refusal: Callable[["JaxprEqn"], str | None]) -> Callable[["JaxprEqn", Definitions], str | None]:
    return lambda eqn, definitions: refusal(eqn)


def _if(fits: Callable[["JaxprEqn"], bool]) -> Callable[["JaxprEqn", Definitions], str | None]:
    return _alone(lambda eqn: None if fits(eqn) else UNRELATED)


def _conv_refusal(eqn: "JaxprEqn") -> str | None:
    dtype = dtype_of(eqn.invars[0])
    return None if jnp.issubdtype(dtype, jnp.floating) else f"dtype (={dtype}), which has no gradient"


def _bias_refusal(eqn: "JaxprEqn", definitions: Definitions) -> str | None:
    return UNRELATED if _sums.bias_of(eqn, definitions) is None else None


def _bias(eqn: "JaxprEqn", definitions: Definitions) -> tuple[Sequence[Any], Compute]:
    found: Any = _sums.bias_of(eqn, definitions)
    return found.inputs, found.add


def _gelu_refusal(eqn: "JaxprEqn", definitions: Definitions) -> str | None:
    return UNRELATED if _activations.argument_of_gelu(eqn, definitions) is None else None


def _gelu(eqn: "JaxprEqn", definitions: Definitions) -> tuple[Sequence[Any], Compute]:
    return [_activations.argument_of_gelu(eqn, definitions)], lambda x: [gelu(x, approximate=False)]


def _by(layer: Callable[..., jax.Array]) -> Callable[["JaxprEqn", Definitions], tuple[Sequence[Any], Compute]]:
    """Return the replacement by a function of an equation and of the values of its inputs."""
    return lambda eqn, definitions: (eqn.invars, lambda *values: [layer(eqn, *values)])


def _is_dense(eqn: "JaxprEqn") -> bool:
    """Return whether a product is that of features, the last axis, with a kernel `[D_in, D_out]`."""
    rank, rank_of_kernel = (len(shape_of(var)) for var in eqn.invars)
    numbers = (((rank - 1,), (0,)), ((), ()))
    return eqn.params["dimension_numbers"] == numbers and rank > 1 and rank_of_kernel == 2


def _dense(eqn: "JaxprEqn", x: jax.Array, kernel: jax.Array) -> jax.Array:
    given = eqn.params
    return dense(x, kernel, precision=given["precision"], preferred_element_type=given["preferred_element_type"])


# The first line of a primitive that fits is taken.
TABLE = (
    Pattern(
        "conv_general_dilated",
        "jaxcnn.conv, dkernel",
        _if(_convolutions.is_dkernel),
        _by(_convolutions.dkernel),
    ),
    Pattern("conv_general_dilated", "jaxcnn.conv, dx", _if(_convolutions.is_dx), _by(_convolutions.dx)),
    Pattern("conv_general_dilated", "jaxcnn.conv", _alone(_conv_refusal), _by(_convolutions.forward)),
    Pattern("reduce_window_max", "jaxcnn.max_pool", _alone(_pools.refusal), _by(_pools.pool)),
    Pattern("reduce_window_min", "jaxcnn.min_pool", _alone(_pools.refusal), _by(_pools.pool)),
    Pattern("reduce_window_sum", "jaxcnn.sum_pool", _alone(_pools.refusal), _by(_pools.pool)),
    Pattern("select_and_scatter_add", "jaxcnn pool, dx", _alone(_pools.refusal), _by(_pools.chosen)),
    Pattern("jit", "jaxcnn.log_softmax", _if(_activations.is_log_softmax), _by(_activations.log_softmax_of)),
    Pattern("mul", "jaxcnn.gelu", _gelu_refusal, _gelu),
    Pattern("dot_general", "jaxcnn.dense", _if(_is_dense), _by(_dense)),
    Pattern("add", "jaxcnn.bias_add", _bias_refusal, _bias),
    Pattern(
        "reduce_sum",
        "a sum in float32",
        _if(lambda eqn: _sums.is_half(dtype_of(eqn.outvars[0]))),
        _by(_sums.wide_sum),
    ),
)  # fmt: skip
