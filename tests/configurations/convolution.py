"""Random configurations of convolutions."""

from jaxcnn.gradcheck.cases import Case, Normal

NAMES = ("SAME", "SAME_LOWER", "VALID", "FULL", "CAUSAL", "REVERSE_CAUSAL")


def ints(rng, rank, low, high):
    """Draw one int for each of `rank` axes, both ends included."""
    return tuple(int(n) for n in rng.integers(low, high + 1, rank))


def one_or_each(rng, values):
    """Return the values, or now and then only the first, which then stands for all."""
    return values[0] if rng.random() < 0.3 else values


def per_axis(values, rank):
    """Return one value an axis."""
    return (values,) * rank if isinstance(values, int) else values


def padding_of(rng, sizes, windows, names=NAMES):
    """Draw a padding of any form that leaves room for the windows; sizes and windows are the dilated extents."""
    fits = all(size >= window for size, window in zip(sizes, windows, strict=True))
    if rng.random() < 0.5:
        return str(rng.choice([name for name in names if fits or name != "VALID"]))
    pairs = []
    for size, window in zip(sizes, windows, strict=True):
        low = int(rng.integers(-(size - 1), 4))
        least = max(window - size - low, min(0, -(size - max(-low, 0))))
        pairs.append((low, least + int(rng.integers(0, 5))))
    if rng.random() < 0.3:
        return max(0, *(window - size for size, window in zip(sizes, windows, strict=True)))
    return tuple(pairs)


def extents(sizes, dilation):
    """Return how far elements reach that lie `dilation` apart."""
    return [(n - 1) * d + 1 for n, d in zip(sizes, dilation, strict=True)]


def _geometry(rng, largest=6, input_dilation=True):
    """Draw the spatial size, the window, and strides, paddings and dilations that fit."""
    rank = int(rng.choice([1, 2, 2, 3]))
    sizes, window = ints(rng, rank, 1, largest if rank < 3 else 4), ints(rng, rank, 1, 3 if rank < 3 else 2)
    options = {
        "strides": one_or_each(rng, ints(rng, rank, 1, 3)),
        "kernel_dilation": one_or_each(rng, ints(rng, rank, 1, 2)),
    }
    dilated = sizes
    if input_dilation:
        options["input_dilation"] = one_or_each(rng, ints(rng, rank, 1, 2))
        dilated = extents(sizes, per_axis(options["input_dilation"], rank))
    windows = extents(window, per_axis(options["kernel_dilation"], rank))
    return sizes, window, options | {"padding": padding_of(rng, dilated, windows)}


def _batch(rng):
    return [(2,), (2,), (1,), (), (2, 1), (0,)][int(rng.choice(6, p=[0.3, 0.3, 0.15, 0.1, 0.1, 0.05]))]


def _case(rng, op, x, kernel, options, bias=0.3):
    return Case(op, "drawn", (Normal(x), Normal(kernel), *[Normal(kernel[-1:])] * (rng.random() < bias)), options)


def _conv(rng):
    sizes, window, options = _geometry(rng)
    if rng.random() < 0.2:
        options |= {"padding": str(rng.choice(["CIRCULAR", "REFLECT", "REPLICATE"])), "input_dilation": 1}
    groups = int(rng.choice([1, 1, 2, 3]))
    c_kernel, c_out = int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    options["feature_group_count"] = groups
    if rng.random() < 0.2:
        x, kernel = (2, *sizes, c_kernel * groups), (*window, c_kernel, c_out)
        digits = "123"[: len(sizes)]
        of_x, of_kernel = f"N{digits}C", f"{digits}IO"
        letters = ["".join(rng.permutation(list(spec))) for spec in (of_x, of_kernel, of_x)]
        # The kernel's order of spatial axes is the one that the others refer to by name.
        options["dimension_numbers"] = tuple(letters)
        x, kernel = (
            tuple(shape[spec.index(a)] for a in spec_)
            for shape, spec, spec_ in ((x, of_x, letters[0]), (kernel, of_kernel, letters[1]))
        )
        order = [int(a) - 1 for a in letters[1] if a.isdigit()]
        for name in ("strides", "kernel_dilation", "input_dilation", "padding"):
            if not isinstance(options[name], int | str):
                options[name] = tuple(options[name][a] for a in order)
        inputs = (Normal(x), Normal(kernel), *[Normal((c_out,))] * (rng.random() < 0.3))
        return Case("conv", "drawn", inputs, options)
    return _case(rng, "conv", (*_batch(rng), *sizes, c_kernel * groups), (*window, c_kernel, c_out), options)


def _depthwise(rng):
    sizes, window, options = _geometry(rng, input_dilation=False)
    channels, multiplier = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    x, kernel = (*_batch(rng), *sizes, channels), (*window, 1, channels * multiplier)
    return _case(rng, "depthwise_conv", x, kernel, options)


def _weight_standardized(rng):
    sizes, window, options = _geometry(rng, input_dilation=False)
    groups = int(rng.choice([1, 1, 2]))
    c_kernel, c_out = int(rng.integers(4, 6)), groups * int(rng.integers(1, 3))  # 2 weights have no gradient left
    given = [name for name in ("bias", "scale") if rng.random() < 0.5]
    inputs = (Normal((*_batch(rng), *sizes, c_kernel * groups)), Normal((*window, c_kernel, c_out)))
    options |= {"feature_group_count": groups, "epsilon": float(rng.choice([1e-5, 1e-3]))}
    more = tuple(Normal((c_out,)) for _ in given)
    return Case("weight_standardized_conv", "drawn", inputs + more, options, keywords=tuple(given))


