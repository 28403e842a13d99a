"""Compare a function's gradients by hand rules with those of its autodiff twin, array by array."""

import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.gradcheck.diagnosis import diagnose
from jaxcnn.gradcheck.report import Report, Row
from jaxcnn.gradcheck.tolerances import (
    absolute_difference,
    cosine,
    is_floating,
    relative_difference,
    rtol_of,
    ulp_difference,
)

Function = Callable[..., Any]


def compare(
    manual: Function,
    auto: Function,
    *args: Any,
    argnums: int | Sequence[int] = 0,
    key: jax.Array | None = None,
    rtol: float | None = None,
) -> Report:
    """Compare values and gradients of two functions of the same signature.

    Both are pulled back along the same random cotangent. The judge is `auto`; where an argument is in half precision
    it is `auto` in float64 on the same arguments, rounded once, because autodiff in half precision is itself far off
    (what it gives is reported beside it). A hand rule's value is checked twice, as it is called and as it is
    differentiated, since the two may disagree. Where neither function says otherwise, float32 products are computed in
    float32 (a GPU's default, TF32, has 10 bits).

    Args:
      manual: the function whose rules are on trial; any pytrees in and out.
      auto: its twin, differentiated by JAX.
      *args: the arguments of both; leaves may be arrays of any dtype, numbers and PRNG keys.
      argnums: which arguments to differentiate; their integer, bool and key leaves are skipped and listed.
      key: the PRNG key of the cotangent; None is a fixed one.
      rtol: the tolerance for max|manual - judge| / max|judge| of each array; None takes it from
        `jaxcnn.gradcheck.tolerances`, by dtype.

    Returns:
      A `Report`: `.ok`, `.rows`, `.skipped`, `str()` for a table, `.raise_if_bad()`.

    Raises:
      TypeError: argnums is neither an int nor several.
      ValueError: argnums is out of range, nothing is to be differentiated, or the two return different structures,
        shapes or dtypes, or differ in an output that has no gradient; in half precision also, if auto does not follow
        its arguments to float64.

    Example:
      >>> import jax.numpy as jnp, jaxcnn
      >>> from jaxcnn.gradcheck import compare
      >>> compare(jaxcnn.relu, jaxcnn.reference.relu, jnp.array([-1.0, 2.0])).ok
      True
    """
    problem = _take_apart(manual, args, argnums)
    with jax.default_matmul_precision("highest"):
        return _compare(manual, auto, args, problem, jax.random.key(0) if key is None else key, rtol)


def _compare(
    manual: Function, auto: Function, args: Sequence[Any], problem: "_Problem", key: jax.Array, rtol: float | None
) -> Report:
    called = manual(*args)
    mine, theirs = _pull_back(manual, problem), _pull_back(auto, problem)
    for result in (called, mine.result):
        _require_same(result, theirs.result)
    cotangents = _draw(key, mine.outputs)
    judge = _Results(theirs.outputs, theirs.pull(cotangents))
    plain = None
    if any(jnp.dtype(a.dtype).itemsize < 4 for a in (*problem.primals, *cotangents)):
        plain, judge = judge, _in_float64(auto, problem, cotangents)
    gradients = mine.pull(cotangents)

    def rows(kind: str, paths: Sequence[str], found: Sequence[jax.Array], which: str) -> list[Row]:
        autodiff = None if plain is None else getattr(plain, which)
        return _rows(kind, paths, found, getattr(judge, which), autodiff, rtol)

    names = _float_names(called)
    compared = rows("value", names, _float_leaves(called), "outputs")
    compared += rows("value in vjp", names, mine.outputs, "outputs")
    for leaf, row in enumerate(rows("gradient", problem.paths, gradients, "gradients")):
        primal = problem.primals[leaf].dtype
        if row.dtype != primal.name:
            why = f"it is {row.dtype}, and its primal {primal.name}: a cotangent has its primal's dtype"
            compared.append(row._replace(max_rel=np.inf, rtol=rtol_of(primal), diagnosis=why))
        elif row.ok:
            compared.append(row)
        else:
            compared.append(row._replace(diagnosis=diagnose(mine.pull, theirs.pull, leaf, cotangents)))
    return Report(tuple(compared), tuple(problem.skipped))


