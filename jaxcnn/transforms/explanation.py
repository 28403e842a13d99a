"""Which algorithm computes each convolution of a function, and why.

`jaxcnn.algorithms.choice.run` makes a compiled function of every algorithm that it may run, under the name
`{algorithm}_{part}_{platform}`. Tracing a function shows these names, wherever they stand in its program: in other
compiled functions, loops, branches, gradients. What no result depends on, such as the gradient of the images, is left
out, because XLA does not compute it either.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from jaxcnn.algorithms.choice import PARTS, TABLE
from jaxcnn.transforms._programs import is_variable, own_algorithm, programs_of
from jaxcnn.transforms._text import align
from jaxcnn.transforms._tracing import trace

if TYPE_CHECKING:
    from jax.extend.core import Jaxpr, JaxprEqn

Shape = tuple[int, ...]
PLATFORMS: dict[str, tuple[str, ...]] = {
    "cpu": ("cpu",), "gpu": ("cuda", "rocm"), "cuda": ("cuda",), "rocm": ("rocm",), "tpu": ("tpu",),
}  # fmt: skip
NOT_FASTER = "nothing was measured to be faster"


class Choice(NamedTuple):
    """The algorithm of one part of all layers of the same shapes.

    Attributes:
      op: the name of the layer's function, "conv".
      dtype: in which the part is computed.
      x: the shape of the input, as the algorithm sees it: with one batch axis, and with a mapped one under vmap. This
        and the other shapes are None where JAX took the algorithm apart: to differentiate it, for a second derivative,
        or to compute before a loop what is the same in every round.
      kernel: the shape of the kernel.
      y: the shape of the output.
      part: "forward", "dx" or "dkernel".
      algorithm: the module of `jaxcnn.algorithms` that computes it; "direct" is lax itself.
      why: what was measured, one text for each line of the table in `jaxcnn.algorithms.choice`.
      times: how often it stands in the program; the body of a loop counts once.
    """

    op: str
    dtype: str
    x: Shape | None
    kernel: Shape | None
    y: Shape | None
    part: str
    algorithm: str
    why: tuple[str, ...]
    times: int = 1

    @property
    def layer(self) -> tuple[Any, ...]:
        """What is the same for all parts of a layer: op, dtype and shapes."""
        return self[:5]


class Explanation(NamedTuple):
    """What `explain` found; its text, which an interactive session shows, is a table.

    Attributes:
      platform: for which platform.
      choices: one row for each part of each kind of layer, the layers in the order of the program.
    """

    platform: str
    choices: tuple[Choice, ...]

    def __str__(self) -> str:
        if not self.choices:
            return f"on {self.platform}: no convolution of jaxcnn"
        rows = [("op", "dtype", "x", "kernel", "y", *PARTS)]
        rows += [self._row(layer) for layer in dict.fromkeys(choice.layer for choice in self.choices)]
        reasons = {choice.algorithm: [] for choice in self.choices}
        for choice in self.choices:
            reasons[choice.algorithm] += [why for why in choice.why if why not in reasons[choice.algorithm]]
        whys = [(name, "; ".join(reasons[name])) for name in reasons]
        header = "why; a/b: milliseconds of lax and of the algorithm, where it was measured"
        return "\n".join([f"on {self.platform}", *align(rows), header, *align(whys)])

    def __repr__(self) -> str:
        return str(self)

    def _row(self, layer: tuple[Any, ...]) -> tuple[str, ...]:
        """Return the cells of a layer, one for each part with the algorithms and how often they stand there."""
        op, dtype, *shapes = layer
        cells = ["taken apart", "", ""] if None in shapes else [",".join(map(str, shape)) for shape in shapes]
        own = [choice for choice in self.choices if choice.layer == layer]
        of_parts = (", ".join(f"{c.times} {c.algorithm}" for c in own if c.part == part) or "-" for part in PARTS)
        return (op, dtype, *cells, *of_parts)


def explain(fn: Callable[..., Any], *args: Any, platform: str | None = None, **kwargs: Any) -> Explanation:
    """Return which algorithm computes each convolution of a function, and why.

    The function is traced and not run, and nothing is printed: `print` what is returned, or look at it in an
    interactive session. It is explained as it is: for the algorithms of gradients pass a function that
    computes them, such as `jax.grad(loss)` or a whole train step. Only `conv` has a choice; every other layer, pools
    included, has one algorithm, and is not listed.

    Args:
      fn: any function that JAX can trace, jitted or not.
      *args: its arguments. Arrays, or `jax.ShapeDtypeStruct` in their place, are traced; everything else, such as
        numbers, strings and functions, is passed as it is.
      platform: "cpu", "gpu", "cuda", "rocm" or "tpu"; None is the one that JAX computes on by default.
      **kwargs: its keyword arguments, likewise.

    Returns:
      An `Explanation`: its text is a table, its `choices` are the rows.

    Raises:
      ValueError: the platform is none of these.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> x, kernel = jnp.ones((8, 16, 16, 32)), jnp.ones((3, 3, 1, 32))
      >>> jaxcnn.explain(jaxcnn.conv, x, kernel, feature_group_count=32, platform="cpu")  # doctest: +ELLIPSIS
      on cpu
        op    dtype    x           kernel    y           forward      dx  dkernel
        conv  float32  8,16,16,32  3,3,1,32  8,16,16,32  1 depthwise  -   -
      why; a/b: milliseconds of lax and of the algorithm, where it was measured
        depthwise  x 16,32,32,64...
    """
    if platform is not None and platform not in PLATFORMS:
        raise ValueError(f"platform (={platform!r}) must be one of {', '.join(PLATFORMS)}")
    asked = jax.default_backend() if platform is None else platform
    program = trace(fn, args, kwargs).program
    found = _of_program(program.jaxpr, [True] * len(program.jaxpr.outvars), PLATFORMS.get(asked, (asked,)))
    return Explanation(asked, _counted([one.choice for one in found]))


def _counted(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Return each choice once, with how often it was found; the layers in their order, the parts of each together."""
    layers = list(dict.fromkeys(choice.layer for choice in choices))
    once = sorted(dict.fromkeys(choices), key=lambda choice: (layers.index(choice.layer), PARTS.index(choice.part)))
    return tuple(choice._replace(times=choices.count(choice)) for choice in once)


