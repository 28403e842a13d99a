"""What a layer is: each public function with its hand-derived backward rule beside it."""

from jaxcnn.ops.activations import leaky_relu as leaky_relu
from jaxcnn.ops.activations import relu as relu
from jaxcnn.ops.activations import relu6 as relu6
from jaxcnn.ops.convolution import conv as conv
from jaxcnn.ops.linear import bias_add as bias_add
from jaxcnn.ops.linear import dense as dense
from jaxcnn.ops.losses import softmax_cross_entropy as softmax_cross_entropy
from jaxcnn.ops.losses import softmax_cross_entropy_with_integer_labels as softmax_cross_entropy_with_integer_labels
from jaxcnn.ops.losses import squared_error as squared_error
from jaxcnn.ops.norms import batch_norm as batch_norm
from jaxcnn.ops.norms import layer_norm as layer_norm
from jaxcnn.ops.pooling import avg_pool as avg_pool
from jaxcnn.ops.pooling import global_avg_pool as global_avg_pool
from jaxcnn.ops.pooling import max_pool as max_pool
from jaxcnn.ops.probabilities import log_softmax as log_softmax
from jaxcnn.ops.probabilities import softmax as softmax
from jaxcnn.ops.rearrange import flatten as flatten
from jaxcnn.ops.smooth_activations import gelu as gelu
from jaxcnn.ops.smooth_activations import sigmoid as sigmoid
from jaxcnn.ops.smooth_activations import tanh as tanh
