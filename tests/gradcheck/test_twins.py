"""The twins in `jaxcnn.reference` follow the layers at ties, kinks and infinite options, to the second order."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.gradcheck.cases import CASES
from jaxcnn.gradcheck.draws import LEVELS, with_ties
from tests import checks

SIDES = pytest.mark.parametrize("ops", [jaxcnn, jaxcnn.reference], ids=["layer", "twin"])
INF = math.inf
AT_A_KINK = {  # numbers, and the value, slope and curvature at each
    ("huber_loss", "delta 1"): (
        lambda ops, x: ops.huber_loss(x),
        [-INF, -2.0, -1.0, 0.0, 1.0, 3.0],
        ([INF, 1.5, 0.5, 0.0, 0.5, 2.5], [-1, -1, -1, 0, 1, 1], [0, 0, 1, 1, 1, 0]),
    ),
    ("huber_loss", "delta inf"): (
        lambda ops, x: ops.huber_loss(x, delta=INF),
        [0.0, -3.0, INF],
        ([0.0, 4.5, INF], [0, -3, INF], [1, 1, 1]),
    ),
    ("huber_loss", "delta beyond the dtype"): (
        lambda ops, x: ops.huber_loss(x, delta=1e300),
        [0.0, -3.0, INF],
        ([0.0, 4.5, INF], [0, -3, INF], [1, 1, 1]),
    ),
    ("absolute_error", ""): (
        lambda ops, x: ops.absolute_error(x),
        [-2.0, 0.0, 2.0, math.nan],
        ([2.0, 0.0, 2.0, math.nan], [-1, 0, 1, 0], [0, 0, 0, 0]),
    ),
    ("celu", "alpha 1/2"): (lambda ops, x: ops.celu(x, 0.5), [0.0, 1.0, INF], ([0.0, 1.0, INF], [1, 1, 1], [2, 0, 0])),
    ("celu", "alpha -1/2"): (lambda ops, x: ops.celu(x, -0.5), [0.0, 1.0], ([0.0, 1.0], [1, 1], [-2, 0])),
    ("lp_pool", "norm 1"): (
        lambda ops, x: ops.lp_pool(jnp.stack([x, jnp.ones_like(x)])[:, None], 1, (2,))[0, 0],
        [-2.0, 0.0, 2.0],
        ([3.0, 1.0, 3.0], [-1, 0, 1], [0, 0, 0]),
    ),
    ("lp_pool", "norm 1.5"): (
        lambda ops, x: ops.lp_pool(jnp.stack([x, jnp.ones_like(x)])[:, None], 1.5, (2,))[0, 0],
        [0.0],
        ([1.0], [0], [0]),
    ),
    ("lp_pool", "norm inf"): (
        lambda ops, x: ops.lp_pool(x[None, None], INF, (1,))[0, 0],
        [-2.0, 0.0, 2.0],
        ([2.0, 0.0, 2.0], [-1, 0, 1], [0, 0, 0]),
    ),
    ("sigmoid_focal_loss", "the gradient of a label of 0"): (  # (p + y - 2 p y)^2 (log(1 + exp z) - y z) at z = 0
        lambda ops, y: ops.sigmoid_focal_loss(jnp.zeros_like(y), y),
        [0.0, 1.0],
        ([math.log(2) / 4] * 2, [0, 0], [0, 0]),
    ),
    ("kl_divergence", "a target of 0"): (
        lambda ops, t: ops.kl_divergence(jnp.stack([-INF * jnp.ones_like(t), jnp.zeros_like(t)]), jnp.stack([t, t + 1])),
        [0.0],
        ([0.0], [1], [1]),
    ),
    ("cosine_similarity", "a square of epsilon"): (
        lambda ops, x: ops.cosine_similarity(jnp.stack([x, 0 * x]), jnp.asarray([4.0, 3.0], x.dtype), epsilon=25.0),
        [5.0, 4.0],
        ([0.8, 0.64], [0.16, 0.16], [0, 0]),
    ),
}  # fmt: skip


@SIDES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", AT_A_KINK, ids=" ".join)
def test_value_slope_and_curvature_at_a_kink(name, dtype, ops):
    fn, x, expected = AT_A_KINK[name]
    with jax.enable_x64(dtype == "float64"):
        if dtype == "float64" and "beyond" in name[1]:
            pytest.skip("float64 holds it")
        slope = jax.grad(lambda x: fn(ops, x))
        found = [jax.vmap(f)(jnp.asarray(x, dtype)) for f in (lambda x: fn(ops, x), slope, jax.grad(slope))]
    for what, mine, right in zip(("value", "slope", "curvature"), found, expected, strict=True):
        np.testing.assert_allclose(mine, right, rtol=1e-6, atol=1e-6, err_msg=what)


@SIDES
def test_the_hessian_of_a_divergence_is_symmetric_where_a_target_is_0(ops):
    """A class that takes no part has no part in it."""
    z, t = jnp.log(jnp.array([0.25, 0.75])), jnp.array([0.0, 1.0])
    hessian = jax.hessian(lambda both: ops.kl_divergence(both[0], both[1]))(jnp.stack([z, t])).reshape(4, 4)
    np.testing.assert_allclose(hessian, [[0, 0, 0, 0], [0, 0, 0, -1], [0, 0, 0, 0], [0, -1, 0, 1]], atol=1e-6)


WITH_KINKS = {
    "relu", "relu6", "leaky_relu", "prelu", "hard_tanh", "hard_sigmoid", "hard_silu", "sparse_sigmoid", "sparse_plus",
    "elu", "celu", "selu", "huber_loss", "absolute_error", "hinge_loss", "lp_pool", "max_pool", "kl_divergence",
}  # fmt: skip
QUICK = [case for case in CASES if case.argnums and case.op in WITH_KINKS]
SLOW = [pytest.param(case, marks=pytest.mark.full) for case in CASES if case.argnums and case.op not in WITH_KINKS]


@pytest.mark.parametrize("case", [*QUICK, *SLOW], ids=lambda case: case.name)
def test_second_order_at_ties(case):
    """Value, gradients and a Hessian-vector product, in float64, of numbers rounded to few levels."""
    with jax.enable_x64(True):
        args = case.args(np.float64)
        given = [args[i] for i in case.argnums]
        rng = np.random.default_rng(2)
        vectors = [jnp.asarray(rng.standard_normal(a.shape)) for a in given]

        def numbers_of(fn, primals, vectors):
            def call(primals):
                full = list(args)
                for i, primal in zip(case.argnums, primals, strict=True):
                    full[i] = primal
                return jax.tree.leaves(fn(*full))

            def weighed(primals):
                return sum(jnp.vdot(jnp.cos(jnp.arange(y.size)), y.ravel()) for y in call(primals))

            return call(primals), *jax.jvp(jax.grad(weighed), (primals,), (vectors,))

        program = jax.jit(lambda *a: [numbers_of(fn, *a) for fn in (case.manual, case.auto)])
        for name, levels in LEVELS.items():
            found, right = program(with_ties(given, levels), vectors)
            for order, (mine, theirs) in enumerate(zip(found, right, strict=True)):
                noise = checks.noise_of(theirs, [np.float64])
                for i, (a, b) in enumerate(zip(mine, theirs, strict=True)):
                    checks.assert_close(a, b, checks.SECOND_ORDER_RTOL, f"{name}, order {order}, {i}", noise)
