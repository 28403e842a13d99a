"""Oracles: what each layer is by definition, in NumPy loops over output pixels. They import NumPy only."""

from tests.oracles.activations import gelu as gelu
from tests.oracles.activations import softmax as softmax
from tests.oracles.convolution import conv as conv
from tests.oracles.convolution import same_pads as same_pads
from tests.oracles.norms import batch_norm as batch_norm
from tests.oracles.norms import layer_norm as layer_norm
from tests.oracles.norms import normalize as normalize
from tests.oracles.norms import scaled as scaled
from tests.oracles.pooling import avg_pool as avg_pool
from tests.oracles.pooling import crop as crop
from tests.oracles.pooling import max_pool as max_pool
from tests.oracles.pooling import max_pool_gradient as max_pool_gradient
from tests.oracles.pooling import pool_windows as pool_windows
