"""Compare hand-derived gradients with automatic ones, and with finite differences."""

from jaxcnn.gradcheck.comparison import compare as compare
from jaxcnn.gradcheck.finite_differences import finite_difference_gradient as finite_difference_gradient
from jaxcnn.gradcheck.report import GradientMismatchError as GradientMismatchError
from jaxcnn.gradcheck.report import Report as Report
from jaxcnn.gradcheck.report import Row as Row
