import jax
import jax.numpy as jnp
import pytest

from jaxcnn.algorithms import canonical, grouped, lattice, planes
from jaxcnn.algorithms._derivatives import derived_by
from tests.algorithms import algorithm_checks
from tests.algorithms.algorithm_checks import AlgorithmCase, case_of, equations, operands_of

ALGORITHMS = (canonical, lattice, grouped, planes)


class TestCanonical(algorithm_checks.AlgorithmChecks):
    name = "canonical"
    more = (
        case_of("strides that do not divide", (2, 8, 7, 2), (3, 3, 2, 3), strides=(3, 2)),
        case_of("cropped at a stride", (2, 9, 8, 2), (2, 3, 2, 3), strides=2, padding=((-3, 1), (1, -2))),
        case_of("dilated twice", (2, 5, 4, 2), (2, 3, 2, 3), input_dilation=(2, 3), kernel_dilation=(3, 1)),
        case_of("one axis", (3, 9, 2), (4, 2, 3), strides=2),
        case_of("three axes", (2, 4, 3, 5, 2), (2, 3, 2, 2, 3)),
        case_of("no images", (0, 6, 4, 2), (2, 2, 2, 3)),
        case_of("groups at a stride", (2, 7, 5, 6), (3, 2, 2, 9), strides=2),
    )


def dkernel_of(algorithm):
    """Return dkernel of a small convolution by an algorithm, and the shapes of its operands."""
    x = (2, 6, 5, 8) if algorithm is not planes else (2, 4, 6, 5, 8)
    plain = case_of("", x, (*(2,) * (len(x) - 2), 4 if algorithm is grouped else 8, 8))
    case = AlgorithmCase("conv", "", plain.inputs, plain.options, algorithm=algorithm)
    operands, static = operands_of("dkernel", case, jnp.float32)
    return lambda x, g: algorithm.dkernel(x, g, *static), operands


def check_axes(program):
    """Every convolution of a program has the batch first and the channels last."""
    layers = equations(program.jaxpr, "conv_general_dilated")
    assert layers
    for layer in layers:
        of_x, of_kernel, of_y = layer.params["dimension_numbers"]
        rank = len(of_x) - 2
        assert of_x == of_y == (0, rank + 1, *range(1, rank + 1))
        assert of_kernel == (rank + 1, rank, *range(rank))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_convolution_of_dkernel_has_the_batch_first_and_the_channels_last(algorithm):
    """XLA's CPU compiler computes any other one number at a time where it stands in a loop."""
    dkernel, operands = dkernel_of(algorithm)
    check_axes(jax.make_jaxpr(dkernel)(*operands))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_derivative_of_dkernel_in_g_is_a_forward_convolution(algorithm):
    """Inside a function that is derived by another, too: 12 ms, where the transpose of transpositions takes 1909."""
    dkernel, operands = dkernel_of(algorithm)
    x, g = (jnp.ones(operand.shape) for operand in operands)
    kernel, pull = jax.vjp(lambda g: derived_by(dkernel, dkernel)(x, g), g)
    program = jax.make_jaxpr(pull)(kernel)
    check_axes(program)
    assert not equations(program.jaxpr, "transpose")
