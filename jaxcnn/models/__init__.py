"""Networks as pure functions: each constructor returns a `Model` of `init` and `apply`."""

from jaxcnn.models._model import Model as Model
from jaxcnn.models.lenet import lenet as lenet
from jaxcnn.models.tutorial import tutorial as tutorial