class _Problem(NamedTuple):
    """The arguments of a comparison, taken apart."""

    leaves: list[Any]  # all leaves of all arguments
    structure: Any  # how they go together
    differentiated: list[int]  # the positions, in leaves, of those that have a gradient
    paths: list[str]  # their names
    skipped: list[str]  # the names of the leaves under argnums that have none

    @property
    def primals(self) -> list[jax.Array]:
        return [jnp.asarray(self.leaves[i]) for i in self.differentiated]


class _Pulled(NamedTuple):
    outputs: list[jax.Array]  # the floating outputs
    pull: Callable[[Sequence[jax.Array]], list[jax.Array]]  # their cotangents to those of the primals
    result: Any  # all that the function returned


class _Results(NamedTuple):
    outputs: Sequence[jax.Array]
    gradients: Sequence[jax.Array]


def _take_apart(fn: Function, args: Sequence[Any], argnums: int | Sequence[int]) -> _Problem:
    try:
        chosen = tuple(map(operator.index, argnums if isinstance(argnums, Sequence) else (argnums,)))
    except TypeError:
        raise TypeError(f"argnums (={argnums!r}) must be an int or a sequence of ints") from None
    if not chosen or any(not -len(args) <= n < len(args) for n in chosen):
        raise ValueError(f"argnums (={argnums!r}) must name some of the {len(args)} arguments")
    chosen = {n % len(args) for n in chosen}
    leaves, structure = jax.tree.flatten(tuple(args))
    names = _argument_names(fn, len(args))
    problem = _Problem(leaves, structure, [], [], [])
    for position, (path, leaf) in enumerate(jax.tree.leaves_with_path(tuple(args))):
        if path[0].idx not in chosen:
            continue
        name = ".".join(
            [names[path[0].idx], *filter(None, [jax.tree_util.keystr(path[1:], simple=True, separator=".")])]
        )
        if is_floating(leaf):
            problem.differentiated.append(position)
            problem.paths.append(name)
        else:
            problem.skipped.append(name)
    if not problem.differentiated:
        raise ValueError(f"argnums (={argnums!r}) must name an argument with a floating leaf; found {problem.skipped}")
    return problem


