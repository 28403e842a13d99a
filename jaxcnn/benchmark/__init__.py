"""What `scripts/benchmark.py` measures: hand-derived rules beside jax.grad, and beside PyTorch."""
