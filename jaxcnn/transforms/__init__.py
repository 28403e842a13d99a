"""Functions of functions: what a program does with the layers of this package."""

from jaxcnn.transforms.acceleration import Report as Report
from jaxcnn.transforms.acceleration import accelerate as accelerate
from jaxcnn.transforms.autodiff import without_custom_rules as without_custom_rules
from jaxcnn.transforms.explanation import Choice as Choice
from jaxcnn.transforms.explanation import Explanation as Explanation
from jaxcnn.transforms.explanation import explain as explain
