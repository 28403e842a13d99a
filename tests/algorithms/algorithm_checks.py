"""What every algorithm is checked for, on every convolution that it accepts: used by all of tests/algorithms."""

import dataclasses
import functools
import importlib.util
import types

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.algorithms import direct
from jaxcnn.gradcheck.cases import Case, Normal, cases_of
from jaxcnn.gradcheck.tolerances import rtol_of
from jaxcnn.ops.convolution import conv_config
from tests import checks
from tests.oracles.convolution import oracle

DEFAULTS = {
    "strides": 1, "padding": "SAME", "input_dilation": 1, "kernel_dilation": 1, "feature_group_count": 1,
    "precision": None, "preferred_element_type": None,
}  # fmt: skip
NARROW = ("float32", "bfloat16", "float16")


def copy_of(name, **replaced):
    """Return a second copy of a module of jaxcnn, with some of its globals replaced."""
    spec = importlib.util.find_spec(f"jaxcnn.{name}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    vars(module).update(replaced)
    return module


@functools.cache
def algorithm_of(name, **constants):
    """Return an algorithm's module, with some of its constants replaced."""
    return copy_of(f"algorithms.{name}", **constants)


@functools.cache
def conv_by(algorithm):
    """Return `jaxcnn.conv` with one algorithm for every part that it has of every convolution that it accepts."""

    def choose(part, config, x_shape, kernel_shape, dtype):
        return algorithm if hasattr(algorithm, part) and algorithm.accepts(config, kernel_shape) else direct

    def run(part, chosen, *operands, static):
        return getattr(chosen, part)(*operands, *static)

    return copy_of("ops.convolution", choice=types.SimpleNamespace(choose=choose, run=run)).conv


@dataclasses.dataclass(frozen=True)
class AlgorithmCase(Case):
    """A convolution without bias, by an algorithm."""

    algorithm: types.ModuleType = direct

    @property
    def config(self):
        """The canonical configuration."""
        return conv_config(*(spec.shape for spec in self.inputs), **DEFAULTS | self.options)

    @property
    def accepted(self):
        """Whether the algorithm takes it."""
        return self.algorithm.accepts(self.config, self.inputs[1].shape)

    @property
    def manual(self):
        """The op with the hand rule and the algorithm, options bound."""
        return functools.partial(conv_by(self.algorithm), **self.options)


def case_of(label, x, kernel, **options):
    """Return a convolution whose groups follow from the channels."""
    return Case("conv", label, (Normal(x), Normal(kernel)), {"feature_group_count": x[-1] // kernel[-2]} | options)


class AlgorithmChecks:
    """The tests that every algorithm has; those that compile for long take each case in turn without `--full`.

    Attributes:
      name: of the module in jaxcnn.algorithms.
      more: cases beside those of `jaxcnn.gradcheck.cases`.
      constants: globals of the module to replace.
    """

    name = ""
    more = ()
    constants = types.MappingProxyType({})
    in_turn = ("test_dtypes", "test_vmap", "test_second_order")

    @classmethod
    def cases(cls):
        """Return every case that the algorithm accepts."""
        algorithm = algorithm_of(cls.name, **cls.constants)
        made = [
            AlgorithmCase(case.op, case.label, case.inputs[:2], case.options, algorithm=algorithm)
            for case in (*cls.more, *cases_of("conv"))
            if "dimension_numbers" not in case.options  # an algorithm sees channels last
        ]
        return [case for case in made if case.accepted]

    def pytest_generate_tests(self, metafunc):
        if "case" not in metafunc.fixturenames:
            return
        found, test = self.cases(), metafunc.function.__name__
        if test == "test_gradients_are_finite_differences":  # they evaluate twice for each element
            found = sorted(found, key=lambda case: sum(np.prod(spec.shape) for spec in case.inputs))
            found = [case for case in found if case.inputs[0].shape[0] > 0][:2]
        turn = [
            test not in self.in_turn or n % len(self.in_turn) == self.in_turn.index(test) for n in range(len(found))
        ]
        marks = [() if now else pytest.mark.full for now in turn]
        given = [pytest.param(case, id=case.label, marks=mark) for case, mark in zip(found, marks, strict=True)]
        metafunc.parametrize("case", given)

    def test_every_case_of_its_own_is_accepted(self):
        labels = [case.label for case in self.cases()]
        assert {case.label for case in self.more} <= set(labels)
        assert len(set(labels)) == len(labels) >= 6

    def test_value_and_gradients(self, case):
        check_value_and_gradients(case)

    def test_gradients_are_finite_differences(self, case):
        checks.check_finite_differences(case)

    def test_dtypes(self, case):
        check_dtypes(case)

    def test_vmap(self, case):
        check_vmap(case)

    def test_second_order(self, case):
        check_second_order(case)


def operands_of(part, case, dtype):
    """Return the arrays that a part of an algorithm takes, without numbers, and its static arguments."""
    x, kernel = (jax.ShapeDtypeStruct(spec.shape, dtype) for spec in case.inputs)
    g = jax.eval_shape(case.auto, x, kernel)
    return {
        "forward": ((x, kernel), (case.config,)),
        "dx": ((g, kernel), (x.shape[1:-1], case.config)),
        "dkernel": ((x, g), (kernel.shape[:-2], case.config)),
    }[part]


def equations(jaxpr, *primitives):
    """Return every equation of a jaxpr that has one of these primitives, those inside others too."""
    found = []
    for equation in jaxpr.eqns:
        found += [equation] if equation.primitive.name in primitives else []
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            found += equations(inner, *primitives)
    return found


def loops(jaxpr):
    """Return every loop of a jaxpr, those inside others too."""
    return equations(jaxpr, "scan", "while")


def check_value_and_gradients(case):
    """In float64 the value is the oracle's, the cotangents are the reference's, and both are adjoint."""
    with jax.enable_x64(True):
        args, g = case.args(np.float64), cotangent_of(case)
        found = compiled(value_and_gradients, case.manual)(args, g)
        assert_close(found, compiled(value_and_gradients, case.auto)(args, g), case, "float64")
        y, *gradients = found
        checks.assert_close(y, oracle(case)(*map(np.asarray, args)), rtol_of("float64"), "oracle")
        for x, dx in zip(args, gradients, strict=True):
            np.testing.assert_allclose(jnp.vdot(x, dx), jnp.vdot(y, g), rtol=0, atol=1e-13 * max(1, y.size))


def check_dtypes(case):
    """Value and cotangents are of the operands' dtype, and the reference's in float64, rounded once."""
    with jax.enable_x64(True):
        given = {dtype: [a.astype(dtype) for a in (*case.args(np.float64), cotangent_of(case))] for dtype in NARROW}

        def in_each(given):
            return {dtype: value_and_gradients(case.manual, args, g) for dtype, (*args, g) in given.items()}

        found = compiled(in_each)(given)
        reference = compiled(value_and_gradients, case.auto)
        for dtype, operands in given.items():
            *args, g = (a.astype(np.float64) for a in operands)
            assert_close(found[dtype], [a.astype(dtype) for a in reference(args, g)], case, dtype)


def check_vmap(case):
    """Value and cotangents under vmap over one operand are the reference's of one at a time."""
    with jax.enable_x64(True):
        args, others = (case.args(np.float64, seed) for seed in range(2))
        g = cotangent_of(case)

        def mapped(args, others):
            one = functools.partial(value_and_gradients, case.manual)
            x, kernel = (jnp.stack(both) for both in zip(args, others, strict=True))
            over_x = jax.vmap(lambda x: one((x, args[1]), g))(x)
            return over_x, jax.vmap(lambda kernel: one((args[0], kernel), g))(kernel)

        found = compiled(mapped)(args, others)
        reference = compiled(value_and_gradients, case.auto)
        for what, result, other in zip(
            ("x", "kernel"), found, ((others[0], args[1]), (args[0], others[1])), strict=True
        ):
            right = [jnp.stack(both) for both in zip(reference(args, g), reference(other, g), strict=True)]
            assert_close(result, right, case, f"vmap over {what}")


def check_second_order(case):
    """Hessian-vector products in both modes are the reference's."""
    with jax.enable_x64(True):
        args, vectors = (case.args(np.float64, seed) for seed in range(2))
        manual, auto = checks._curved(case.manual), checks._curved(case.auto)
        modes = (checks._forward_over_reverse, checks._reverse_over_reverse)
        found = compiled(lambda *args: [mode(manual, *args) for mode in modes])(args, vectors)
        right = compiled(checks._forward_over_reverse, auto)(args, vectors)
        for mode, products in zip(modes, found, strict=True):
            for argnum, (a, b) in enumerate(zip(products, right, strict=True)):
                message = f"{case.name}, {mode.__name__}, argument {argnum}"
                checks.assert_close(a, b, checks.SECOND_ORDER_RTOL, message)


def cotangent_of(case):
    """Return a cotangent of the value in float64."""
    y = jax.eval_shape(case.auto, *case.args(np.float64))
    return jnp.asarray(np.random.default_rng(1).standard_normal(y.shape))


def value_and_gradients(fn, args, g):
    """Return y, dx and dkernel."""
    y, pull = jax.vjp(fn, *args)
    return y, *pull(g)


def compiled(fn, *first):
    """Compile without optimisation, `first` bound: that takes half as long, and each program runs but a few times."""
    return jax.jit(functools.partial(fn, *first), compiler_options={"xla_backend_optimization_level": 0})


def assert_close(found, right, case, how):
    """Check value and cotangents to their dtype's tolerance; shapes and dtypes too."""
    for what, a, b in zip(("value", "dx", "dkernel"), found, right, strict=True):
        assert a.dtype == b.dtype, f"{case.name}, {how}, {what}: {a.dtype}, not {b.dtype}"
        wide = (np.asarray(array, np.float64) for array in (a, b))
        checks.assert_close(*wide, rtol_of(b.dtype), f"{case.name}, {how}, {what}")
