"""The cases on which every public op is checked, by the tests and by `scripts/compare_gradients.py`: a file a family.

Shapes are non-square; strides that do not divide, one image, one channel, C_in other than C_out, asymmetric kernels
and paddings, windows larger and smaller than the stride each occur: symmetric cases hide transposed axes.
"""

from jaxcnn.gradcheck.cases import (
    activations,
    attention,
    convolution,
    linear,
    losses,
    norms,
    padding,
    pooling,
    probabilities,
    rearrange,
    regularization,
    resampling,
    unfolding,
)
from jaxcnn.gradcheck.cases._case import Case as Case
from jaxcnn.gradcheck.cases._case import Classes as Classes
from jaxcnn.gradcheck.cases._case import Distinct as Distinct
from jaxcnn.gradcheck.cases._case import Mask as Mask
from jaxcnn.gradcheck.cases._case import Normal as Normal
from jaxcnn.gradcheck.cases._case import Places as Places
from jaxcnn.gradcheck.cases._case import Uniform as Uniform
from jaxcnn.gradcheck.cases._case import Weights as Weights

CASES: tuple[Case, ...] = (
    *convolution.CASES,
    *pooling.CASES,
    *rearrange.CASES,
    *linear.CASES,
    *activations.CASES,
    *norms.CASES,
    *probabilities.CASES,
    *losses.CASES,
    *padding.CASES,
    *unfolding.CASES,
    *resampling.CASES,
    *regularization.CASES,
    *attention.CASES,
)


def cases_of(op: str) -> tuple[Case, ...]:
    """Return the cases of one public op.

    Raises:
      ValueError: there are none.
    """
    found = tuple(case for case in CASES if case.op == op)
    if not found:
        raise ValueError(f"op (={op!r}) must be one of {sorted({case.op for case in CASES})}")
    return found