def _argument_names(fn: Function, count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return (named + [f"args[{i}]" for i in range(len(named), count)])[:count]


def _float_leaves(tree: Any) -> list[jax.Array]:
    """Return the floating leaves of a function's result."""
    return [jnp.asarray(leaf) for leaf in jax.tree.leaves(tree) if is_floating(leaf)]


def _float_names(tree: Any) -> list[str]:
    """Return the paths of the floating leaves of a function's result."""
    return [_named("output", path) for path, leaf in jax.tree.leaves_with_path(tree) if is_floating(leaf)]


def _named(root: str, path: tuple[Any, ...]) -> str:
    """Return the name of a leaf: that of the argument or result, and the path in it."""
    return ".".join([root, *filter(None, [jax.tree_util.keystr(path, simple=True, separator=".")])])


def _pull_back(fn: Function, problem: _Problem) -> _Pulled:
    def of_primals(*primals: jax.Array) -> tuple[list[jax.Array], Any]:
        leaves = list(problem.leaves)
        for position, primal in zip(problem.differentiated, primals, strict=True):
            leaves[position] = primal
        result = fn(*jax.tree.unflatten(problem.structure, leaves))
        return _float_leaves(result), result

    outputs, pull, result = jax.vjp(of_primals, *problem.primals, has_aux=True)
    return _Pulled(outputs, lambda cotangents: list(pull(list(cotangents))), result)


def _require_same(mine: Any, theirs: Any) -> None:
    """Check that two results have one structure, shapes and dtypes, and that what has no gradient is equal."""

    def described(tree: Any) -> tuple[Any, list[str]]:
        leaves = [f"{jnp.result_type(leaf)}{list(jnp.shape(leaf))}" for leaf in jax.tree.leaves(tree)]
        return jax.tree.structure(tree), leaves

    if described(mine) != described(theirs):
        raise ValueError(f"the outputs of manual (={described(mine)}) must be those of auto (={described(theirs)})")
    for (path, a), b in zip(jax.tree.leaves_with_path(mine), jax.tree.leaves(theirs), strict=True):
        if jnp.issubdtype(jnp.result_type(a), jnp.complexfloating):
            raise ValueError(f"{_named('output', path)} dtype (={jnp.result_type(a)}) must be real")
        if not is_floating(a) and not jnp.array_equal(a, b):
            raise ValueError(f"{_named('output', path)}, which has no gradient, must be the same from manual and auto")
    if not _float_leaves(mine):
        raise ValueError("manual and auto must return a floating array, or a pytree with one")


def _draw(key: jax.Array, outputs: list[jax.Array]) -> list[jax.Array]:
    """Return a normally distributed cotangent for each output; by NumPy, which has nothing to compile."""
    # Key 0 alone would draw what default_rng(0) draws: a cotangent that is x itself, which a norm's rule maps to 0.
    rng = np.random.default_rng([*np.asarray(jax.random.key_data(key)).ravel(), 1])
    return [jnp.asarray(rng.standard_normal(y.shape), y.dtype) for y in outputs]


def _in_float64(fn: Function, problem: _Problem, cotangents: Sequence[jax.Array]) -> _Results:
    """Return outputs and gradients of `fn` with every floating leaf and cotangent in float64."""
    with jax.enable_x64(True):

        def upcast(leaf: Any) -> Any:
            return jnp.asarray(np.asarray(leaf, np.float64)) if is_floating(leaf) else leaf

        outputs, pull, _ = _pull_back(fn, problem._replace(leaves=[upcast(leaf) for leaf in problem.leaves]))
        for y in outputs:
            if y.dtype != jnp.float64:
                raise ValueError(
                    f"the output of auto (={y.dtype}) must be float64 where the arguments are, so that it can judge "
                    "half precision; let arrays that auto holds be arguments"
                )
        return _Results(outputs, pull([upcast(g) for g in cotangents]))


def _rows(
    kind: str,
    paths: Sequence[str],
    found: Sequence[jax.Array],
    judged: Sequence[jax.Array],
    autodiff: Sequence[jax.Array] | None,
    rtol: float | None,
) -> list[Row]:
    """Return one row for each array of `found`; `judged` is rounded to its dtype first."""
    dtypes = [array.dtype for array in found]
    mine, right = _as_float64(found, dtypes), _as_float64(judged, dtypes)
    theirs = [None] * len(mine) if autodiff is None else _as_float64(autodiff, dtypes)
    judged_in = np.dtype(np.float64) if autodiff is not None else None  # else in the dtype of each array
    norm = float(np.sqrt(sum(float(np.sum(np.square(b, where=np.isfinite(b), out=np.zeros_like(b)))) for b in right)))
    rows = []
    for path, dtype, a, b, plain in zip(paths, dtypes, mine, right, theirs, strict=True):
        difference = absolute_difference(a, b)
        index = tuple(int(i) for i in np.unravel_index(np.argmax(difference), b.shape)) if b.size else ()
        rows.append(
            Row(
                kind=kind,
                path=path,
                shape=b.shape,
                dtype=dtype.name,
                max_abs=float(np.max(difference, initial=0.0)),
                max_rel=relative_difference(a, b, norm, judged_in or dtype),
                max_ulp=ulp_difference(a, b, dtype),
                cosine=cosine(a, b),
                position=index,
                manual_at=float(a[index]) if b.size else 0.0,
                judge_at=float(b[index]) if b.size else 0.0,
                rtol=rtol_of(dtype) if rtol is None else rtol,
                autodiff_rel=None if plain is None else relative_difference(plain, b, norm, judged_in or dtype),
            )
        )
    return rows


def _as_float64(arrays: Sequence[jax.Array], dtypes: Sequence[Any]) -> list[np.ndarray]:
    """Return the arrays, each rounded to its dtype, as float64."""
    with np.errstate(over="ignore"):  # what a half-precision dtype cannot hold is infinite in it
        return [np.asarray(a).astype(dtype).astype(np.float64) for a, dtype in zip(arrays, dtypes, strict=True)]
