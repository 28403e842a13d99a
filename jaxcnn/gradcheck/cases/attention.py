"""Cases of squeeze_excite."""

from typing import Any

from jaxcnn.gradcheck.cases._case import Case, Normal


def _block(label: str, x: tuple[int, ...], hidden: int, **options: Any) -> Case:
    c = x[-1]
    parameters = ((c, hidden), (hidden,), (hidden, c), (c,))
    return Case("squeeze_excite", label, (Normal(x), *map(Normal, parameters)), options)


CASES: tuple[Case, ...] = (
    _block("2-D", (2, 3, 2, 4), 3),
    _block("no batch axis", (3, 2), 5, spatial_rank=1),
)
