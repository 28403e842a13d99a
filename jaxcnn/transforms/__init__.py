"""Functions of functions: what a program does with the layers of this package."""

from jaxcnn.transforms.explanation import Choice as Choice
from jaxcnn.transforms.explanation import Explanation as Explanation
from jaxcnn.transforms.explanation import explain as explain
