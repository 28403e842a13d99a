"""Oracles: what each layer is by definition, in NumPy loops over output pixels. They import NumPy only."""

from tests.oracles.convolution import conv as conv
from tests.oracles.convolution import same_pads as same_pads
