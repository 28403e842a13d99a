"""Where the examples of a case stand, a written one or a drawn one, and the same case with another number of them."""

import dataclasses

import numpy as np

from jaxcnn.gradcheck.cases import Classes, Mask, Places

LOSSES_BY_ELEMENT = (
    "squared_error", "l2_loss", "absolute_error", "huber_loss", "log_cosh", "hinge_loss",
    "sigmoid_binary_cross_entropy", "sigmoid_focal_loss",
)  # fmt: skip
SHARED_AXES = (*LOSSES_BY_ELEMENT, "softmax_cross_entropy", "kl_divergence", "cosine_similarity", "cosine_distance")
BY_ELEMENT = (
    *LOSSES_BY_ELEMENT, "celu", "dropout", "elu", "gelu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu",
    "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_sign", "softplus", "sparse_plus",
    "sparse_sigmoid", "squareplus", "tanh",
)  # fmt: skip
OVER_AN_AXIS = (
    "cosine_distance", "cosine_similarity", "glu", "kl_divergence", "log_softmax", "softmax", "softmax_cross_entropy",
    "softmax_cross_entropy_with_integer_labels",
)  # fmt: skip
OVER_CHANNELS = ("batch_norm", "bias_add", "dense", "layer_norm", "local_response_norm", "rms_norm")
BY_KERNEL = ("conv", "conv_transpose", "depthwise_conv", "separable_conv", "weight_standardized_conv")
BY_POSITIONS = (
    "global_avg_pool", "global_max_pool", "group_norm", "instance_norm", "spatial_dropout", "squeeze_excite",
)  # fmt: skip
# The option that has a value for each spatial axis; one number is for all axes between the first and the last.
BY_OPTION = {
    **dict.fromkeys(("adaptive_avg_pool", "adaptive_max_pool", "adaptive_max_pool_with_indices"), "output_size"),
    **dict.fromkeys(("avg_pool", "lp_pool", "max_pool", "max_pool_with_indices", "min_pool"), "window_shape"),
    **dict.fromkeys(("fold", "sum_pool", "unfold"), "window_shape"),
    **dict.fromkeys(("depth_to_space", "space_to_depth"), "block_size"),
    **dict.fromkeys(("upsample_linear", "upsample_nearest"), ("size", "scale_factor")),
    "max_unpool": "output_size",
    "pad": "padding",
}


def batch_axis(case):
    """Return the axis of the examples in the array that has them; None if the case has none.

    Of several batch axes it is the first. A layer that has no entry here is an error.
    """
    rank, options = len(case.inputs[holder(case)].shape), case.options
    if options.get("batch_group_count", 1) > 1:  # the groups divide the examples
        return None
    letters = options.get("dimension_numbers")
    if letters is not None and case.op != "conv_general_dilated":
        return (letters if isinstance(letters, str) else letters[0]).index("N")
    if case.op in OVER_AN_AXIS:
        axes = options.get("axis", -1)
        summed = range(rank) if axes is None else (axes,) if isinstance(axes, int) else axes
        return next((axis for axis in range(rank) if axis not in {a % rank for a in summed}), None)
    return 0 if rank > rank_of_example(case, rank) else None


def rank_of_example(case, rank):
    """Return how many axes one example has, of `rank` axes of a batch."""
    op, options, shapes = case.op, case.options, [spec.shape for spec in case.inputs]
    if op in BY_ELEMENT:
        return 0
    if op in OVER_CHANNELS or op == "running_statistics":
        return 1
    if op in BY_KERNEL:
        return len(shapes[1]) - 1
    if op in BY_POSITIONS:
        return options.get("spatial_rank", max(rank - 2, 0)) + 1
    if op in BY_OPTION:
        names = BY_OPTION[op]
        value = next(options[name] for name in ([names] if isinstance(names, str) else names) if name in options)
        return len(value) + 1 if isinstance(value, tuple) else rank - 1
    return {
        "conv_general_dilated": lambda: rank - 1,
        "conv_local": lambda: (len(shapes[1]) - 2) // 2 + 1,
        "flatten": lambda: rank - options.get("batch_rank", 1),
        "prelu": lambda: len(shapes[-1]),
        "stochastic_depth": lambda: rank - options.get("batch_rank", 1),
        "weight_standardization": lambda: rank,
    }[op]()


def holder(case):
    """Return which array of a case has the examples."""
    return 2 if case.op == "running_statistics" else 0


def of_examples(case):
    """Return for each array of a case whether it has the axis of the examples."""
    first, axis = holder(case), batch_axis(case)
    size = case.inputs[first].shape[axis]
    return [
        n == first
        or case.op in SHARED_AXES
        or isinstance(spec, Classes | Places)
        or (case.op == "running_statistics" and n > first)
        or (isinstance(spec, Mask) and len(spec.shape) == len(case.inputs[0].shape) and spec.shape[axis] == size > 1)
        for n, spec in enumerate(case.inputs)
    ]


def axis_of_array(case, shape):
    """Return where the examples stand in an array among the options, a mask or weights; None: nowhere.

    A mask of a loss over classes may have the axes of the examples alone.
    """
    rank, axis = len(case.inputs[0].shape), batch_axis(case)
    if case.op in OVER_AN_AXIS and len(shape) < rank:
        return 0
    axis -= rank - len(shape)
    return axis if axis >= 0 else None


def rows_of(array, size, axis):
    """Return an array with that many rows along an axis, which are those that it has, again and again."""
    return np.take(array, np.arange(size) % array.shape[axis], axis)


def with_batch(case, size, rows=None):
    """Return a case with that many examples, and masks and weights of as many rows, or of another number."""
    inputs, options, axis = [], dict(case.options), batch_axis(case)
    for spec, examples in zip(case.inputs, of_examples(case), strict=True):
        shape = spec.shape
        of_spec = 0 if isinstance(spec, Classes) else axis  # of class numbers the examples are all axes
        inputs.append(spec._replace(shape=(*shape[:of_spec], size, *shape[of_spec + 1 :])) if examples else spec)
    for name in {"where", "weight", "pos_weight"} & options.keys():
        array = np.asarray(options[name])
        of_array = axis_of_array(case, array.shape)
        if of_array is not None:
            options[name] = rows_of(array, size if rows is None else rows, of_array)
    return dataclasses.replace(case, inputs=tuple(inputs), options=options)


def number_of_examples(case):
    """Return how many examples a case has along its batch axis."""
    return case.inputs[holder(case)].shape[batch_axis(case)]