class _Found(NamedTuple):
    """An algorithm in a program."""

    choice: Choice
    platform: str | None  # the one for which it stands there, until it is known to be taken


def _of_program(jaxpr: "Jaxpr", wanted: Sequence[bool], platforms: Sequence[str]) -> list[_Found]:
    """Return the algorithms on which the wanted outputs depend, in order."""
    needed = {var for var, is_wanted in zip(jaxpr.outvars, wanted, strict=True) if is_wanted and is_variable(var)}
    found: list[list[_Found]] = []
    for eqn in reversed(jaxpr.eqns):
        of_outputs = [var in needed for var in eqn.outvars]
        if any(of_outputs) or eqn.effects:
            needed.update(filter(is_variable, eqn.invars))
            found.append(_of_equation(eqn, of_outputs, platforms))
    return [one for group in reversed(found) for one in group]


def _of_equation(eqn: "JaxprEqn", wanted: Sequence[bool], platforms: Sequence[str]) -> list[_Found]:
    """Return the algorithm that an equation runs, or those of the programs in it; of those for different platforms one.

    Which outputs of a compiled function are wanted says which of its program's are. The outputs of a loop are not
    independent like that: all are wanted then.
    """
    own = own_algorithm(eqn)
    if own is not None:
        return [_Found(_choice(eqn, *own), own[2])]
    programs = list(programs_of(eqn))
    independent = "name" in eqn.params and len(programs) == 1 and len(programs[0].outvars) == len(wanted)
    found: list[_Found] = []
    for program in programs:
        found += _of_program(program, wanted if independent else [True] * len(program.outvars), platforms)
    named = {one.platform for one in found} - {None, "default"}
    if len(programs) == 1 or not named:
        return found
    taken = next((platform for platform in platforms if platform in named), "default")
    return [one._replace(platform=None) for one in found if one.platform in (taken, None)]


def _choice(eqn: "JaxprEqn", algorithm: str, part: str, platform: str) -> Choice:
    x, kernel, y = _shapes(eqn, part) or (None, None, None)
    measured = [r.why for r in TABLE if (r.algorithm, r.platform) == (algorithm, platform) and part in r.parts]
    operand: Any = eqn.invars[0].aval
    return Choice("conv", str(operand.dtype), x, kernel, y, part, algorithm, tuple(measured) or (NOT_FASTER,))


def _shapes(eqn: "JaxprEqn", part: str) -> tuple[Shape, Shape, Shape] | None:
    """Return the shapes of x, kernel and y.

    A function that JAX made of an algorithm's has its name, but other arguments, or in other places: None.
    """
    if len(eqn.invars) != 2:
        return None
    avals: list[Any] = [var.aval for var in (*eqn.invars, eqn.outvars[0])]
    a, b, result = (tuple(aval.shape) for aval in avals)
    x, kernel, y = {"forward": (a, b, result), "dx": (result, b, a), "dkernel": (a, result, b)}[part]
    if min(map(len, (x, kernel, y))) < 3:
        return None
    mapped = not len(x) == len(kernel) == len(y)
    fits = mapped or (x[0] == y[0] and kernel[-1] == y[-1] and x[-1] % max(kernel[-2], 1) == 0)
    return (x, kernel, y) if fits else None
