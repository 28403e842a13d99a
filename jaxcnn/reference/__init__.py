"""The names and signatures of `jaxcnn.ops` in plain JAX, differentiated by JAX: what the rules are judged by."""

from jaxcnn.reference.activations import leaky_relu as leaky_relu
from jaxcnn.reference.activations import relu as relu
from jaxcnn.reference.activations import relu6 as relu6
from jaxcnn.reference.convolution import conv as conv
from jaxcnn.reference.linear import bias_add as bias_add
from jaxcnn.reference.linear import dense as dense
from jaxcnn.reference.losses import softmax_cross_entropy as softmax_cross_entropy
from jaxcnn.reference.losses import (
    softmax_cross_entropy_with_integer_labels as softmax_cross_entropy_with_integer_labels,
)
from jaxcnn.reference.losses import squared_error as squared_error
from jaxcnn.reference.norms import batch_norm as batch_norm
from jaxcnn.reference.norms import layer_norm as layer_norm
from jaxcnn.reference.pooling import avg_pool as avg_pool
from jaxcnn.reference.pooling import global_avg_pool as global_avg_pool
from jaxcnn.reference.pooling import max_pool as max_pool
from jaxcnn.reference.probabilities import log_softmax as log_softmax
from jaxcnn.reference.probabilities import softmax as softmax
from jaxcnn.reference.rearrange import flatten as flatten
from jaxcnn.reference.smooth_activations import gelu as gelu
from jaxcnn.reference.smooth_activations import sigmoid as sigmoid
from jaxcnn.reference.smooth_activations import tanh as tanh
