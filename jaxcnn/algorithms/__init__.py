"""How windowed ops and their gradients are computed: plain JAX, no rules, one algorithm a file, and their choice."""
