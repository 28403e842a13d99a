"""What every op is checked for, given one of its cases: one function a property, used by all of tests/ops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.gradcheck import finite_difference_gradient
from jaxcnn.gradcheck.cases import cases_of
from jaxcnn.gradcheck.tolerances import (
    FINITE_DIFFERENCE_RTOL,
    absolute_difference,
    is_floating,
    largest_finite,
    rtol_of,
)

DTYPES = ("float64", "float32", "bfloat16", "float16")
SECOND_ORDER_RTOL = 1e-12  # two chained derivatives of sums of at most some hundred terms, in float64


class OpChecks:
    """The tests that every op has, in the order of the file that inherits them.

    The first case of an op has them all. Of those that compile for long, each other case has one in turn, unless
    `--full` is given.

    Attributes:
      ops: the names of the ops whose cases are tried.
      oracle: `oracle(case)` returns the NumPy function that says what the case's value is.
    """

    ops = ()
    oracle = None
    in_turn = (
        "test_value_in_float32",
        "test_gradients_are_finite_differences",
        "test_second_order",
        "test_transforms",
        *DTYPES,
    )

    def pytest_generate_tests(self, metafunc):
        if "case" not in metafunc.fixturenames:
            return
        test, given = metafunc.function.__name__, []
        for n, case in [found for op in self.ops for found in enumerate(cases_of(op))]:
            if test == "test_hessian":  # its size is that of the input, squared
                given += [pytest.param(case, id=case.name)] * (n == 0)
            elif "dtype" in metafunc.fixturenames:
                given += [
                    pytest.param(case, dtype, id=f"{case.name}-{dtype}", marks=self.marks(n, dtype)) for dtype in DTYPES
                ]
            else:
                given.append(pytest.param(case, id=case.name, marks=self.marks(n, test)))
        metafunc.parametrize(("case", "dtype") if "dtype" in metafunc.fixturenames else "case", given)

    def marks(self, n, what):
        """Return the marks of a test, or of a dtype, on the nth case of an op."""
        waits = what in self.in_turn and n > 0 and (n - 1) % len(self.in_turn) != self.in_turn.index(what)
        return [pytest.mark.full] if waits else []

    def test_value_is_the_oracles(self, case):
        check_value(case, type(self).oracle(case), np.dtype("float64"), 1e-14)

    def test_value_in_float32(self, case):
        check_value(case, type(self).oracle(case), np.dtype("float32"), 1e-6)

    def test_gradients_are_the_references(self, case, dtype):
        check_gradients(case, dtype)

    def test_gradients_are_finite_differences(self, case):
        check_finite_differences(case)

    def test_second_order(self, case):
        check_second_order(case)

    def test_hessian(self, case):
        check_hessian(case)

    def test_transforms(self, case):
        check_transforms(case)


def noise_of(arrays, dtypes):
    """Return what float32 or float64 leave of a sum whose terms, of the size of all the arrays, nearly cancel."""
    eps = max(np.finfo(np.float64 if dtype == np.float64 else np.float32).eps for dtype in dtypes)
    return 8 * eps * np.sqrt(sum(np.sum(np.square(a[np.isfinite(a)])) for a in map(np.asarray, arrays)))


def assert_close(found, right, rtol, message="", noise=0.0):
    """Check max|found - right| / max|right|, what is over the noise, and the same shape and dtype."""
    found, right = np.asarray(found), np.asarray(right)
    assert found.shape == right.shape, f"{message}: shape {found.shape}, not {right.shape}"
    assert found.dtype == right.dtype, f"{message}: dtype {found.dtype}, not {right.dtype}"
    scale = np.max(np.abs(right), initial=np.finfo(np.float64).tiny)
    difference = (np.max(np.abs(found - right), initial=0) - noise) / scale
    assert difference <= rtol, f"{message}: relative difference {difference:.2e} over {rtol:.0e}"


def assert_alike(found, right, dtypes, message, terms=()):
    """Check that arrays have these dtypes and are the right ones, rounded to them, up to their rounding and noise.

    Args:
      found: the arrays.
      right: what they must be, in these dtypes or in wider ones.
      dtypes: the dtype of each.
      message: what they are.
      terms: other arrays whose sizes are those of what was added up.
    """
    assert [a.shape for a in found] == [b.shape for b in right], f"{message}: shapes"
    assert [a.dtype for a in found] == list(dtypes), f"{message}: dtypes"
    found, right = (
        [np.asarray(np.asarray(a).astype(d), np.float64) for a, d in zip(side, dtypes, strict=True)]
        for side in (found, right)
    )
    noise = noise_of([*right, *terms], dtypes)
    for n, (a, b, d) in enumerate(zip(found, right, dtypes, strict=True)):
        difference, allowed = absolute_difference(a, b).max(initial=0), rtol_of(d) * largest_finite(b) + noise
        assert difference <= allowed, f"{message} {n}: {difference:.2e} over {allowed:.2e}"


def check_value(case, oracle, dtype, rtol):
    """The value is the oracle's, eager, jitted and as differentiated, to the rounding of the dtype."""
    with jax.enable_x64(dtype == np.float64):
        args = case.args(dtype)
        right = oracle(*(np.asarray(a, np.float64) if a.dtype == dtype else np.asarray(a) for a in args))
        jitted, differentiated = jax.jit(
            lambda *args: (case.manual(*args), jax.vjp(lambda x: case.manual(x, *args[1:]), args[0])[0])
        )(*args)
        found = {"eager": case.manual(*args), "jitted": jitted, "differentiated": differentiated}
        for how, result in found.items():
            for y, expected in zip(jax.tree.leaves(result), jax.tree.leaves(right), strict=True):
                assert y.dtype == dtype, f"{case.name}, {how}: {y.dtype}"
                assert_close(np.asarray(y, np.float64), np.asarray(expected, np.float64), rtol, f"{case.name}, {how}")


