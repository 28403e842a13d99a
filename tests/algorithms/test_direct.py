import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.algorithms import choice, direct
from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import AlgorithmCase, case_of, operands_of


class TestDirect(algorithm_checks.AlgorithmChecks):
    name = "direct"

    @classmethod
    def cases(cls):
        """Return the cases for which something else is chosen; the others are tested with the op."""

        def chosen(case):
            shapes = [spec.shape for spec in case.inputs]
            return {choice.choose(part, case.config, *shapes, jnp.float32).get("cpu") for part in choice.PARTS}

        return [case for case in super().cases() if chosen(case) - {None, "canonical"}]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("part", choice.PARTS)
@pytest.mark.parametrize(
    ("x", "kernel", "options"),
    [
        ((2, 3, 6, 1), (1, 2, 1, 3), {"padding": ((-1, 0), (-3, 1)), "kernel_dilation": (1, 2)}),
        ((2, 7, 7, 4), (2, 2, 4, 2), {"padding": ((-2, 1), (-2, -3)), "strides": 2}),
        ((2, 5, 4, 2), (3, 2, 2, 3), {"padding": ((-3, 1), (0, -1)), "input_dilation": (2, 3), "strides": (2, 1)}),
        ((2, 6, 5, 2), (3, 3, 2, 3), {"padding": ((4, 3), (3, 5)), "strides": 2}),
        ((2, 4, 1, 2), (2, 2, 2, 3), {"padding": ((-1, 3), (3, -1)), "strides": (1, 2)}),
    ],
    ids=["kernel dilation", "strides", "input dilation", "padding wider than the window", "no pixel is read"],
)
def test_what_is_cropped_at_the_start_is_cropped_before(x, kernel, options, part, dtype):
    """XLA's CPU compiler reads numbers from elsewhere there: now and then, so the program is what can be tested."""
    plain = case_of("", x, kernel, **options)
    case = AlgorithmCase(plain.op, part, plain.inputs, plain.options, algorithm=direct)
    shapes, static = operands_of(part, case, dtype)
    operands = [jnp.asarray(np.random.default_rng(i).normal(size=s.shape), dtype) for i, s in enumerate(shapes)]

    def compute(*arrays):
        return getattr(direct, part)(*arrays, *static)

    program = jax.make_jaxpr(compute)(*operands).jaxpr
    (layer,) = (eqn for eqn in program.eqns if eqn.primitive.name == "conv_general_dilated")
    assert all(low >= 0 for low, _ in layer.params["padding"])
    with jax.enable_x64(True):
        right = compute(*(jnp.asarray(a, jnp.float64) for a in operands))
    found, tolerance = compute(*operands), 8 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(
        found.astype(jnp.float32), np.asarray(right), rtol=tolerance, atol=tolerance * np.max(np.abs(right))
    )
