import jax.numpy as jnp

from jaxcnn.algorithms import choice
from tests.algorithms import algorithm_checks


class TestDirect(algorithm_checks.AlgorithmChecks):
    name = "direct"

    @classmethod
    def cases(cls):
        """Return the cases for which something else is chosen; the others are tested with the op."""

        def chosen(case):
            shapes = [spec.shape for spec in case.inputs]
            return {choice.choose(part, case.config, *shapes, jnp.float32).get("cpu") for part in choice.PARTS}

        return [case for case in super().cases() if chosen(case) - {None}]
