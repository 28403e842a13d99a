"""Cases of activations."""

from jaxcnn.gradcheck.cases._case import Case, Distinct, Normal

CASES: tuple[Case, ...] = (
    *(Case(op, "2-D", (Distinct((2, 5, 4, 3)),)) for op in ("relu", "leaky_relu", "sigmoid", "tanh")),
    Case("relu6", "2-D, from -7.5 to 7.5", (Distinct((2, 5, 4, 3), step=1 / 8),)),
    Case("gelu", "tanh", (Normal((2, 5, 4, 3)),)),
    Case("gelu", "erf", (Normal((2, 5, 4, 3)),), {"approximate": False}),
    Case("leaky_relu", "slope 0.3", (Distinct((7, 3)),), {"negative_slope": 0.3}),
)