def check_gradients(case, dtype, seed=0):
    """Value and every cotangent are those of the reference, in float64 and rounded for half precision, in its dtypes.

    What `jaxcnn.gradcheck.compare` does for any functions, step by step, is here one program a side.
    """
    with jax.enable_x64(dtype == "float64"):
        args = case.args(dtype, seed)
        outputs = jax.eval_shape(case.auto, *args)
        g = jax.tree.map(lambda y, n: jnp.asarray(n, y.dtype), outputs, _normal_like(outputs, 1))
        mine = jax.jit(functools.partial(_value_and_gradients, case.manual, case.argnums))(args, g)
    half = np.dtype(dtype).itemsize < 4
    with jax.enable_x64(dtype == "float64" or half):
        if half:
            args, g = (jax.tree.map(_in_float64, tree) for tree in (args, g))
        judged = _reference(case)(args, g)
    primals = [jnp.dtype(dtype)] * len(case.argnums)
    for what, dtypes in (("output", [y.dtype for y in jax.tree.leaves(outputs)]), ("gradient", primals)):
        found, right, terms = map(jax.tree.leaves, (mine[what], judged[what], judged["gradient"]))
        # An output may be a difference of terms that its gradients show, as 1 - cos is.
        assert_alike(found, right, dtypes, f"{case.name}, {what}, {dtype}", terms)


@functools.lru_cache(maxsize=4)
def _reference(case):
    """Return the compiled reference of a case, which the dtypes judged in float64 share."""
    return jax.jit(functools.partial(_value_and_gradients, case.auto, case.argnums))


def _value_and_gradients(fn, argnums, args, g):
    y, pull = jax.vjp(_of(fn, args, argnums), *(args[i] for i in argnums))
    return {"output": y, "gradient": pull(g)}


def _in_float64(leaf):
    return jnp.asarray(np.asarray(leaf, np.float64)) if is_floating(leaf) else leaf


def check_finite_differences(case):
    """Every element of every cotangent is the central difference, one argument at a time, in float64."""
    with jax.enable_x64(True):
        args = case.args(np.float64)
        y, pull = jax.vjp(_of(case.manual, args, case.argnums), *(args[i] for i in case.argnums))
        g = _normal_like(y, 1)
        for argnum, cotangent in zip(case.argnums, pull(jax.tree.map(jnp.asarray, g)), strict=True):
            numeric = finite_difference_gradient(case.auto, args, argnum, g).reshape(cotangent.shape)
            assert_close(cotangent, numeric, FINITE_DIFFERENCE_RTOL, f"{case.name}, argument {argnum}")


def check_second_order(case):
    """Hessian-vector products, reverse and forward over reverse, are those of the reference."""
    with jax.enable_x64(True):
        args = case.args(np.float64)
        primals = tuple(args[i] for i in case.argnums)
        rng = np.random.default_rng(2)
        vectors = tuple(jnp.asarray(rng.standard_normal(p.shape)) for p in primals)
        manual, auto = (_curved(_of(fn, args, case.argnums)) for fn in (case.manual, case.auto))

        @jax.jit
        def products(primals, vectors):
            modes = (_forward_over_reverse, _reverse_over_reverse)
            right = _forward_over_reverse(auto, primals, vectors)
            return {mode.__name__: mode(manual, primals, vectors) for mode in modes}, right

        found, right = products(primals, vectors)
        noise = noise_of(right, [np.float64])
        for mode, ours in found.items():
            for i, (a, b) in enumerate(zip(ours, right, strict=True)):
                assert_close(a, b, SECOND_ORDER_RTOL, f"{case.name}, {mode}, argument {i}", noise)


