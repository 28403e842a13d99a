"""Options that are numbers: what the dtype of the array cannot hold is refused before it turns into a 0."""

import inspect

import jax.numpy as jnp
import pytest

import jaxcnn
from jaxcnn import ops

X, KERNEL = jnp.ones((2, 4, 4, 4)), jnp.ones((2, 2, 4, 4))
LOGITS, LABELS = jnp.zeros((3, 4)), jnp.full((3, 4), 0.25)
NORM = ["batch_norm", "layer_norm", "rms_norm", "instance_norm", "weight_standardization"]
CALLS = {
    **{(name, "epsilon"): (lambda e, x, name=name: getattr(jaxcnn, name)(x, epsilon=e)) for name in NORM},
    ("group_norm", "epsilon"): lambda e, x: jaxcnn.group_norm(x, num_groups=2, epsilon=e),
    ("weight_standardized_conv", "epsilon"): lambda e, x: jaxcnn.weight_standardized_conv(
        x, KERNEL.astype(x.dtype), epsilon=e
    ),
    ("cosine_similarity", "epsilon"): lambda e, x: jaxcnn.cosine_similarity(x, x, epsilon=e),
    ("cosine_distance", "epsilon"): lambda e, x: jaxcnn.cosine_distance(x, x, epsilon=e),
    ("local_response_norm", "alpha"): lambda e, x: jaxcnn.local_response_norm(x, 3, alpha=e),
    ("local_response_norm", "beta"): lambda e, x: jaxcnn.local_response_norm(x, 3, beta=e),
    ("local_response_norm", "k"): lambda e, x: jaxcnn.local_response_norm(x, 3, k=e),
    ("avg_pool", "divisor_override"): lambda e, x: jaxcnn.avg_pool(x, (2, 2), divisor_override=e),
    ("celu", "alpha"): lambda e, x: jaxcnn.celu(x, e),
    ("elu", "alpha"): lambda e, x: jaxcnn.elu(x, e),
    ("hard_tanh", "min_val"): lambda e, x: jaxcnn.hard_tanh(x, min_val=e),
    ("hard_tanh", "max_val"): lambda e, x: jaxcnn.hard_tanh(x, max_val=e),
    ("leaky_relu", "negative_slope"): lambda e, x: jaxcnn.leaky_relu(x, e),
    ("dropout", "rate"): lambda e, x: jaxcnn.dropout(x, e, deterministic=True),
    ("spatial_dropout", "rate"): lambda e, x: jaxcnn.spatial_dropout(x, e, deterministic=True),
    ("stochastic_depth", "rate"): lambda e, x: jaxcnn.stochastic_depth(x, e, "row", deterministic=True),
    ("huber_loss", "delta"): lambda e, x: jaxcnn.huber_loss(x, x, delta=e),
    ("running_statistics", "momentum"): lambda e, x: jaxcnn.running_statistics(*[x[0, 0, 0]] * 4, momentum=e),
    ("pad", "value"): lambda e, x: jaxcnn.pad(x, 1, value=e),
    ("sigmoid_focal_loss", "alpha"): lambda e, x: jaxcnn.sigmoid_focal_loss(x, x, alpha=e),
    ("sigmoid_focal_loss", "gamma"): lambda e, x: jaxcnn.sigmoid_focal_loss(x, x, gamma=e),
    ("softmax_cross_entropy", "label_smoothing"): lambda e, x: jaxcnn.softmax_cross_entropy(
        LOGITS.astype(x.dtype), LABELS.astype(x.dtype), label_smoothing=e
    ),
    ("softmax_cross_entropy_with_integer_labels", "label_smoothing"): lambda e, x: (
        jaxcnn.softmax_cross_entropy_with_integer_labels(
            LOGITS.astype(x.dtype), jnp.zeros(3, jnp.int32), label_smoothing=e
        )
    ),
}
REFUSE_MORE = {("lp_pool", "norm"), ("squareplus", "b")}  # at least 1; at least 2^-60


def test_every_option_that_is_a_number_is_tried():
    found = {
        (name, p.name)
        for name, fn in vars(ops).items()
        if inspect.isfunction(fn)
        for p in inspect.signature(fn).parameters.values()
        if "float" in str(p.annotation)
    }
    assert found == CALLS.keys() | REFUSE_MORE


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(("op", "option"), CALLS)
def test_a_number_that_is_rounded_to_0_is_refused(op, option, dtype):
    x = X.astype(dtype)
    for number in (1e-50, 1e-40, 1e-39):
        with pytest.raises(ValueError, match=rf"{option} \(={number}\) must not be so small that \w+ has it as 0"):
            CALLS[op, option](number, x)
    CALLS[op, option](1.2e-38, x)


@pytest.mark.parametrize("number", [float("inf"), -float("inf"), float("nan")])
@pytest.mark.parametrize(("op", "option"), CALLS)
def test_what_is_not_finite_is_refused_by_name_or_taken(op, option, number):
    """Never an OverflowError of a Python int, which says nothing of the option."""
    said = name = f"{option} (={number!r})"
    try:
        CALLS[op, option](number, X)
    except ValueError as error:
        said = str(error)
    assert name in said


@pytest.mark.parametrize(("op", "option"), CALLS)
def test_an_int_beyond_the_range_of_a_float_is_refused_by_name(op, option):
    with pytest.raises(ValueError, match=rf"{option} \(=1000000"):
        CALLS[op, option](10**400, X)


@pytest.mark.parametrize("op", [name for name, option in CALLS if option == "epsilon" and "cosine" not in name])
def test_an_infinite_epsilon_is_refused(op):
    with pytest.raises(ValueError, match=r"epsilon \(=inf\) must be above 0 and finite"):
        CALLS[op, "epsilon"](float("inf"), X)


@pytest.mark.parametrize("number", [float("inf"), -float("inf"), float("nan")])
@pytest.mark.parametrize(
    ("op", "option"),
    [pair for pair in CALLS if pair[0] in ("celu", "elu", "leaky_relu", "local_response_norm")],
)  # fmt: skip
def test_a_factor_that_is_not_finite_is_refused(op, option, number):
    with pytest.raises(ValueError, match=rf"{option} \(={number!r}\) must be finite"):
        CALLS[op, option](number, X - 2)
