"""Cases of activations."""

from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Distinct, Normal

_SHAPE = (2, 5, 4, 3)


def _up_to(bound: float, label: str, *ops: str, **options: Any) -> tuple[Case, ...]:
    """Return a case of each op on numbers from about -bound to bound, no kink of the op among them."""
    return tuple(Case(op, label, (Distinct(_SHAPE, step=bound / 64),), options) for op in ops)


CASES: tuple[Case, ...] = (
    *_up_to(1, "2-D", "relu", "leaky_relu", "sigmoid", "tanh"),
    *_up_to(8, "2-D, from -7.5 to 7.5", "relu6"),
    Case("gelu", "tanh", (Normal(_SHAPE),)),
    Case("gelu", "erf", (Normal(_SHAPE),), {"approximate": False}),
    Case("leaky_relu", "slope 0.3", (Distinct((7, 3)),), {"negative_slope": 0.3}),
    Case("prelu", "a slope a channel", (Distinct(_SHAPE), Normal((3,)))),
    Case("prelu", "one slope", (Distinct((7, 3)), Normal(()))),
    *_up_to(2, "2-D, from -1.9 to 1.9", "hard_tanh", "sparse_sigmoid", "sparse_plus"),
    Case("hard_tanh", "bounds 0.3 and 1.2", (Distinct((7, 3), step=1 / 8),), {"min_val": 0.3, "max_val": 1.2}),
    *_up_to(4, "2-D, from -3.7 to 3.7", "hard_sigmoid", "hard_silu", "elu", "celu", "selu", "softplus", "log_sigmoid"),
    *_up_to(4, "2-D, from -3.7 to 3.7", "silu", "mish", "soft_sign", "squareplus"),
    Case("elu", "alpha 0.7", (Distinct((7, 3), step=1 / 8),), {"alpha": 0.7}),
    Case("elu", "alpha -0.5", (Distinct((7, 3), step=1 / 8),), {"alpha": -0.5}),
    Case("celu", "alpha 0.7", (Distinct((7, 3), step=1 / 8),), {"alpha": 0.7}),
    Case("squareplus", "b 0.3", (Distinct((7, 3), step=1 / 8),), {"b": 0.3}),
    Case("glu", "2-D", (Normal((2, 3, 4, 6)),)),
    Case("glu", "axis 1", (Normal((3, 4, 5)),), {"axis": 1}),
)
