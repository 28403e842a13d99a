"""Compare a function's gradients by hand rules with those of its autodiff twin, array by array."""

import inspect
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
      ValueError: argnums is out of range, nothing is to be differentiated, or the two return different structures,
        shapes or dtypes; in half precision also, if auto does not follow its arguments to float64.

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
    called = _float_outputs(manual(*args))
    mine, theirs = _pull_back(manual, problem), _pull_back(auto, problem)
    for outputs in (called, mine.outputs):
        _require_same(outputs, theirs.outputs)
    cotangents = _draw(key, mine.outputs)
    judge = _Results(list(theirs.outputs.values()), theirs.pull(cotangents))
    plain = None
    if any(jnp.dtype(a.dtype).itemsize < 4 for a in (*problem.primals, *cotangents)):
        plain, judge = judge, _in_float64(auto, problem, cotangents)
    gradients = mine.pull(cotangents)

    def rows(kind: str, paths: Sequence[str], found: Sequence[jax.Array], which: str) -> list[Row]:
        autodiff = None if plain is None else getattr(plain, which)
        return _rows(kind, paths, found, getattr(judge, which), autodiff, rtol)

    names = list(mine.outputs)
    compared = rows("value", names, list(called.values()), "outputs")
    compared += rows("value in vjp", names, list(mine.outputs.values()), "outputs")
    for leaf, row in enumerate(rows("gradient", problem.paths, gradients, "gradients")):
        why = "" if row.ok else diagnose(mine.pull, theirs.pull, leaf, cotangents)
        compared.append(row._replace(diagnosis=why))
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
    outputs: dict[str, jax.Array]  # the floating outputs by path
    pull: Callable[[Sequence[jax.Array]], list[jax.Array]]  # their cotangents to those of the primals


class _Results(NamedTuple):
    outputs: Sequence[jax.Array]
    gradients: Sequence[jax.Array]


def _take_apart(fn: Function, args: Sequence[Any], argnums: int | Sequence[int]) -> _Problem:
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
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
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
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


def _float_outputs(tree: Any) -> dict[str, jax.Array]:
    """Return the floating leaves of a function's result by path."""
    found = {}
    for path, leaf in jax.tree.leaves_with_path(tree):
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            found[f"output.{name}" if name else "output"] = jnp.asarray(leaf)
    return found


def _pull_back(fn: Function, problem: _Problem) -> _Pulled:
    def of_primals(*primals: jax.Array) -> dict[str, jax.Array]:
        leaves = list(problem.leaves)
        for position, primal in zip(problem.differentiated, primals, strict=True):
            leaves[position] = primal
        return _float_outputs(fn(*jax.tree.unflatten(problem.structure, leaves)))

    outputs, pull = jax.vjp(of_primals, *problem.primals)
    return _Pulled(outputs, lambda cotangents: list(pull(dict(zip(outputs, cotangents, strict=True)))))


def _require_same(mine: dict[str, jax.Array], theirs: dict[str, jax.Array]) -> None:
    def described(outputs: dict[str, jax.Array]) -> dict[str, str]:
        return {path: f"{y.dtype}{list(y.shape)}" for path, y in outputs.items()}

    if described(mine) != described(theirs):
        raise ValueError(f"the outputs of manual (={described(mine)}) must be those of auto (={described(theirs)})")
    if not mine:
        raise ValueError("manual and auto must return a floating array, or a pytree with one")


def _draw(key: jax.Array, outputs: dict[str, jax.Array]) -> list[jax.Array]:
    """Return a normally distributed cotangent for each output; by NumPy, which has nothing to compile."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    return [jnp.asarray(rng.standard_normal(y.shape), y.dtype) for y in outputs.values()]


def _in_float64(fn: Function, problem: _Problem, cotangents: Sequence[jax.Array]) -> _Results:
    """Return outputs and gradients of `fn` with every floating leaf and cotangent in float64."""
    with jax.enable_x64(True):

        def upcast(leaf: Any) -> Any:
            floating = jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
            return jnp.asarray(np.asarray(leaf, np.float64)) if floating else leaf

        outputs, pull = _pull_back(fn, problem._replace(leaves=[upcast(leaf) for leaf in problem.leaves]))
        for path, y in outputs.items():
            if y.dtype != jnp.float64:
                raise ValueError(
                    f"{path} of auto (={y.dtype}) must be float64 where the arguments are, so that it can judge half "
                    "precision; let arrays that auto holds be arguments"
                )
        return _Results(list(outputs.values()), pull([upcast(g) for g in cotangents]))


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
    return [np.asarray(a).astype(dtype).astype(np.float64) for a, dtype in zip(arrays, dtypes, strict=True)]