def check_hessian(case):
    """`jax.hessian` with respect to each argument is symmetric and the reference's."""
    with jax.enable_x64(True):
        args = case.args(np.float64)

        @jax.jit
        def hessians(args):
            return [
                [jax.hessian(_curved(_of(fn, args, (i,))))(args[i]).reshape(args[i].size, -1) for i in case.argnums]
                for fn in (case.manual, case.auto)
            ]

        for argnum, found, right in zip(case.argnums, *hessians(args), strict=True):
            assert_close(found, right, SECOND_ORDER_RTOL, f"{case.name}, argument {argnum}")
            assert_close(found, found.T, SECOND_ORDER_RTOL, f"{case.name}, symmetry of argument {argnum}")


def check_transforms(case):
    """Value and gradients are the same under vmap over each argument and over all, in scan, and with remat."""
    with jax.enable_x64(True):
        several = [case.args(np.float64, seed) for seed in range(2)]
        args, everything = several[0], tuple(range(len(several[0])))
        weights = jax.tree.map(jnp.asarray, _normal_like(jax.eval_shape(case.manual, *args), 3))

        def both(*args, wrap=lambda fn: fn):
            value, pull = jax.vjp(wrap(_of(case.manual, args, case.argnums)), *(args[i] for i in case.argnums))
            return value, pull(weights)

        def mixed(mapped, rest, drawn):
            return [drawn[i] if i in mapped else rest[i] for i in everything]

        @jax.jit
        def transformed(args, stacked):
            found = {}
            for mapped in mappings:
                axes = [0 if i in mapped else None for i in everything]
                found[f"vmap {mapped}"] = jax.vmap(both, axes)(*mixed(mapped, args, stacked))
            found["scan"] = jax.lax.scan(lambda carry, xs: (carry, both(*xs)), None, stacked)[1]
            return found, both(*args, wrap=jax.checkpoint)

        mappings = {*((i,) for i in everything), everything}
        found, rematerialised = transformed(args, jax.tree.map(lambda *leaves: jnp.stack(leaves), *several))
        compiled = jax.jit(both)
        alone = {f"vmap {mapped}": [compiled(*mixed(mapped, args, drawn)) for drawn in several] for mapped in mappings}
        alone["scan"] = alone[f"vmap {everything}"]
        for how, results in alone.items():
            _assert_same(found[how], jax.tree.map(lambda *leaves: jnp.stack(leaves), *results), f"{case.name}, {how}")
        _assert_same(rematerialised, alone["scan"][0], f"{case.name}, remat")


def residuals(fn, *args):
    """Return the dtypes and shapes that the backward rule of `fn` keeps."""
    leaves = jax.tree.leaves(jax.vjp(fn, *args)[1])
    return sorted(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves)


def _normal_like(tree, seed):
    """Return normally distributed numbers in the structure and shapes of `tree`."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape), tree)


def _of(fn, args, argnums):
    """Return fn as a function of the arguments `argnums` alone."""

    def chosen(*values):
        whole = list(args)
        for argnum, value in zip(argnums, values, strict=True):
            whole[argnum] = value
        return fn(*whole)

    return chosen


def _curved(fn):
    """Return a scalar function of fn whose second derivative vanishes nowhere, also where fn is linear or odd."""

    def weighted(y):
        return jnp.vdot(jnp.cos(jnp.arange(y.size, dtype=y.dtype)), jnp.sin(y.ravel()))

    return lambda *args: sum(weighted(y) for y in jax.tree.leaves(fn(*args)))


def _forward_over_reverse(f, primals, vectors):
    gradient = jax.grad(f, tuple(range(len(primals))))
    return jax.jvp(gradient, primals, vectors)[1]


def _reverse_over_reverse(f, primals, vectors):
    argnums = tuple(range(len(primals)))

    def along(*primals):
        gradients = jax.grad(f, argnums)(*primals)
        return sum(jnp.vdot(g, v) for g, v in zip(gradients, vectors, strict=True))

    return jax.grad(along, argnums)(*primals)


def _assert_same(found, right, message):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(right), strict=True):
        assert_close(a, b, 1e-13, message)