def _separable(rng):
    case = _depthwise(rng)
    x, kernel = case.inputs[:2]
    pointwise = (*[1] * (len(kernel.shape) - 2), kernel.shape[-1], int(rng.integers(1, 4)))
    bias = [Normal(pointwise[-1:])] * (rng.random() < 0.3)
    return Case("separable_conv", "drawn", (x, kernel, Normal(pointwise), *bias), case.options)


def _local(rng):
    sizes, window, options = _geometry(rng, largest=4, input_dilation=False)
    rank = len(sizes)
    strides = per_axis(options["strides"], rank)
    windows = extents(window, per_axis(options["kernel_dilation"], rank))
    name = "VALID" if all(n >= k for n, k in zip(sizes, windows, strict=True)) and rng.random() < 0.5 else "SAME"
    if name == "VALID":
        outputs = [(n - k) // s + 1 for n, k, s in zip(sizes, windows, strides, strict=True)]
    else:
        name = str(rng.choice(["SAME", "SAME", "CIRCULAR", "REFLECT", "REPLICATE"]))
        outputs = [-(-n // s) for n, s in zip(sizes, strides, strict=True)]
    c_in, c_out = (int(n) for n in rng.integers(1, 4, 2))
    bias = [(), (Normal((c_out,)),), (Normal((*outputs, c_out)),)][int(rng.integers(3))]
    inputs = (Normal((*_batch(rng), *sizes, c_in)), Normal((*outputs, *window, c_in, c_out)), *bias)
    return Case("conv_local", "drawn", inputs, options | {"padding": name})


def _general(rng):
    sizes, window, options = _geometry(rng)
    groups, batch_groups = [(1, 1), (2, 1), (1, 2), (1, 3)][int(rng.integers(4))]
    c_kernel, c_out = int(rng.integers(1, 3)), groups * batch_groups * int(rng.integers(1, 3))
    rank = len(sizes)
    each = {name: per_axis(options[name], rank) for name in ("strides", "kernel_dilation", "input_dilation")}
    padding = options["padding"]
    if isinstance(padding, int) or padding in NAMES:  # what lax takes, too: the reference
        dilated, windows = extents(sizes, each["input_dilation"]), extents(window, each["kernel_dilation"])
        padding = [(max(k - n, 0), 1) for n, k in zip(dilated, windows, strict=True)]
    x, kernel = (batch_groups * 2, c_kernel * groups, *sizes), (c_out, c_kernel, *window)
    options = {
        "window_strides": each["strides"],
        "padding": padding,
        "lhs_dilation": each["input_dilation"],
        "rhs_dilation": each["kernel_dilation"],
        "feature_group_count": groups,
        "batch_group_count": batch_groups,
    }
    return Case("conv_general_dilated", "drawn", (Normal(x), Normal(kernel)), options)


def _transpose(rng):
    sizes, window, options = _geometry(rng, largest=4, input_dilation=False)
    rank = len(sizes)
    strides, dilation = (per_axis(options[name], rank) for name in ("strides", "kernel_dilation"))
    windows = extents(window, dilation)
    options["padding"] = padding_of(rng, extents(sizes, strides), windows, ("SAME", "VALID"))
    if options["padding"] in ("SAME", "VALID") and rng.random() < 0.5:
        more = [int(rng.integers(0, s)) for s in strides]  # of the sizes that a convolution maps to the same one
        if options["padding"] == "SAME":
            shape = [n * s - m for n, s, m in zip(sizes, strides, more, strict=True)]
        else:
            shape = [(n - 1) * s + k + m for n, s, k, m in zip(sizes, strides, windows, more, strict=True)]
        options["output_shape"] = tuple(shape)
    elif rng.random() < 0.5:
        options["output_padding"] = one_or_each(rng, ints(rng, rank, 0, 2))
    groups = int(rng.choice([1, 1, 2]))
    c_in, c_out = groups * int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    kernel = (*window, c_in // groups, c_out)
    if rng.random() < 0.4:
        options["transpose_kernel"], kernel = True, (*window, c_out // groups, c_in)
    bias = [Normal((c_out,))] * (rng.random() < 0.3)
    options["feature_group_count"] = groups
    if rng.random() < 0.2:
        digits = "123"[:rank]
        x, kernel = (2, c_in, *sizes), (*kernel[-2:], *kernel[:-2])
        options["dimension_numbers"] = (f"NC{digits}", f"IO{digits}", f"C{digits}N")
        return Case("conv_transpose", "drawn", (Normal(x), Normal(kernel), *bias), options)
    inputs = (Normal((*_batch(rng), *sizes, c_in)), Normal(kernel), *bias)
    return Case("conv_transpose", "drawn", inputs, options)


DRAW = {
    "conv": _conv,
    "depthwise_conv": _depthwise,
    "separable_conv": _separable,
    "weight_standardized_conv": _weight_standardized,
    "conv_general_dilated": _general,
    "conv_local": _local,
    "conv_transpose": _transpose,
}
